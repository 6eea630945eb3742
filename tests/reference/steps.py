"""tests/program/steps.onnx: a Scan of 16 steps over the rows of a digit, each
step a residual net of its own, for the methods that treat loops."""
import numpy as np
from loops import save, tensor, weights
from onnx import helper, numpy_helper

BATCH, STEPS, STATE, WIDE = 32, 16, 8, 64


def main():
    weight = weights(1)
    node = helper.make_node
    body = helper.make_graph(
        [
            node("MatMul", ["row", "w0"], ["r"], name="read"),
            node("Add", ["s", "r"], ["a"], name="meet"),
            node("MatMul", ["a", "w1"], ["p1"], name="widen"),
            node("Tanh", ["p1"], ["q1"], name="bend1"),
            node("MatMul", ["q1", "w2"], ["p2"], name="mix"),
            node("Tanh", ["p2"], ["q2"], name="bend2"),
            node("MatMul", ["q2", "w3"], ["u"], name="narrow"),
            node("Tanh", ["u"], ["v"], name="bend3"),
            node("Add", ["s", "v"], ["next"], name="skip"),
        ],
        "step",
        [tensor("s", BATCH, STATE), tensor("row", BATCH, 4)],
        [tensor("next", BATCH, STATE)],
    )
    graph = helper.make_graph(
        [
            node("Reshape", ["input", "shape"], ["rows"], name="rows"),
            node("Scan", ["s0", "rows"], ["last"], name="scan", body=body,
                 num_scan_inputs=1, scan_input_axes=[1]),
            node("MatMul", ["last", "w4"], ["logits"], name="head"),
        ],
        "steps",
        [tensor("input", BATCH, 64)],
        [tensor("logits", BATCH, 10)],
        [
            weight("w0", 4, STATE), weight("w1", STATE, WIDE),
            weight("w2", WIDE, WIDE), weight("w3", WIDE, STATE),
            weight("w4", STATE, 10),
            numpy_helper.from_array(np.zeros((BATCH, STATE), np.float32), "s0"),
            numpy_helper.from_array(
                np.array([BATCH, STEPS, 4], np.int64), "shape"),
        ],
    )
    save(graph)


main()
