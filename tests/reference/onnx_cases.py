"""Writes tests/onnx/OPERATOR.cases: models of one operator, their inputs, and the outputs of ONNX Runtime.

    python onnx_cases.py             needs numpy, onnx, onnxruntime

A file is a sequence of records: kind (n name, m model, i input, o output), length as 4 bytes little-endian, bytes. The
cases of this table come first, then those of the onnx package's node tests that are small and of a form that is read.
Operands that must be known at import (shapes, axes, bounds) are initializers, all others are inputs.
"""
import os
import struct
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.path.join(ROOT, "tests", "onnx")
NODE_BYTES, NODE_CASES = 6000, 8  # of a node test with its data; of an operator
OPSET_LEAST = 7
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}  # its output has four digits
RNG = np.random.default_rng(1)


def x(*shape, low=-2.0, high=2.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def flags(*shape):
    return RNG.integers(0, 2, shape).astype(bool)


class Fixed:
    """An operand that is an initializer."""

    def __init__(self, value):
        self.value = value


F = Fixed
CASES = []


def case(op, opset, operands, **attributes):
    outputs = attributes.pop("outputs", 1)
    CASES.append((op, opset, operands, attributes, outputs))


def elementwise():
    for op in "Abs Neg Exp Sigmoid Tanh Relu Erf Sin Cos Softplus Sign Floor Ceil Round Identity".split():
        case(op, 17, [x(3, 4, 5)])
        case(op, 13, [x(7)])
        if op != "Round":
            case(op, 9, [x(2, 3)])
    case("Round", 17, [np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.4999, 2.6], np.float32)])
    for op in "Sqrt Log Reciprocal".split():
        case(op, 17, [x(3, 4, low=0.1)])
        case(op, 8, [x(5, low=0.1)])
    for op in "Add Sub Mul Div".split():
        for left, right in (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 2)), ((2, 1, 4), (3, 1))):
            case(op, 14, [x(*left), x(*right, low=0.5)])
        case(op, 7, [x(2, 3), x(3, low=0.5)])
    for op in "Add Sub Mul Div".split():
        case(op, 14, [ints(7, -7, 9, -9, 0), ints(2, 2, -4, -4, 5)])
        case(op, 14, [np.array([7, -7, 9], np.int32), np.array([2, 3, -4], np.int32)])
    case("Abs", 17, [ints(3, -4, 0)])
    case("Neg", 17, [ints(3, -4, 0)])
    case("Sign", 17, [ints(3, -4, 0)])
    case("Pow", 13, [x(3, 4, low=0.1), x(3, 4)])
    case("Pow", 7, [x(3, low=0.1), np.array(2, np.float32)])
    case("Pow", 15, [x(2, 3), ints(1, 2, 3)])
    case("Pow", 15, [x(2, 3), F(np.array(2, np.float32))])
    case("Pow", 15, [x(2, 3), F(np.array(3, np.int64))])
    for op in "Equal Greater GreaterOrEqual Less LessOrEqual".split():
        case(op, 16, [RNG.integers(0, 3, (3, 4)).astype(np.float32), RNG.integers(0, 3, (3, 4)).astype(np.float32)])
        case(op, 13, [ints(1, 2, 3), ints(2, 2, 2)])
        case(op, 12, [x(2, 3), x(3)])
    for op in "And Or Xor".split():
        case(op, 13, [flags(3, 4), flags(3, 4)])
        case(op, 7, [flags(3, 4), flags(4)])
    case("Not", 13, [flags(3, 4)])
    case("Where", 16, [flags(3, 4), x(3, 4), x(3, 4)])
    case("Where", 9, [flags(3, 1), x(1, 4), x(3, 4)])
    case("Where", 16, [flags(3), ints(1, 2, 3), ints(4, 5, 6)])
    for op in "Max Min Sum".split():
        case(op, 13, [x(3, 4), x(3, 4), x(3, 4)])
        case(op, 13, [x(2, 3)])
        case(op, 8, [x(3, 1), x(4)])
        case(op, 13, [x(2, 1, 3), x(4, 1), x(1)])
    for op in "Max Min".split():
        case(op, 13, [ints(3, 1), ints(2, 5)])
        case(op, 13, [np.array([3, 1], np.int32), np.array([2, 5], np.int32)])


