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


base.suite = suite
base.tensor = tensor
base.older = lambda: ()
if __name__ == "__main__":
    base.main(sys.argv[1])
