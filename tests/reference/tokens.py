#!/usr/bin/env python3
"""Gradients of two layers of a transformer that run for a share of the tokens,
beside PyTorch in f64 with the same scores, gathers and scatters written out;
ends with 1 where loss or a gradient is off by more than 1e-5.
usage: tokens.py SNUG   (needs torch and numpy)"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

BATCH, LENGTH, HEADS, GROUPS, EACH, WORDS, LAYERS = 3, 20, 4, 2, 4, 11, 2
WIDTH, KEYS = HEADS * EACH, GROUPS * EACH


def weights(draw):
    shapes = {"token": (WORDS, WIDTH)}
    for i in range(LAYERS):
        shapes.update({f"q{i}": (WIDTH, WIDTH), f"k{i}": (KEYS, WIDTH),
                       f"v{i}": (KEYS, WIDTH), f"o{i}": (WIDTH, WIDTH),
                       f"wide{i}": (2 * WIDTH, WIDTH),
                       f"narrow{i}": (WIDTH, 2 * WIDTH)})
    return {k: draw.uniform(-0.8, 0.8, s).astype(np.float32)
            for k, s in shapes.items()}


def text(folder, w, table, mask, causal):
    """Positions come in through a table that the queries are multiplied by."""
    b, t, lines, nodes = BATCH, LENGTH, [], []
    for name, x in dict(w, table=table, mask=mask).items():
        path = os.path.join(folder, name + ".raw")
        x.tofile(path)
        kind = "param" if name in w else "const"
        shape = ",".join(map(str, x.shape))
        lines.append(f'{kind} %{name} : f32[{shape}] = file "{path}" 0')

    def node(line, *shape):
        nodes.append(f"f %{line} : f32[{','.join(map(str, shape))}]")

    def product(name, x, w, n):
        node(f'{name} = contract %{x}, %{w} labels="Amk,nk->Amn" split=1', b, t,
             n)

    node("x0 = gather %token, %i axis=0", b, t, WIDTH)
    for i in range(LAYERS):
        node(f"n{i} = tanh %x{i}", b, t, WIDTH)
        for part, heads in (("q", HEADS), ("k", GROUPS), ("v", GROUPS)):
            product(f"{part}{i}.p", f"n{i}", f"{part}{i}", heads * EACH)
            node(f"{part}{i}.v = view %{part}{i}.p", b, t, heads, EACH)
            node(f"{part}{i}.h = transpose %{part}{i}.v perm=[0,2,1,3]", b,
                 heads, t, EACH)
        node(f"q{i}.t = mul %q{i}.h, %table", b, HEADS, t, EACH)
        nodes.append(
            f"f %a{i}, %s{i} = attention %q{i}.t, %k{i}.h, %v{i}.h, %mask "
            f"scale=0.5 causal={causal} : f32[{b},{HEADS},{t},{EACH}], "
            f"f32[{b},{HEADS},{t}]")
        node(f"a{i}.t = transpose %a{i} perm=[0,2,1,3]", b, t, HEADS, EACH)
        node(f"a{i}.v = view %a{i}.t", b, t, WIDTH)
        product(f"o{i}.p", f"a{i}.v", f"o{i}", WIDTH)
        node(f"m{i} = add %x{i}, %o{i}.p", b, t, WIDTH)
        product(f"w{i}", f"m{i}", f"wide{i}", 2 * WIDTH)
        node(f"g{i} = sigmoid %w{i}", b, t, 2 * WIDTH)
        product(f"d{i}", f"g{i}", f"narrow{i}", WIDTH)
        node(f"x{i + 1} = add %m{i}, %d{i}", b, t, WIDTH)
    node(f"last = tanh %x{LAYERS}", b, t, WIDTH)
    product("logits", "last", "token", WORDS)
    return "\n".join(
        ["snug 1 stage=model", 'module "m"', *lines, "graph forward {",
         f"input %i : i64[{b},{t}]", *nodes, "output %logits", "}", ""])


def shares(n, p, i, table, mask, causal):
    """What softmax makes of the scores, [batch, heads, queries, keys]."""
    def heads(w, h):
        return (n @ p[f"{w}{i}"].T).unflatten(-1, (h, EACH)).transpose(1, 2)

    k, v = (heads(w, GROUPS).repeat_interleave(HEADS // GROUPS, 1)
            for w in "kv")
    s = 0.5 * (heads("q", HEADS) * table) @ k.transpose(2, 3) + mask
    if causal:
        s = s.masked_fill(torch.ones(s.shape[2:]).tril() == 0, -torch.inf)
    return s.softmax(-1), v


def chosen(x, p, i, table, mask, causal, count):
    """Positions that stay, [batch, count]."""
    with torch.no_grad():
        share, _ = shares(torch.tanh(x), p, i, table, mask, causal)
    seen_by = torch.arange(LENGTH, 0, -1) if causal else LENGTH
    score = share.sum((1, 2)) / seen_by
    best = score.sort(dim=-1, descending=True, stable=True)[1]
    return best[:, :count].sort(dim=-1)[0]


def layer(x, p, i, table, mask, causal):
    share, v = shares(torch.tanh(x), p, i, table, mask, causal)
    y = (share @ v).transpose(1, 2).flatten(2)
    m = x + y @ p[f"o{i}"].T
    return m + torch.sigmoid(m @ p[f"wide{i}"].T) @ p[f"narrow{i}"].T


def wanted(w, table, mask, causal, count, i, labels):
    p = {k: torch.tensor(a.astype(np.float64), requires_grad=True)
         for k, a in w.items()}
    table, mask = (torch.tensor(a.astype(np.float64)) for a in (table, mask))
    x = p["token"][torch.tensor(i)]
    for n in range(LAYERS):
        at = chosen(x, p, n, table, mask, causal, count)
        rows = at[..., None].expand(-1, -1, WIDTH)
        masks = torch.stack([mask[b, 0][a][:, a] for b, a in enumerate(at)])
        some = layer(x.gather(1, rows), p, n, table[at][:, None],
                     masks[:, None], causal)
        x = x.scatter(1, rows, some)
    logits = torch.tanh(x) @ p["token"].T
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1),
                                             torch.tensor(labels).flatten())
    loss.backward()
    return dict({k + ".g": v.grad.numpy() for k, v in p.items()},
                loss=loss.detach().numpy())


def got(snug, folder, model, keep, i, labels):
    path, out = os.path.join(folder, "m.snug"), os.path.join(folder, "o.npz")
    trained, given = os.path.join(folder, "t.snug"), []
    with open(path, "w") as f:
        f.write(model)
    for name, x in (("i", i), ("labels", labels)):
        np.save(os.path.join(folder, name + ".npy"), x)
        given.append(f"--input={name}={os.path.join(folder, name)}.npy")
    passes = f"loss,tokens{{keep={keep}}},grad,fold,cse,dce"
    subprocess.run([snug, "opt", path, "--passes=" + passes, "-o", trained],
                   check=True)
    subprocess.run([snug, "eval", trained, "--entry", "train", "-o", out]
                   + given, check=True)
    return np.load(out)


def main():
    draw, bad = np.random.default_rng(1), False
    i, labels = (draw.integers(0, WORDS, (BATCH, LENGTH)) for _ in range(2))
    for causal, share in ((1, 0.5), (0, 0.5), (1, 0.25), (0, 1 / LENGTH)):
        w = weights(draw)
        table = draw.uniform(0.5, 2, (LENGTH, EACH)).astype(np.float32)
        mask = draw.uniform(-1, 1, (BATCH, 1, LENGTH, LENGTH))
        mask = mask.astype(np.float32)
        with tempfile.TemporaryDirectory() as folder:
            have = got(sys.argv[1], folder, text(folder, w, table, mask,
                                                 causal), share, i, labels)
        want = wanted(w, table, mask, causal, round(LENGTH * share), i, labels)
        off = max(np.abs(have[k] - v).max() / np.abs(v).max()
                  for k, v in want.items() if np.abs(v).max() > 0)
        bad |= bool(off > 1e-5)
        print(f"causal={causal}, {share:.2g} of the tokens: {off:.1e}")
    sys.exit(bad)


main()