def activations():
    for op, opset, variants in (("LeakyRelu", 16, ({}, {"alpha": 0.2})), ("LeakyRelu", 6, ({"alpha": 0.3},)),
                                ("Elu", 6, ({}, {"alpha": 2.0})), ("HardSigmoid", 6, ({}, {"alpha": 0.5, "beta": 0.6})),
                                ("HardSigmoid", 6, ({"alpha": 0.25, "beta": -0.1},)), ("HardSwish", 14, ({},)),
                                ("Gelu", 20, ({}, {"approximate": "tanh"}))):
        for attributes in variants:
            case(op, max(opset, 7), [x(3, 4, low=-5, high=5)], **attributes)
    for low, high in ((-1, 1), (None, 0.5), (-0.5, None), (None, None), (1, -1)):
        bounds = [None if v is None else F(np.array(v, np.float32)) for v in (low, high)]
        case("Clip", 13, [x(3, 4)] + bounds)
        case("Clip", 11, [x(3, 4)] + bounds)
        case("Clip", 7, [x(3, 4)], **{k: float(v) for k, v in (("min", low), ("max", high)) if v is not None})
    case("Clip", 12, [ints(-5, 0, 5), F(np.array(-1, np.int64)), F(np.array(2, np.int64))])
    for op in "Softmax LogSoftmax".split():
        for opset in (7, 11, 13):
            case(op, opset, [x(2, 3, 4)])
            for axis in (0, 1, 2) + ((-1, -2) if opset > 7 else ()):
                case(op, opset, [x(2, 3, 4)], axis=axis)
        case(op, 13, [x(2, 3) * 100])
    case("Dropout", 7, [x(3, 4)], ratio=0.5)
    case("Dropout", 10, [x(3, 4)])
    case("Dropout", 12, [x(3, 4), F(np.array(0.5, np.float32))])
    case("Dropout", 13, [x(3, 4), F(np.array(0.0, np.float32)), F(np.array(True))])
    case("Dropout", 13, [x(3, 4), F(np.array(0.4, np.float32)), F(np.array(False))])


def products():
    for ta in (0, 1):
        for tb in (0, 1):
            a, b = x(*((4, 3) if ta else (3, 4))), x(*((5, 4) if tb else (4, 5)))
            case("Gemm", 13, [a, b, x(3, 5)], transA=ta, transB=tb)
    for shape in ((5,), (1, 5), (3, 1), (1,), (1, 1), ()):
        case("Gemm", 13, [x(3, 4), x(4, 5), x(*shape)], alpha=0.5, beta=2.0)
    case("Gemm", 13, [x(3, 4), x(4, 5)], alpha=0.25)
    case("Gemm", 11, [x(3, 4), x(4, 5)])
    case("Gemm", 7, [x(3, 4), x(4, 5), x(5)], beta=0.5)
    case("Gemm", 9, [x(3, 4), x(4, 5), x(5)], beta=0.0)
    for left, right in (((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)),
                        ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (2, 2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)),
                        ((2, 1, 3, 4), (1, 3, 4, 5)), ((2, 3, 3, 4), (3, 4, 2)), ((2, 3, 3, 4), (1, 4, 2))):
        case("MatMul", 13, [x(*left), x(*right)])
    case("MatMul", 7, [x(3, 4), x(4, 5)])


