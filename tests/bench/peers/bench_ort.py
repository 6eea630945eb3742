"""Times ONNX Runtime Training's step (its on-device training artifacts), AdamW, batches of 64 in file order.

    python bench_ort.py MODEL [--steps N] [--warm N] [--threads N]
    needs onnxruntime-training 1.19, onnx 1.16, numpy < 2 (an environment of its own)

Prints one JSON line {"peer", "model", "step_seconds": [...], "peak_rss_bytes"}.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import types

# The package imports torch for another half of itself; the part used here does not need it.
for part in ("optim", "amp", "ortmodule"):
    sys.modules["onnxruntime.training." + part] = types.ModuleType(part)
sys.modules["onnxruntime.training.ortmodule"].ORTModule = None

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "examples", "digits")
BATCH = 64


def write_artifacts(model, folder):
    import onnx
    from onnxruntime.training import artifacts
    proto = onnx.load(os.path.join(DIGITS, f"{model}.legacy.onnx"))
    artifacts.generate_artifacts(proto, requires_grad=[i.name for i in proto.graph.initializer],
                                 loss=artifacts.LossType.CrossEntropyLoss, optimizer=artifacts.OptimType.AdamW,
                                 artifact_directory=folder)


def train(model, folder, steps, threads):
    """-> seconds of every step."""
    from onnxruntime.training.api import CheckpointState, Module, Optimizer
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads, session.log_severity_level = threads, 3
    state = CheckpointState.load_checkpoint(os.path.join(folder, "checkpoint"))
    module = Module(os.path.join(folder, "training_model.onnx"), state, None, device="cpu", session_options=session)
    update = Optimizer(os.path.join(folder, "optimizer_model.onnx"), module)
    update.set_learning_rate(1e-3)
    module.train()
    with np.load(os.path.join(DIGITS, ("digits28" if model == "lenet" else "digits") + "-train.npz")) as data:
        inputs, labels = data["input"], data["labels"]
    seconds = []
    for i in range(steps):
        first = i % (len(labels) // BATCH) * BATCH
        rows = slice(first, first + BATCH)
        start = time.perf_counter()
        float(np.asarray(module(inputs[rows], labels[rows])))
        update.step()
        module.lazy_reset_grad()
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=("mlp", "lenet"))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--artifacts", help="only write the training artifacts into this folder")
    options = parser.parse_args()
    if options.artifacts:
        return write_artifacts(options.model, options.artifacts)
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, so that the peak of memory is the peak of training.
        subprocess.run([sys.executable, __file__, options.model, "--artifacts", folder],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = train(options.model, folder, options.warm + options.steps, options.threads)
    print(json.dumps(dict(peer="onnxruntime training", model=options.model, step_seconds=seconds[options.warm:],
                          peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))


if __name__ == "__main__":
    main()
