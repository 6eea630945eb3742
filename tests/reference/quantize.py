#!/usr/bin/env python3
"""Writes cases.bin: pairs of QuantizeLinear and DequantizeLinear, their results
and, as a second output, the gradient of the sum of cos(1 + i) * y[i], by
PyTorch's fake quantization. The form is that of operators.py.
usage: quantize.py FOLDER   (needs onnx, numpy and torch)"""
import sys

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

import operators as base


def pair(x, scale, zero, **attributes):
    nodes = [helper.make_node("Constant", [], [name],
                              value=numpy_helper.from_array(array))
             for name, array in (("s", scale), ("z", zero))]
    nodes += [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"],
                               **attributes),
              helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"],
                               **attributes)]
    graph = helper.make_graph(
        nodes, "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape)])
    return helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 21)])


def expected(x, scale, zero, axis):
    """Scale and zero point of one number, or along an axis."""
    t = torch.tensor(x, requires_grad=True)
    low, high = np.iinfo(zero.dtype).min, np.iinfo(zero.dtype).max
    if scale.ndim:
        y = torch.fake_quantize_per_channel_affine(
            t, torch.tensor(scale), torch.tensor(zero.astype(np.int32)), axis,
            low, high)
    else:
        y = torch.fake_quantize_per_tensor_affine(
            t, float(scale), int(zero), low, high)
    weight = torch.cos(1 + torch.arange(x.size, dtype=torch.float64))
    (y.reshape(-1).double() * weight).sum().backward()
    return y.detach().numpy(), t.grad.numpy()


def cases():
    rng = np.random.default_rng(9)
    x = (3 * rng.normal(size=(3, 4, 2))).astype(np.float32)
    two = np.array([.02, .05], np.float32)
    for name, scale, zero, axis in (
            ("int8", np.array(.03, np.float32), np.array(3, np.int8), 1),
            ("uint8", np.array(.02, np.float32), np.array(100, np.uint8), 1),
            ("int8_last", two, np.array([-5, 7], np.int8), 2),
            ("uint8_axis", np.array([.01, .02, .03, .04], np.float32),
             np.array([0, 255, 128, 40], np.uint8), 1)):
        attributes = {"axis": axis} if scale.ndim else {}
        yield (name, pair(x, scale, zero, **attributes), x) + expected(
            x, scale, zero, axis)
    # Blocks of two along axis 1: each number twice along the axis.
    scale = np.array([.01, .03], np.float32)
    zero = np.array([10, 30], np.uint8)
    block = [np.broadcast_to(v.reshape(1, 2, 1), (3, 2, 2)).copy()
             for v in (scale, zero)]
    yield ("uint8_block", pair(x, *block, axis=1, block_size=2), x) + expected(
        x, np.repeat(scale, 2), np.repeat(zero, 2), 1)


def main(folder):
    with open(folder + "/cases.bin", "wb") as out:
        for name, model, x, y, gradient in cases():
            data = model.SerializeToString()
            out.write(("case %s QuantizeLinear %d 1 2\n" % (
                name, len(data))).encode() + data)
            for array in x, y, gradient:
                base.tensor(out, array)


if __name__ == "__main__":
    main(sys.argv[1])
