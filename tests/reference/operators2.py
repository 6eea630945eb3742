#!/usr/bin/env python3
"""Writes the cases of tests/operators2 in the form of operators.py: windows,
resampling, recurrent operators and the largest elements. The results of forms
that the suite leaves out are ONNX Runtime's.
usage: operators2.py FOLDER   (needs onnx, onnxruntime and numpy)"""
import sys

import numpy as np
import onnx
import onnxruntime

import operators as base

base.OPERATORS = """AveragePool Conv ConvTranspose GRU
GlobalAveragePool LSTM LpPool MaxPool RNN Resize TopK Upsample""".split()
base.CONSTANT = {"Resize": [1, 2, 3], "Upsample": [1], "TopK": [1]}
base.LARGEST = 30000


def older():
    """Forms that the suite leaves out."""
    rng = np.random.default_rng(11)

    def f(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def scales(*x):
        return np.array(x, np.float32)

    def i(*values):
        return np.array(values, np.int64)

    one = base.one
    yield "conv_1d", one("Conv", 11, [f(2, 4, 9), f(6, 2, 3), f(6)], group=2,
                         strides=[2], pads=[1, 2], dilations=[2])
    yield "conv_3d", one("Conv", 11, [f(2, 4, 5, 4, 6), f(2, 2, 3, 2, 3),
                                      f(2)], group=2, strides=[2, 1, 2],
                         pads=[1, 0, 1, 2, 1, 0])
    yield "max_pool_1d", one("MaxPool", 11, [f(2, 3, 11)], kernel_shape=[3],
                             strides=[2], pads=[1, 1], ceil_mode=1)
    yield "max_pool_3d", one("MaxPool", 12, [f(1, 2, 5, 4, 6)],
                             kernel_shape=[2, 3, 2], strides=[2, 1, 2],
                             pads=[1, 1, 0, 0, 1, 1])
    yield "average_pool_3d", one("AveragePool", 19, [f(1, 2, 5, 4, 6)],
                                 kernel_shape=[2, 3, 2], strides=[2, 1, 2],
                                 pads=[1, 1, 0, 0, 1, 1])
    yield "global_average_pool_1d", one("GlobalAveragePool", 7, [f(2, 3, 7)])
    yield "conv_transpose_1d", one("ConvTranspose", 11,
                                   [f(2, 4, 5), f(4, 3, 3), f(6)], group=2,
                                   strides=[2], pads=[1, 0],
                                   output_padding=[1])
    yield "conv_transpose_2d", one("ConvTranspose", 11,
                                [f(2, 4, 3, 5), f(4, 3, 3, 2), f(6)], group=2,
                                strides=[2, 3], pads=[1, 0, 0, 1],
                                dilations=[2, 1])
    yield "resize_linear", one("Resize", 13,
                               [f(2, 2, 3, 5), None, None, i(2, 2, 7, 4)],
                               mode="linear")
    yield "resize_nearest_2", one("Resize", 13,
                                  [f(2, 2, 3, 5), None, scales(1, 1, 2, 3)],
                                  mode="nearest", nearest_mode="floor",
                                  coordinate_transformation_mode="asymmetric")
    yield "resize_half_10", one("Resize", 10,
                                [f(1, 2, 4, 6), scales(1, 1, .5, 2)],
                                mode="nearest")
    yield "resize_cubic_17", one("Resize", 13, [f(1, 2, 3, 6), None,
                                                scales(1, 1, 1.7, 2.1)],
                                 mode="cubic")
    # Forward and backward, with all that can be given.
    d, t, n, x, h = 2, 3, 2, 3, 4
    for op, gates in ("RNN", 1), ("GRU", 3), ("LSTM", 4):
        weights = [f(d, gates * h, x), f(d, gates * h, h),
                   f(d, 2 * gates * h)]
        state = [f(d, n, h)] * (2 if op == "LSTM" else 1)
        outputs = 3 if op == "LSTM" else 2
        yield op.lower() + "_both", one(
            op, 14, [f(t, n, x)] + weights + [None] + state, outputs,
            direction="bidirectional", hidden_size=h)
    yield "gru_linear_before_reset", one(
        "GRU", 14, [f(t, n, x), f(1, 3 * h, x), f(1, 3 * h, h),
                    f(1, 6 * h)], 2, hidden_size=h, linear_before_reset=1)
    yield "rnn_relu", one(
        "RNN", 14, [f(t, n, x), f(1, h, x), f(1, h, h)], 2, hidden_size=h,
        activations=["Relu"])
    yield "top_1", one("TopK", 11, [f(3, 5, 2), i(1)], 2, axis=1)


def run(model, inputs):
    untyped = onnx.ModelProto.FromString(model.SerializeToString())
    for value in untyped.graph.output:
        value.ClearField("type")
    session = onnxruntime.InferenceSession(untyped.SerializeToString())
    return session.run(None, dict(
        zip([v.name for v in session.get_inputs()], inputs)))


def suite(known=base.suite):
    for case in known():
        # Its expected numbers are written with four digits.
        if "ceil_last_window_starts_on_pad" not in case[0]:
            yield case


base.suite = suite
base.older = older
base.run = run
if __name__ == "__main__":
    base.main(sys.argv[1])
