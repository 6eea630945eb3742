#!/usr/bin/env python3
"""Writes the cases of tests/operators_types in the form of operators.py: every
operator of the node suite on the element types that the other two leave out,
casts, and quantization. Elements of less than a byte are written as a byte.
usage: operators_types.py FOLDER   (needs onnx, ml_dtypes and numpy)"""
import os
import re
import sys

import ml_dtypes
import numpy as np
from onnx import TensorProto, numpy_helper

import operators as base

FOLDER = os.path.dirname(os.path.abspath(__file__))
with open(FOLDER + "/../../frontend/onnx/onnx.def") as table:
    base.OPERATORS = re.findall(r"^ONNX\((\w+),", table.read(), re.M)
base.OPERATORS.remove("TopK")  # of integers: its own cases
WHOLE = """Cast CastLike QuantizeLinear DequantizeLinear DynamicQuantizeLinear
QLinearMatMul QLinearConv MatMulInteger ConvInteger""".split()
COMMON = set(base.TYPES)
base.TYPES.update({np.dtype(t): name for t, name in (
    (np.float16, "f16"), (ml_dtypes.bfloat16, "bf16"),
    (ml_dtypes.float8_e4m3fn, "f8e4m3"),
    (ml_dtypes.float8_e4m3fnuz, "f8e4m3fnuz"),
    (ml_dtypes.float8_e5m2, "f8e5m2"),
    (ml_dtypes.float8_e5m2fnuz, "f8e5m2fnuz"),
    (ml_dtypes.float8_e8m0fnu, "f8e8m0"), (ml_dtypes.float4_e2m1fn, "f4"),
    (np.int16, "i16"), (np.uint16, "u16"), (np.uint32, "u32"),
    (np.uint64, "u64"), (ml_dtypes.int4, "i4"), (ml_dtypes.uint4, "u4"),
    (ml_dtypes.int2, "i2"), (ml_dtypes.uint2, "u2"))})
BYTES = {"i4": np.int8, "i2": np.int8, "u4": np.uint8, "u2": np.uint8}
base.CONSTANT = {
    "CenterCropPad": [1], "CumSum": [1], "CumProd": [1],
    "ConstantOfShape": [0], "Expand": [1], "OneHot": [1],
    "Range": [0, 1, 2], "Split": [1], "Tile": [1], "Trilu": [1], "Pad": [1, 2, 3],
    "Resize": [1, 2, 3], "Upsample": [1], "TopK": [1], "Reshape": [1],
    "Slice": [1, 2, 3, 4], "Squeeze": [1], "Unsqueeze": [1]}
base.LARGEST = 30000


def plain(array):
    if isinstance(array, TensorProto):
        return numpy_helper.to_array(array)
    return np.asarray(array)


def suite(known=base.suite):
    for case in known():
        if any(isinstance(a, list) for a in list(case[3]) + list(case[4])):
            continue  # a sequence
        case = case[:3] + ([plain(a) for a in case[3]],
                           [plain(a) for a in case[4]])
        arrays = case[3] + case[4]
        if case[1] in WHOLE or any(a.dtype not in COMMON for a in arrays):
            yield case


def tensor(out, array, write=base.tensor):
    name = base.TYPES[array.dtype]
    array = np.asarray(array)
    if name in BYTES:
        plain = array.astype(BYTES[name])
        sizes = " ".join(str(n) for n in (plain.ndim,) + plain.shape)
        out.write(("%s %s\n" % (name, sizes)).encode() + plain.tobytes())
    else:
        write(out, array)


FLOATS = np.float16, ml_dtypes.bfloat16
WHOLES = np.int16, np.uint16, np.uint32, np.uint64, np.int8, np.uint8


