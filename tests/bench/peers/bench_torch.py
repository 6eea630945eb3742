"""PyTorch's training step, served as serve.py says.

    python bench_torch.py MODEL FOLDER MODE [--threads N] [--once]
    MODE: eager, ckpt (blocks computed again), compile (torch.compile; needs g++), last (eager, channels last)
"""
import argparse
import os
import sys

import torch

from serve import memory, serve

IDLE = memory("VmRSS")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import subjects  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("mode", choices=("eager", "ckpt", "compile", "last"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    s = subjects.subject(options.model)
    inputs = tuple(s.inputs.values())
    if options.mode == "last":
        s.model = s.model.to(memory_format=torch.channels_last)
        inputs = tuple(x.contiguous(memory_format=torch.channels_last) for x in inputs)
    if options.mode == "ckpt" and not subjects.add_checkpoints(s.model):
        sys.exit("no blocks to checkpoint")
    update = subjects.optimizer(s)

    def forward(*batch):
        return subjects.loss_of(s.model(*batch[:-1]), batch[-1])

    if options.mode == "compile":
        forward = torch.compile(forward)

    def step():
        forward(*inputs, s.labels).backward()
        update.step()
        update.zero_grad(set_to_none=True)

    serve(step, IDLE, options.once)


if __name__ == "__main__":
    main()
