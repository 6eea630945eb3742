#!/usr/bin/env python3
"""Gradients of LSTM, GRU and RNN whose carried states are cut, and of whose
steps some are drawn, beside PyTorch in f64 with detach() at the same places;
ends with 1 where one is off by more than 1e-6.
usage: carry.py SNUG   (needs onnx, torch and numpy)"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

STEPS, BATCH, IN, STATE, OUT = 16, 8, 32, 64, 10
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def model(kind, weights, path):
    nodes = [
        helper.make_node(kind, ["x", "w", "r", "b"], ["y"], name="loop",
                         hidden_size=STATE),
        helper.make_node("Squeeze", ["y", "one"], ["h"], name="squeeze"),
        helper.make_node("MatMul", ["h", "head"], ["out"], name="head"),
    ]
    inits = [numpy_helper.from_array(a, k) for k, a in weights.items()]
    inits.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, kind, [tensor("x", TensorProto.FLOAT, [STEPS, BATCH, IN])],
        [tensor("out", TensorProto.FLOAT, [STEPS, BATCH, OUT])], inits)
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        path)


def step(kind, p, x, h, c):
    n, w, r, b = STATE, p["w"][0], p["r"][0], p["b"][0]
    bias = b[: len(b) // 2] + b[len(b) // 2:]
    fore, back = x @ w.T + bias, h @ r.T
    a = [(fore + back)[:, k * n:(k + 1) * n] for k in range(GATES[kind])]
    sigmoid, tanh = torch.sigmoid, torch.tanh
    if kind == "RNN":
        return tanh(a[0]), c
    if kind == "LSTM":
        c = sigmoid(a[2]) * c + sigmoid(a[0]) * tanh(a[3])
        return sigmoid(a[1]) * tanh(c), c
    z, reset = sigmoid(a[0]), sigmoid(a[1])
    new = tanh(fore[:, 2 * n:] + (reset * h) @ r[2 * n:].T)
    return (1 - z) * new + z * h, c


def wanted(kind, weights, x, target, keep, drawn=None):
    p = {k: torch.tensor(a.astype(np.float64), requires_grad=True)
         for k, a in weights.items()}
    h = c = torch.zeros(BATCH, STATE, dtype=torch.float64)
    y = []
    for s in range(STEPS):
        if 0 < s < STEPS - keep:
            h, c = h.detach(), c.detach()
        h, c = step(kind, p, torch.tensor(x[s].astype(np.float64)), h, c)
        y.append(h if drawn is None or s in drawn else h.detach())
    out = torch.stack(y) @ p["head"]
    loss = ((out - torch.tensor(target.astype(np.float64))) ** 2).mean()
    loss.backward()
    return {k: v.grad.numpy() for k, v in p.items()}


def got(snug, folder, path, keep):
    text, out = os.path.join(folder, "g.snug"), os.path.join(folder, "o.npz")
    passes = f'cut{{at="carry*",keep={keep}}},fold,cse,dce,loss{{kind=mse}},grad'
    subprocess.run([snug, "opt", path, "--passes=" + passes, "-o", text],
                   check=True)
    with open(text) as f:
        lines = f.read().split("graph train")[1].splitlines()
    names = [s.split()[1][1:] for s in lines if s.startswith("input")]
    files = [os.path.join(folder, s) for s in ("x.npy", "t.npy")]
    given = [f"--input={n}={f}" for n, f in zip(names, files)]
    subprocess.run([snug, "eval", text, "--entry", "train", "-o", out] + given,
                   check=True)
    return np.load(out)


def got_drawn(snug, folder, path, weights, subset):
    """Which steps were drawn, and the gradients: a tenth of them is the first
    moment of adamw after a step."""
    text, out = os.path.join(folder, "d.snug"), os.path.join(folder, "d.npz")
    lines, train = [], False
    passes = (f'cut{{at="carry*",subset={subset}}},fold,cse,dce,'
              'loss{kind=mse},grad,optimizer{rule=adamw},fold,cse,dce,guard')
    told = subprocess.run([snug, "opt", path, "--passes=" + passes], check=True,
                          capture_output=True, text=True).stdout
    states = [f"drawn.{STEPS}.{i}" for i in range(STEPS)]
    for line in told.splitlines():
        if line.startswith("graph"):
            train = line.split()[1] == "train"
        lines.append(line)
        if train and line.startswith("output"):
            lines += [f"output %{s}'" for s in states]
            lines += [f"output %{w}.m'" for w in weights]
    with open(text, "w") as f:
        f.write("\n".join(lines) + "\n")
    given = {"x": "x.npy", "labels": "t.npy", "seed": "seed.npy",
             "lr": "lr.npy"}
    np.save(os.path.join(folder, "seed.npy"), np.int64(subset + 5))
    np.save(os.path.join(folder, "lr.npy"), np.float64(0.1))
    subprocess.run([snug, "eval", text, "--entry", "train", "-o", out] +
                   [f"--input={k}={os.path.join(folder, v)}"
                    for k, v in given.items()], check=True)
    have = np.load(out)
    drawn = {i for i, s in enumerate(states) if have[s + "'"] != 0}
    return drawn, {w: have[w + ".m'"] * 10 for w in weights}


def off_by(have, want):
    return max(np.abs(have[k] - v).max() / np.abs(v).max()
               for k, v in want.items() if k != "b")


def main():
    draw, bad = np.random.default_rng(1), False
    with tempfile.TemporaryDirectory() as folder:
        x = draw.standard_normal((STEPS, BATCH, IN)).astype(np.float32)
        t = draw.standard_normal((STEPS, BATCH, OUT)).astype(np.float32)
        np.save(os.path.join(folder, "x.npy"), x)
        np.save(os.path.join(folder, "t.npy"), t)
        for kind, g in GATES.items():
            shapes = {"w": (1, g * STATE, IN), "r": (1, g * STATE, STATE),
                      "b": (1, 2 * g * STATE), "head": (STATE, OUT)}
            weights = {k: draw.uniform(-0.2, 0.2, s).astype(np.float32)
                       for k, s in shapes.items()}
            path = os.path.join(folder, "m.onnx")
            model(kind, weights, path)
            for keep in (0, 1, 4, STEPS):
                have = got(sys.argv[1], folder, path, keep)
                want = wanted(kind, weights, x, t, keep)
                off = off_by({k: have[k + ".g"] for k in want if k != "b"},
                             want)
                bad |= bool(off > 1e-6)
                print(f"{kind} keep={keep}: {off:.1e}")
            for subset in (1, 4, STEPS):
                drawn, have = got_drawn(sys.argv[1], folder, path, weights,
                                        subset)
                want = wanted(kind, weights, x, t, 0, drawn)
                off = off_by(have, want)
                bad |= bool(off > 1e-6) or len(drawn) != subset
                print(f"{kind} subset={subset} {sorted(drawn)}: {off:.1e}")
    sys.exit(bad)


main()
