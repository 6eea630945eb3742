"""Exported models against PyTorch: the losses of ten training steps, and what compiling them takes.

    python exports.py SNUG FOLDER [CASE...]     needs torch, torchvision, onnx, onnxscript
    python exports.py list

A case is NET.HOW[.OPTION...]: a net of nets.py; legacy (TrainingMode.TRAINING, no folding, opset 17), noopt (dynamo, optimize=False,
opset 20) or dynamo (its default); batch (a dynamic batch axis, bound by --dim), drop (dropout 0.1), external (weights beside),
double (the model in f64, against PyTorch's f64: what rounding in f32 hides).
Prints a row a case: the largest relative distance of a loss from PyTorch's f32, the same from its f64, how far f32 is from f64,
the seconds of the passes and of code generation, the bytes of the program (without weights) and of the arena. With dropout the loss must fall.
An export that lacks parameters is another model: then the compiler must say so.
"""
import copy
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
from torch.nn import functional as F

import nets

STEPS, TOLERANCE = 10, 1e-4
HOWS, OPTIONS = ("legacy", "noopt", "dynamo"), ("batch", "drop", "external", "double")
CASES = [f"{net}.{how}" for net in nets.NETS for how in HOWS]
CASES += [f"{net}.{how}.{option}" for net in ("resnet18", "bert_mini", "gpt_mini", "llama", "unet")
          for how in HOWS[:2] for option in OPTIONS[:3]]
CASES += [f"{net}.{how}.batch" for net in ("vit_tiny", "moe_scatter", "moe_onehot", "moe_index", "segmenter") for how in HOWS[:2]]


CASES += [f"{net}.legacy.double" for net in ("resnet18", "resnet50", "mobilenetv2")]


def export(net, how, options, path):
    example = tuple(a[:net.batch] for a in net.arrays.values())
    names = {"input_names": list(net.arrays), "output_names": ["logits"]}
    if how == "legacy":
        if "batch" in options:
            names["dynamic_axes"] = {n: {0: "batch"} for n in [*net.arrays, "logits"]}
        torch.onnx.export(net.model, example, path, dynamo=False, opset_version=17, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.TRAINING, **names)
        if "external" in options:
            import onnx
            onnx.save(onnx.load(path), path, save_as_external_data=True, location=os.path.basename(path) + ".data")
        return
    if "batch" in options:
        names["dynamic_shapes"] = tuple({0: "batch"} for _ in net.arrays)
    settings = {"optimize": False, "opset_version": 20} if how == "noopt" else {}
    torch.onnx.export(net.model, example, path, dynamo=True, verbose=False, external_data="external" in options, **settings, **names)


def loss_of(net, out, labels):
    if net.loss == "mse":
        return F.mse_loss(out, labels)
    if labels.dim() + 1 == out.dim() and labels.shape[1:] == out.shape[2:]:
        return F.cross_entropy(out, labels)  # classes on axis 1
    return F.cross_entropy(out.reshape(-1, out.shape[-1]), labels.reshape(-1))


def train(net, dtype):
    def cast(t):
        return t.to(dtype) if t.is_floating_point() else t

    model, losses = copy.deepcopy(net.model).to(dtype), []
    update = (torch.optim.AdamW(model.parameters(), lr=net.rate, weight_decay=0.01) if net.rule == "adamw" else
              torch.optim.SGD(model.parameters(), lr=net.rate, momentum=0.9))
    for step in range(STEPS):
        rows = slice(step % 2 * net.batch, (step % 2 + 1) * net.batch)
        loss = loss_of(net, model(*(cast(a[rows]) for a in net.arrays.values())), cast(net.labels[rows]))
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    return losses


def in_double(net):
    arrays = {n: a.double() if a.is_floating_point() else a for n, a in net.arrays.items()}
    return dataclasses.replace(net, model=net.model.double(), arrays=arrays)


def references(net, name, folder):
    """Losses in f32 and f64, kept beside the models."""
    path = os.path.join(folder, name + ".losses.json")
    if not os.path.exists(path):
        kinds = {"f32": torch.float32, **({"f64": torch.float64} if net.exact else {})}
        losses = {kind: train(net, dtype) for kind, dtype in kinds.items()}
        with open(path, "w") as file:
            json.dump(losses, file)
    with open(path) as file:
        return json.load(file)


