"""ONNX Runtime Training's step on its on-device training artifacts, served as serve.py says.

    python bench_ort.py MODEL FOLDER [--threads N] [--once]     needs onnxruntime-training 1.19, onnx 1.16, numpy < 2

FOLDER has MODEL.onnx, MODEL.npz, MODEL.json; the artifacts are written into FOLDER/MODEL.ort once. Its SGD has no momentum.
"""
import argparse
import json
import os
import subprocess
import sys
import types

# The package imports torch for another half of itself; the part used here does not need it.
for part in ("optim", "amp", "ortmodule"):
    sys.modules["onnxruntime.training." + part] = types.ModuleType(part)
sys.modules["onnxruntime.training.ortmodule"].ORTModule = None

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from onnxruntime.training.api import CheckpointState, Module, Optimizer  # noqa: E402

from serve import memory, serve  # noqa: E402

IDLE = memory("VmRSS")


def with_statistics(proto):
    """Its gradient builder wants the optional results of norms and of dropout."""
    for i, node in enumerate(proto.graph.node):
        wanted = {"LayerNormalization": 3, "Dropout": 2}.get(node.op_type, 0)
        node.output.extend(f"statistic.{i}.{k}" for k in range(len(node.output), wanted))
    return proto


def with_rows(proto, classes):
    """Its cross-entropy takes logits of rank 2."""
    from onnx import TensorProto, helper
    proto.graph.initializer.append(helper.make_tensor("rows", TensorProto.INT64, [2], [-1, classes]))
    proto.graph.node.append(helper.make_node("Reshape", ["logits", "rows"], ["flat"]))
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, [None, classes]))
    return proto


def write_artifacts(base, rule):
    import onnx
    from onnx import TensorProto
    from onnxruntime.training import artifacts
    proto = with_statistics(onnx.load(base + ".onnx"))
    shape = [d.dim_value for d in proto.graph.output[0].type.tensor_type.shape.dim]
    if len(shape) != 2:
        proto = with_rows(proto, shape[-1])
    frozen = ("running_mean", "running_var", "rows")
    trained = [i.name for i in proto.graph.initializer if i.data_type == TensorProto.FLOAT and not i.name.endswith(frozen)]
    os.makedirs(base + ".ort", exist_ok=True)
    artifacts.generate_artifacts(proto, requires_grad=trained, loss=artifacts.LossType.CrossEntropyLoss,
                                 optimizer=artifacts.OptimType.AdamW if rule == "adamw" else artifacts.OptimType.SGD,
                                 artifact_directory=base + ".ort")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--artifacts", action="store_true", help="only write them")
    options = parser.parse_args()
    base = os.path.join(options.folder, options.model)
    with open(base + ".json") as file:
        facts = json.load(file)
    if options.artifacts:
        return write_artifacts(base, facts["rule"])
    if not os.path.exists(base + ".ort/optimizer_model.onnx"):  # in a process of its own: its memory is not training's
        subprocess.run([sys.executable, __file__, options.model, options.folder, "--artifacts"], check=True,
                       stdout=subprocess.DEVNULL)
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads, session.log_severity_level = options.threads, 3
    state = CheckpointState.load_checkpoint(base + ".ort/checkpoint")
    module = Module(base + ".ort/training_model.onnx", state, None, device="cpu", session_options=session)
    update = Optimizer(base + ".ort/optimizer_model.onnx", module)
    update.set_learning_rate(facts["lr"])
    module.train()
    with np.load(base + ".npz") as data:
        inputs, labels = [data[n] for n in data.files if n != "labels"], data["labels"].reshape(-1)

    def step():
        module(*inputs, labels)
        update.step()
        module.lazy_reset_grad()

    serve(step, IDLE, options.once)


if __name__ == "__main__":
    main()
