"""tests/program/denoise.onnx: a Scan of 16 steps that takes noise from a digit,
each of three convolutions, whose state is one channel beside 32."""
import numpy as np
from loops import save, tensor, weights
from onnx import helper, numpy_helper

BATCH, STEPS, STATE, WIDE, SIDE = 32, 16, 1, 32, 8


def main():
    weight = weights(2, lambda shape: np.prod(shape[1:]))
    node = helper.make_node
    body = helper.make_graph(
        [
            node("Mul", ["s", "level"], ["a"], name="scale"),
            node("Conv", ["a", "w0"], ["p1"], name="first", pads=[1, 1, 1, 1]),
            node("Relu", ["p1"], ["q1"], name="bend1"),
            node("Conv", ["q1", "w1"], ["p2"], name="second", pads=[1, 1, 1, 1]),
            node("Relu", ["p2"], ["q2"], name="bend2"),
            node("Conv", ["q2", "w2"], ["u"], name="third", pads=[1, 1, 1, 1]),
            node("Mul", ["u", "part"], ["v"], name="little"),
            node("Sub", ["s", "v"], ["next"], name="skip"),
        ],
        "step",
        [tensor("s", BATCH, STATE, SIDE, SIDE), tensor("level", 1)],
        [tensor("next", BATCH, STATE, SIDE, SIDE)],
    )
    graph = helper.make_graph(
        [
            node("Reshape", ["input", "image"], ["s0"], name="image"),
            node("Scan", ["s0", "levels"], ["last"], name="scan", body=body,
                 num_scan_inputs=1),
            node("Reshape", ["last", "row"], ["flat"], name="flat"),
            node("MatMul", ["flat", "w3"], ["logits"], name="head"),
        ],
        "denoise",
        [tensor("input", BATCH, STATE * SIDE * SIDE)],
        [tensor("logits", BATCH, 10)],
        [
            weight("w0", WIDE, STATE, 3, 3), weight("w1", WIDE, WIDE, 3, 3),
            weight("w2", STATE, WIDE, 3, 3), weight("w3", STATE * SIDE * SIDE, 10),
            numpy_helper.from_array(
                np.linspace(1, 0.5, STEPS, dtype=np.float32)[:, None], "levels"),
            numpy_helper.from_array(np.float32(1 / STEPS), "part"),
            numpy_helper.from_array(
                np.array([BATCH, STATE, SIDE, SIDE], np.int64), "image"),
            numpy_helper.from_array(
                np.array([BATCH, STATE * SIDE * SIDE], np.int64), "row"),
        ],
    )
    save(graph)


main()
