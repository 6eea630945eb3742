"""Times PyTorch's training step: eager or torch.compile, AdamW (fused), batches of 64 in file order.

    python bench_torch.py MODEL eager|compile [--steps N] [--warm N] [--threads N]      needs torch, and g++ for compile

Prints one JSON line {"peer", "model", "step_seconds": [...], "peak_rss_bytes"}.
"""
import argparse
import json
import os
import resource
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reference"))
from models import batches, build, optimizer  # noqa: E402

ADAMW = dict(lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.01)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=("mlp", "lenet"))
    parser.add_argument("mode", choices=("eager", "compile"))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = build(options.model)
    update = optimizer(model.parameters(), "adamw", ADAMW, fused=True)

    def forward(x, y):
        return F.cross_entropy(model(x), y)

    if options.mode == "compile":
        forward = torch.compile(forward)
    seconds = []
    for x, y in batches(options.model, options.warm + options.steps):
        start = time.perf_counter()
        loss = forward(x, y)
        loss.backward()
        update.step()
        update.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    print(json.dumps(dict(peer="torch " + options.mode, model=options.model, step_seconds=seconds[options.warm:],
                          peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))


if __name__ == "__main__":
    main()