def convolutions():
    w = x(4, 3, 3, 3)
    for attributes in ({}, {"pads": [1, 1, 1, 1]}, {"strides": [2, 1]}, {"dilations": [2, 2]}, {"pads": [0, 1, 2, 1], "strides": [2, 2]},
                       {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
                       {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER", "kernel_shape": [3, 3]}, {"auto_pad": "VALID"}):
        case("Conv", 11, [x(2, 3, 6, 7), F(w), F(x(4))], **attributes)
    case("Conv", 7, [x(1, 3, 5, 5), w])
    case("Conv", 11, [x(1, 4, 5, 5), F(x(4, 2, 2, 2)), F(x(4))], group=2)
    case("Conv", 11, [x(1, 4, 5, 5), F(x(8, 1, 3, 3))], group=4, pads=[1, 1, 1, 1])
    case("Conv", 11, [x(1, 2, 4, 4), F(x(3, 2, 2, 2))], auto_pad="SAME_LOWER")
    for op in "MaxPool AveragePool".split():
        for attributes in ({}, {"strides": [2, 2]}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
                           {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"auto_pad": "VALID", "strides": [2, 2]},
                           {"pads": [0, 0, 1, 1], "strides": [2, 2]}):
            case(op, 12, [x(1, 2, 5, 6)], kernel_shape=[3, 2], **attributes)
        case(op, 7, [x(1, 2, 5, 6)], kernel_shape=[2, 2], strides=[2, 2])
    for pads in ([1, 1, 1, 1], [0, 1, 1, 0]):
        case("AveragePool", 11, [x(1, 2, 5, 6)], kernel_shape=[3, 2], pads=pads, count_include_pad=1)
    case("AveragePool", 11, [x(1, 2, 5, 6)], kernel_shape=[3, 3], auto_pad="SAME_UPPER", count_include_pad=1)
    case("AveragePool", 19, [x(1, 2, 6, 6)], kernel_shape=[2, 2], dilations=[2, 2])
    case("MaxPool", 12, [x(1, 2, 6, 6)], kernel_shape=[2, 2], dilations=[2, 2])
    case("MaxPool", 8, [-x(1, 1, 4, 4, low=1)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    case("GlobalAveragePool", 7, [x(2, 3, 4, 5)])


def reductions():
    for op in "ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare".split():
        new = 13 if op == "ReduceSum" else 18
        for keep in (0, 1):
            for axes in ([1], [0, 2], [-1], [2, 1], None):
                attributes = {"keepdims": keep}
                case(op, new, [x(2, 3, 4)] + ([] if axes is None else [F(ints(*axes))]), **attributes)
                if keep or axes == [0, 2]:
                    case(op, new - 1 if new == 13 else 13, [x(2, 3, 4)], keepdims=keep,
                         **({} if axes is None else {"axes": axes}))
        case(op, 7, [x(2, 3)], axes=[1])
        case(op, new, [x(2, 3), F(ints())], noop_with_empty_axes=1)
        case(op, new, [x(2, 3), F(ints())])
        case(op, new, [x(2, 3)], noop_with_empty_axes=1)
    case("ReduceSum", 13, [ints(1, 2, 3)])
    case("ReduceMax", 18, [np.array([[3, -1], [5, 2]], np.int32), F(ints(0))])
    for opset in (17, 20):
        case("LayerNormalization", opset, [x(2, 3, 4), F(x(4)), F(x(4))])
        case("LayerNormalization", opset, [x(2, 3, 4), F(x(3, 4)), F(x(3, 4))], axis=1, epsilon=0.1)
        case("LayerNormalization", opset, [x(2, 3, 4), F(x(4))], axis=-1)


def shapes():
    case("Reshape", 13, [x(2, 3, 4), F(ints(6, 4))])
    case("Reshape", 13, [x(2, 3, 4), F(ints(0, -1))])
    case("Reshape", 5 + 2, [x(2, 3, 4), F(ints(-1))])
    case("Reshape", 14, [x(2, 3, 4), F(ints(4, -1, 2, 1))], allowzero=0)
    case("Reshape", 13, [x(1), F(ints())])
    case("Reshape", 14, [x(2, 3), F(ints(3, 2))], allowzero=1)
    for axis in (0, 1, 2, 3, -1, -3):
        case("Flatten", 13, [x(2, 3, 4)], axis=axis)
    case("Flatten", 9, [x(2, 3, 4)])
    case("Squeeze", 13, [x(1, 3, 1, 4), F(ints(0))])
    case("Squeeze", 13, [x(1, 3, 1, 4), F(ints(-2, 0))])
    case("Squeeze", 13, [x(1, 3, 1, 4)])
    case("Squeeze", 11, [x(1, 3, 1, 4)], axes=[0, 2])
    case("Squeeze", 7, [x(1, 3, 1, 4)])
    case("Unsqueeze", 13, [x(3, 4), F(ints(0, -1))])
    case("Unsqueeze", 13, [x(3, 4), F(ints(2, 0))])
    case("Unsqueeze", 11, [x(3, 4)], axes=[1])
    case("Transpose", 13, [x(2, 3, 4)])
    for perm in ([0, 2, 1], [2, 0, 1], [1, 2, 0]):
        case("Transpose", 13, [x(2, 3, 4)], perm=perm)
    for axis in (0, 1, -1):
        case("Concat", 13, [x(2, 3), x(2, 3), x(2, 3)], axis=axis)
    case("Concat", 13, [x(2, 1), x(2, 3)], axis=1)
    case("Concat", 13, [ints(1, 2), ints(3)], axis=0)
    case("Concat", 13, [x(2, 3)], axis=0)
    case("Expand", 13, [x(3, 1), F(ints(2, 3, 4))])
    case("Expand", 8, [x(3, 4), F(ints(3, 1))])
    case("Expand", 13, [x(), F(ints(2, 2))])
    for starts, ends, axes, steps in (([1], [3], [0], None), ([0, 1], [2, 3], None, None), ([-2], [1000], [1], None), ([1], [-1], [-1], None),
                                      ([0], [5], [1], [2]), ([-1], [-1000], [1], [-1]), ([4, 3], [0, 0], [1, 2], [-2, -1]), ([0, 0], [3, 3], [0, 2], [1, 2])):
        for opset in (10, 13):
            operands = [x(4, 5, 6), F(ints(*starts)), F(ints(*ends))]
            operands += [F(ints(*axes))] if axes else [None] if steps else []
            operands += [F(ints(*steps))] if steps else []
            case("Slice", opset, operands)
        if not steps:
            case("Slice", 9, [x(4, 5, 6)], starts=starts, ends=ends, **({"axes": axes} if axes else {}))
    case("Slice", 13, [ints(5, 6, 7, 8), F(ints(1)), F(ints(3))])
    case("Pad", 13, [x(2, 3), F(ints(0, 1, 2, 0))])
    case("Pad", 11, [x(2, 3), F(ints(1, 1, 0, 0)), F(np.array(1.5, np.float32))], mode="constant")
    case("Pad", 9, [x(2, 3)], pads=[0, 1, 1, 0], value=-2.0)
    case("Pad", 18, [x(2, 3), F(ints(2, 1)), F(np.array(0, np.float32)), F(ints(1))])
    case("Pad", 13, [x(3, 4), F(ints(0, -1, 1, 2))])
    case("Shape", 13, [x(2, 3, 4)])
    case("Shape", 15, [x(2, 3, 4)], start=1)
    case("Shape", 15, [x(2, 3, 4)], start=-2, end=-1)
    case("Gather", 13, [F(ints(5, 6, 7)), F(ints(2, 0, -1))])
    case("Gather", 13, [F(ints(5, 6, 7)), F(np.array(1, np.int64))], axis=0)
    case("Constant", 13, [], value=numpy_helper.from_array(x(2, 3)))
    case("Constant", 13, [], value_float=2.5)
    case("Constant", 13, [], value_floats=[2.5, -1.0])
    case("Constant", 13, [], value_int=7)
    case("Constant", 13, [], value_ints=[7, -8])
    T = onnx.TensorProto
    odd = np.array([0.0, -0.5, 1.5, 2.7, -2.7, 100.2], np.float32)
    for to in (T.FLOAT, T.DOUBLE, T.INT32, T.INT64, T.BOOL, T.INT8, T.FLOAT16, T.BFLOAT16):
        case("Cast", 13, [odd], to=to)
    case("Cast", 9, [odd], to=T.INT32)
    case("Cast", 13, [ints(0, 1, -3, 1 << 40)], to=T.FLOAT)
    case("Cast", 13, [ints(0, 1, -3, 300)], to=T.INT32)
    case("Cast", 13, [ints(0, 1, -3, 300)], to=T.BOOL)
    case("Cast", 13, [ints(0, 1, 200, 300, -1)], to=T.UINT8)
    case("Cast", 13, [F(np.array([0.4, 2.6, -1.7], np.float32))], to=T.INT64)
    case("Cast", 13, [F(ints(0, 2, 300))], to=T.BOOL)
    case("Cast", 13, [flags(2, 3)], to=T.FLOAT)
    case("Cast", 13, [flags(2, 3)], to=T.INT64)
    case("Cast", 13, [np.array([0.1, 2.5], np.float64)], to=T.FLOAT)


def value_info(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"]).run(None, feeds)


def with_outputs(model, feeds):
    """Runs the model; says the types of its outputs in it."""
    arrays = run(model, feeds)
    for output, array in zip(model.graph.output, arrays):
        if output.type.tensor_type.elem_type != onnx.TensorProto.BFLOAT16:
            output.CopyFrom(value_info(output.name, array))
    return arrays


def build(op, opset, operands, attributes, outputs):
    names, inputs, fixed, feeds = [], [], [], {}
    for i, operand in enumerate(operands):
        name = "" if operand is None else "abcdefgh"[i]
        names.append(name)
        if isinstance(operand, Fixed):
            fixed.append(numpy_helper.from_array(operand.value, name))
        elif operand is not None:
            inputs.append(value_info(name, operand))
            feeds[name] = operand
    node = helper.make_node(op, names, ["y"][:outputs], **attributes)
    to = attributes["to"] if op == "Cast" else onnx.TensorProto.UNDEFINED
    nodes, results = [node], ["y"]
    if to in (onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT16):  # compared as float
        nodes.append(helper.make_node("Cast", ["y"], ["z"], to=onnx.TensorProto.FLOAT))
        results = ["z"]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=n) for n in results], fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for output in model.graph.output:
        output.type.tensor_type.elem_type = 0
    inferred = onnx.shape_inference.infer_shapes(model)
    for output in inferred.graph.output:
        if not output.type.tensor_type.elem_type:
            output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return inferred, feeds


FIXED_OPERANDS = {"Reshape": [1], "Expand": [1], "Clip": [1, 2], "Squeeze": [1], "Unsqueeze": [1], "Slice": [1, 2, 3, 4], "Pad": [1, 2, 3],
                  "ReduceSum": [1], "ReduceMean": [1], "ReduceMax": [1], "ReduceMin": [1], "ReduceSumSquare": [1], "Dropout": [1, 2]}


def node_tests(operators):
    """Cases of the onnx package: (operator, name, model, feeds, outputs)."""
    from onnx.backend.test.loader import load_model_tests
    kinds = {1, 6, 7, 9, 11}  # float, int32, int64, bool, double
    for test in load_model_tests(kind="node"):
        model = test.model
        if test.name.endswith("_expanded") or not model or len(model.graph.node) != 1 or not test.data_sets:
            continue
        node = model.graph.node[0]
        inputs, outputs = test.data_sets[0]
        arrays = list(inputs) + list(outputs)
        if node.op_type not in operators or node.domain or not all(isinstance(a, np.ndarray) for a in arrays):
            continue
        if test.name in ROUNDED or min(o.version for o in model.opset_import) < OPSET_LEAST:
            continue
        types = {v.type.tensor_type.elem_type for v in list(model.graph.input) + list(model.graph.output)}
        if not types <= kinds or sum(a.nbytes for a in arrays) > NODE_BYTES or any(a.size == 0 for a in arrays):
            continue
        for i, (value, array) in reversed(list(enumerate(zip(list(model.graph.input), inputs)))):
            if list(node.input).index(value.name) in FIXED_OPERANDS.get(node.op_type, []):
                model.graph.initializer.append(numpy_helper.from_array(array, value.name))
                del model.graph.input[i]
                inputs = list(inputs[:i]) + list(inputs[i + 1:])
        yield node.op_type, test.name, model, inputs, outputs


def record(file, kind, data):
    file.write(kind.encode() + struct.pack("<I", len(data)) + data)


def write_case(file, name, model, inputs, outputs):
    model.producer_name = model.graph.doc_string = model.doc_string = ""
    record(file, "n", name.encode())
    record(file, "m", model.SerializeToString())
    for kind, arrays in (("i", inputs), ("o", outputs)):
        for array in arrays:
            record(file, kind, numpy_helper.from_array(np.asarray(array)).SerializeToString())


def read_operators():
    with open(os.path.join(ROOT, "frontend", "onnx", "onnx.def"), encoding="utf-8") as file:
        return {line[5:].split(",")[0] for line in file if line.startswith("ONNX(") and "see the message" not in line}


def name_of(n, c):
    to = c[3]["to"] if c[0] == "Cast" else 0
    if to in (onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT16):
        return "Cast to " + onnx.TensorProto.DataType.Name(to)
    return f"{c[0]} {c[1]} #{n}"


def main():
    operators = read_operators()
    for part in (elementwise, activations, products, convolutions, reductions, shapes):
        part()
    by_operator = {}
    for n, c in enumerate(CASES):
        model, feeds = build(*c)
        try:
            outputs = with_outputs(model, feeds)
        except Exception as error:  # of ONNX Runtime: the case is of no use
            print("left out:", c[0], c[1], c[3], str(error).split("\n")[0][:150], file=sys.stderr)
            continue
        by_operator.setdefault(c[0], []).append((name_of(n, c), model, list(feeds.values()), outputs))
    taken = {}
    for op, name, model, inputs, outputs in node_tests(operators):
        taken[op] = taken.get(op, 0) + 1
        if taken[op] <= NODE_CASES:
            by_operator.setdefault(op, []).append((name, model, inputs, outputs))
    os.makedirs(FOLDER, exist_ok=True)
    for op, cases in sorted(by_operator.items()):
        with open(os.path.join(FOLDER, op + ".cases"), "wb") as file:
            for one in cases:
                write_case(file, *one)
    print("operators without a case:", sorted(operators - set(by_operator)))
    print(sum(map(len, by_operator.values())), "cases of", len(by_operator), "operators")


if __name__ == "__main__":
    main()
