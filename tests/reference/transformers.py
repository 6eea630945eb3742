"""Transformers as the exporters write them, against PyTorch: the losses of 10 training steps.

    python transformers.py fixture         writes gpt.*.onnx, gpt.npz and transformers.json here
    python transformers.py check [SNUG]    exports, compiles and trains gpt_mini, bert_mini and vit_tiny in a temporary folder

needs torch, torchvision, onnx, onnxscript. Dropout is 0, batches are in file order, f32. `legacy` is torch.onnx.export with
dynamo=False, training mode and no folding; `dynamo` is dynamo=True with optimize=False (with it, exported norms share their
parameters: another model). check prints for each model and exporter the largest relative distance of a loss, the seconds that
compiling took and the planned peak, and fails above 1e-4.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, TOLERANCE = 10, 1e-4
RATE = {"gpt": 1e-2, "gpt_mini": 1e-3, "bert_mini": 1e-3, "vit_tiny": 1e-3}


class Block(nn.Module):
    """Attention and a feed-forward part; norms before them (GPT) or after (BERT)."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        eps = 1e-5 if causal else 1e-12
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attend(self, x, mask):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
                   for t in self.qkv(x).split(width, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=self.causal)
        return self.proj(y.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x, mask=None):
        if self.causal:
            x = x + self.attend(self.norm1(x), mask)
            return x + self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh"))
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


def small_start(model):
    for part in model.modules():
        if isinstance(part, (nn.Linear, nn.Embedding)):
            nn.init.normal_(part.weight, std=0.02)