def worst(a, b):
    return max(abs(p - q) / abs(q) for p, q in zip(a, b))


def passes(text):
    """-> seconds of the passes, of those above a tenth of a second by name"""
    seconds = {}
    for number, word in re.findall(r"^\s*([0-9.]+) ms +\(?(\w+)\)?$", text, re.M):
        seconds[word] = seconds.get(word, 0) + float(number) / 1e3
    return seconds


def compile_and_run(snug, net, options, base, data):
    words = [snug, "compile", base + ".onnx", "--loss", net.loss, "--optimizer", net.rule, *(["--set", "mu=0.9"] if net.rule == "sgd" else []), "--time-passes", "-o", base]
    words += ["--dim", f"batch={net.batch}"] if "batch" in options else []
    start = time.time()
    made = subprocess.run(words, text=True, capture_output=True)
    took = time.time() - start
    if made.returncode:
        return None, made.stderr, took
    run = subprocess.run([base, "--data", data, "--batch-order", "sequential", "--steps", str(STEPS), "--lr", str(net.rate),
                          "--log", base + ".jsonl", "--quiet"], text=True, capture_output=True)
    if run.returncode:
        return None, run.stderr, took
    with open(base + ".jsonl") as file:
        return [json.loads(line) for line in file], made.stderr, took


def check(snug, folder, case):
    name, how, *options = case.split(".")
    net = nets.build(name, 0.1 if "drop" in options else 0.0)
    base, data = os.path.join(folder, case), os.path.join(folder, name + (".double.npz" if "double" in options else ".npz"))
    if "double" in options:
        net = in_double(net)
    if not os.path.exists(base + ".onnx"):
        export(net, how, options, base + ".onnx")
    net = nets.build(name)  # tracing moves running statistics
    if "double" in options:
        net = in_double(net)
    if not os.path.exists(data):
        np.savez(data, labels=net.labels.numpy(), **{n: a.numpy() for n, a in net.arrays.items()})
    rows, said, took = compile_and_run(snug, net, options, base, data)
    if rows is None:
        print(f"| {case} | refused: {' / '.join(said.strip().splitlines()[:4])[:400]} |", flush=True)
        return False
    losses = [row["loss"] for row in rows if "step" in row and "loss" in row][:STEPS]
    if "drop" in options:
        good = min(losses[2:]) < losses[0] and all(x == x for x in losses)
        told = f"falls {losses[0]:.4f} to {losses[-1]:.4f}"
    else:
        expected = references(nets.build(name), name, folder)
        if "double" in options:
            expected = {"f32": expected["f64"]}
        off = worst(losses, expected["f32"])
        good, told = off <= TOLERANCE, f"{off:.1e} | - | -"
        if "f64" in expected:
            told = f"{off:.1e} | {worst(losses, expected['f64']):.1e} | {worst(expected['f32'], expected['f64']):.1e}"
    parts = passes(said)
    slow = ", ".join(f"{k} {v:.1f}" for k, v in sorted(parts.items(), key=lambda kv: -kv[1])[:3] if v >= 0.1)
    lost = f"warning: {base}.onnx: lacks" in said
    verdict = "good" if good else "another model: says so" if lost else "BAD"
    warned = sum("warning:" in line for line in said.splitlines())
    arena = next((row["arena_bytes"] for row in rows if "arena_bytes" in row), 0)
    print(f"| {case} | {told} | {took:.1f} ({slow}) | {os.path.getsize(base) / 1e3:.0f} | {arena / 1e6:.1f} | "
          f"{verdict}{f' ({warned} warnings)' if warned else ''} |", flush=True)
    return good or lost


def main():
    if sys.argv[1:] == ["list"]:
        print(*CASES)
        return
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(2)
    cases = sys.argv[3:] or CASES
    bad = [case for case in cases if not check(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), case)]
    print(f"{len(cases) - len(bad)} of {len(cases)} good")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