def floating(f, i, one):
    """Operators that compute, move or compare; operands near 1."""
    for op in """Abs Acos Ceil Cos Elu Erf Exp Floor Gelu GlobalAveragePool
            HardSigmoid Identity LeakyRelu Log LogSoftmax Neg Reciprocal Relu
            Round Selu Sigmoid Sign Softmax Softplus Sqrt Tanh""".split():
        opset = 20 if op == "Gelu" else 11 if "max" in op else 13
        yield op.lower(), one(op, opset, [f(2, 3, 4, 2)])
    for op in "Max Min Mean Sum Mul Sub Pow".split():
        yield op.lower(), one(op, 13, [f(3, 4), f(4)])
    for op in "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split():
        yield "reduce_" + op.lower(), one("Reduce" + op, 13, [f(3, 4, 5)] + (
            [i(1)] if op == "Sum" else []), keepdims=0,
            **({} if op == "Sum" else {"axes": [1]}))
    yield "matmul", one("MatMul", 13, [f(3, 40), f(40, 5)])
    yield "gemm", one("Gemm", 13, [f(40, 3), f(40, 5), f(5)], transA=1)
    yield "conv", one("Conv", 11, [f(1, 3, 6, 5), f(4, 3, 3, 3), f(4)])
    yield "max_pool", one("MaxPool", 12, [f(1, 2, 6, 5)], kernel_shape=[2, 2])
    yield "average_pool", one("AveragePool", 11, [f(1, 2, 6, 5)],
                              kernel_shape=[2, 2])
    yield "layer_norm", one("LayerNormalization", 17,
                            [f(3, 8) ** 3, f(8), f(8)])
    yield "clip", one("Clip", 13, [f(3, 4), f()[()] * 1, None])
    yield "where", one("Where", 16, [f(3, 4) > f(3, 4), f(3, 4), f(4)])
    yield "einsum", one("Einsum", 12, [f(3, 4), f(4, 5)], equation="ij,jk->ki")
    yield "cumsum", one("CumSum", 14, [f(7), np.array(0)])


def moving(x, i, one):
    """Operators that leave elements as they are."""
    yield "concat", one("Concat", 13, [x, x], axis=1)
    yield "transpose", one("Transpose", 13, [x], perm=[1, 0])
    yield "gather", one("Gather", 13, [x, i(2, 0)], axis=1)
    yield "slice", one("Slice", 13, [x, i(1), i(9), i(1), i(2)])
    yield "pad", one("Pad", 13, [x, i(1, 0, 0, 2), x[0, 0] * 1])
    yield "tile", one("Tile", 13, [x, i(2, 1)])
    yield "split", one("Split", 13, [x, i(1, 3)], 2, axis=1)
    yield "expand", one("Expand", 13, [x[:1], i(2, 3, 4)])
    yield "reshape", one("Reshape", 14, [x, i(-1, 2)])


def counting(x, i, one):
    """Integers, which wrap."""
    one_like = np.ones((), x.dtype)
    for op in "Add Sub Mul Div Max Min Mod".split():
        yield op.lower(), one(op, 14, [x, x[::-1] | 1])
    for op in "Max Min Sum".split():
        yield "reduce_" + op.lower(), one("Reduce" + op, 13, [x] + (
            [i(0)] if op == "Sum" else []),
            **({} if op == "Sum" else {"axes": [0]}))
    yield "clip", one("Clip", 13, [x, one_like * 3, one_like * 100])
    yield "where", one("Where", 16, [x > x[::-1], x, x[::-1]])
    yield "less", one("Less", 13, [x, x[::-1]])
    yield "sign", one("Sign", 13, [x])
    yield "to_f32", one("Cast", 13, [x], to=1)


def own():
    rng = np.random.default_rng(5)

    def i(*values):
        return np.array(values, np.int64)

    for kind in FLOATS:
        def f(*shape):
            return (rng.uniform(.25, .95, size=shape)).astype(kind)

        name = base.TYPES[np.dtype(kind)]
        for cases in floating(f, i, base.one), moving(f(3, 4), i, base.one):
            for case, model in cases:
                yield "%s_%s" % (case, name), model
    for kind in WHOLES:
        x = rng.integers(0, 2**63, (3, 4), dtype=np.uint64).astype(kind)
        name = base.TYPES[np.dtype(kind)]
        for cases in counting(x, i, base.one), moving(x, i, base.one):
            for case, model in cases:
                yield "%s_%s" % (case, name), model


def run(model, inputs, known=base.run):
    """Narrow floats in f64, rounded at the end."""
    narrow = [a.dtype for a in inputs if a.dtype in
              (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))]
    if not narrow:
        return known(model, inputs)
    model = type(model).FromString(model.SerializeToString())
    numbers = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    for value in model.graph.input:
        if value.type.tensor_type.elem_type in numbers:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    wide = [a.astype(np.float64) if a.dtype in narrow else a for a in inputs]
    return [a.astype(narrow[0]) if a.dtype.kind == "f" else a for a in
            known(model, wide)]


base.suite = suite
base.tensor = tensor
base.older = own
base.run = run
if __name__ == "__main__":
    base.main(sys.argv[1])