class GPT(nn.Module):
    """Learned positions, a head that shares the embedding's weights."""

    def __init__(self, words, length, layers, width, heads):
        super().__init__()
        self.word, self.position = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads, True) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        small_start(self)
        self.head.weight = self.word.weight

    def forward(self, tokens):
        x = self.word(tokens) + self.position(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Bert(nn.Module):
    """Padding mask, pooled first token, two classes."""

    def __init__(self, words, length, layers, width, heads):
        super().__init__()
        self.word, self.position = nn.Embedding(words, width), nn.Embedding(length, width)
        self.kind, self.norm = nn.Embedding(2, width), nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(Block(width, heads, False) for _ in range(layers))
        self.pool, self.head = nn.Linear(width, width), nn.Linear(width, 2)
        small_start(self)

    def forward(self, tokens, mask):
        x = self.word(tokens) + self.position(torch.arange(tokens.shape[1])) + self.kind(torch.zeros_like(tokens))
        x, mask = self.norm(x), mask.bool()[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        return self.head(torch.tanh(self.pool(x[:, 0])))


def texts(words, rows, length):
    """Each token follows from the one before, with one in eight replaced."""
    tokens = torch.randint(words, (rows, length + 1))
    follows = torch.rand(rows, length) > 0.125
    for at in range(length):
        tokens[:, at + 1] = torch.where(follows[:, at], (5 * tokens[:, at] + 3) % words, tokens[:, at + 1])
    return {"tokens": tokens[:, :-1].contiguous()}, tokens[:, 1:].contiguous()


def build(name):
    """-> model, arrays of all rows by input name, labels, batch"""
    torch.manual_seed(3)
    if name in ("gpt", "gpt_mini"):
        small = name == "gpt"
        words, length, layers, width, heads, batch = (50, 16, 2, 32, 2, 4) if small else (256, 256, 4, 256, 4, 8)
        return GPT(words, length, layers, width, heads), *texts(words, STEPS * batch if small else batch, length), batch
    if name == "bert_mini":
        mask = torch.ones(8, 128, dtype=torch.int64)
        mask[::2, 96:] = 0
        tokens = torch.randint(30522, (8, 128))
        return Bert(30522, 512, 4, 256, 4), {"tokens": tokens, "mask": mask}, torch.randint(2, (8,)), 8
    from torchvision.models.vision_transformer import VisionTransformer
    model = VisionTransformer(224, 16, 12, 3, 192, 768)
    nn.init.normal_(model.heads.head.weight, std=0.02)
    return model, {"input": torch.randn(8, 3, 224, 224)}, torch.randint(1000, (8,)), 8


def export(model, arrays, batch, path, how):
    example = tuple(a[:batch] for a in arrays.values())
    names = {"input_names": list(arrays), "output_names": ["logits"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "legacy":
            torch.onnx.export(model, example, path, dynamo=False, opset_version=17, do_constant_folding=False,
                              training=torch.onnx.TrainingMode.TRAINING, **names)
        else:
            torch.onnx.export(model, example, path, dynamo=True, opset_version=20, optimize=False, verbose=False,
                              external_data=False, **names)


def train(name, model, arrays, labels, batch):
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE[name], weight_decay=0.01)
    losses = []
    for step in range(STEPS):
        rows = slice(step * batch % len(labels), step * batch % len(labels) + batch)
        logits = model(*(a[rows] for a in arrays.values()))
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels[rows].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def save(path, arrays, labels):
    np.savez(path, labels=labels.numpy(), **{name: a.numpy() for name, a in arrays.items()})


def fixture():
    model, arrays, labels, batch = build("gpt")
    for how in ("legacy", "dynamo"):
        path = os.path.join(HERE, f"gpt.{how}.onnx")
        export(model, arrays, batch, path, how)
        proto = onnx.load(path)
        for node in proto.graph.node:
            del node.metadata_props[:]
            node.ClearField("doc_string")
        del proto.graph.value_info[:]
        onnx.save(proto, path)
    save(os.path.join(HERE, "gpt.npz"), arrays, labels)
    losses = [float(f"{loss:.9g}") for loss in train("gpt", model, arrays, labels, batch)]
    with open(os.path.join(HERE, "transformers.json"), "w") as file:
        json.dump({"gpt": {"rule": "adamw", "lr": RATE["gpt"], "losses": losses}}, file, indent=1)
        file.write("\n")


def run(snug, folder, name, how, expected):
    path = os.path.join(folder, f"{name}.{how}")
    start = time.time()
    made = subprocess.run([snug, "compile", path + ".onnx", "--optimizer", "adamw", "-o", path], check=True, text=True,
                          capture_output=True)
    seconds = time.time() - start
    subprocess.run([path, "--data", os.path.join(folder, name + ".npz"), "--batch-order", "sequential", "--steps",
                    str(STEPS), "--lr", str(RATE[name]), "--log", path + ".jsonl", "--quiet"], check=True)
    with open(path + ".jsonl") as file:
        losses = [json.loads(line)["loss"] for line in list(file)[:STEPS]]
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses, expected))
    peak = next(line for line in made.stderr.splitlines() if line.startswith("peak")).split()[1:3]
    print(f"{name} {how}: loss {losses[0]:.6f} -> {losses[-1]:.6f}, worst {worst:.1e}, compiled in {seconds:.1f} s, "
          f"peak {' '.join(peak)}", flush=True)
    return worst <= TOLERANCE


def check(snug):
    good = True
    for name in ("gpt_mini", "bert_mini", "vit_tiny"):
        with tempfile.TemporaryDirectory() as folder:
            model, arrays, labels, batch = build(name)
            save(os.path.join(folder, name + ".npz"), arrays, labels)
            for how in ("legacy", "dynamo"):
                export(model.train(), arrays, batch, os.path.join(folder, f"{name}.{how}.onnx"), how)
            expected = train(name, model, arrays, labels, batch)
            for how in ("legacy", "dynamo"):
                good = run(snug, folder, name, how, expected) and good
    return good


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["fixture"]:
        fixture()
    elif sys.argv[1:2] == ["check"]:
        sys.exit(not check(sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "..", "..", "build", "snug")))
    else:
        sys.exit(__doc__)
