"""PyTorch's training step, served as serve.py says.

    python bench_torch.py MODEL FOLDER MODE [--threads N] [--once] [--bytes]
    MODE: eager, ckpt (blocks computed again), compile (torch.compile; needs g++), budget=SHARE (torch.compile with that share of its
    activation memory budget), last (eager, channels last)
    --bytes tells "tensor_bytes", what PyTorch's allocator holds at the worst moment of a step, and "kept_bytes", the weights, buffers
    and optimizer state of it.
"""
import argparse
import os
import sys

import torch

from serve import memory, serve

IDLE = memory("VmRSS")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import subjects  # noqa: E402


def tensor_bytes(step, s, update):
    """The allocations of a warm step, added up in order."""
    from torch.profiler import ProfilerActivity, profile
    for _ in range(2):
        step()
    state = [x for per in update.state.values() for x in per.values() if torch.is_tensor(x)]
    kept = sum(x.untyped_storage().nbytes() for x in [*s.model.parameters(), *s.model.buffers(), *state])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    events = sorted((e.start_ns(), e.nbytes()) for e in profiled.profiler.kineto_results.events() if e.name() == "[memory]")
    alive = worst = 0
    for _, count in events:
        alive += count
        worst = max(worst, alive)
    return dict(tensor_bytes=kept + worst, kept_bytes=kept)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("mode")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--bytes", action="store_true")
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

    if options.mode.startswith("budget="):
        from torch._functorch import config
        config.activation_memory_budget = float(options.mode[7:])
    if options.mode == "compile" or options.mode.startswith("budget="):
        forward = torch.compile(forward)

    def step():
        forward(*inputs, s.labels).backward()
        update.step()
        update.zero_grad(set_to_none=True)

    told = tensor_bytes(step, s, update) if options.bytes else {}
    serve(step, IDLE, options.once, **told)


if __name__ == "__main__":
    main()
