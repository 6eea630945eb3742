"""Writes losses.json and the logits: what PyTorch and ONNX Runtime compute from the exported weights.

    python losses.py      needs torch, onnxruntime

losses.json: `runs` holds the loss of each of 100 steps (before its update), f32, one thread, batches in file order;
`drift` is how far rounding alone can carry a run: the largest relative distance of any loss from the same run in f64 or from
twelve f32 runs whose starting weights were changed by about half a unit in the last place. One flipped comparison in a ReLU or a
pooling window can grow to 1e-2 within 100 steps (lenet: sgd at 0.02, adamw at 1e-3): rates and starts are those that stay below 1e-4.
`schedules` holds the learning rate of each of 60 steps. With k = 0, 1, ... steps done, W warm-up steps, T steps:
    k < W                       lr * (k + 1) / W
    linear, q = (k-W) / (T-W)   lr * (1 - q)
    cosine                      lr * (1 + cos(pi * q)) / 2
NAME.logits.npy is the output for the first 64 test images by PyTorch, NAME.logits.ort.npy by ONNX Runtime.
"""
import json
import math
import os

import numpy as np
import onnxruntime
import torch

from models import BATCH, DIGITS, HERE, accuracy, build, load, train

STEPS = 100
ADAMW = dict(lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.01)


def sgd(lr, nesterov):
    return dict(lr=lr, mu=0.9, wd=0, nesterov=nesterov)


RUNS = [("mlp", "sgd", sgd(0.1, 0)), ("mlp", "sgd", sgd(0.1, 1)), ("mlp", "adamw", ADAMW),
        ("lenet", "sgd", sgd(0.01, 0)), ("lenet", "sgd", sgd(0.01, 1)), ("lenet", "adamw", ADAMW | dict(lr=3e-4))]


def run(name, rule, settings):
    model, losses = train(name, rule, settings, STEPS)
    others = [train(name, rule, settings, STEPS, torch.float64)[1]]
    others += [train(name, rule, settings, STEPS, nudge=seed)[1] for seed in range(1, 13)]
    drift = max(abs(a - b) / abs(b) for other in others for a, b in zip(losses, other))
    print(f"{name} {rule} {settings}: loss {losses[0]:.6f} -> {losses[-1]:.6f}, drift {drift:.1e}, "
          f"test accuracy {accuracy(model, name):.4f}")
    return dict(model=name, rule=rule, set=settings, drift=float(f"{drift:.1e}"),
                losses=[float(f"{loss:.9g}") for loss in losses])


def rate(kind, lr, warmup, steps, k):
    if k < warmup:
        return lr * (k + 1) / warmup
    q = (k - warmup) / (steps - warmup)
    return lr * {"constant": 1, "linear": 1 - q, "cosine": (1 + math.cos(math.pi * q)) / 2}[kind]


def schedule(kind, warmup, lr=0.1, steps=60):
    return dict(kind=kind, lr=lr, warmup=warmup, steps=steps,
                values=[rate(kind, lr, warmup, steps, k) for k in range(steps)])


def logits(name):
    x = load(name, "test")[0][:BATCH]
    with torch.no_grad():
        own = build(name)(x).numpy()
    np.save(os.path.join(HERE, f"{name}.logits.npy"), own)
    for kind in ("legacy", "dynamo"):
        session = onnxruntime.InferenceSession(os.path.join(DIGITS, f"{name}.{kind}.onnx"),
                                               providers=["CPUExecutionProvider"])
        other = session.run(None, {"input": x.numpy()})[0]
        print(f"{name} {kind}: ONNX Runtime is {np.abs(own - other).max():.1e} from PyTorch")
    np.save(os.path.join(HERE, f"{name}.logits.ort.npy"), other)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in ("mlp", "lenet"):
        logits(name)
    result = dict(batch=BATCH, steps=STEPS, runs=[run(*r) for r in RUNS],
                  schedules=[schedule(kind, warmup) for kind in ("constant", "linear", "cosine") for warmup in (0, 10)])
    text = json.dumps(result, indent=1).replace("\n    ", " ").replace("\n   }", " }").replace("\n   ]", " ]")
    with open(os.path.join(HERE, "losses.json"), "w") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
