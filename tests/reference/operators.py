#!/usr/bin/env python3
"""Writes the single-operator cases of tests/operators: those of the onnx node
suite, and some at older opsets whose results the onnx reference evaluator
gives.  usage: operators.py FOLDER   (needs the packages onnx and numpy)

cases.bin holds, for each case, a line of text and then raw bytes:
  case NAME OPERATOR MODEL_BYTES INPUTS OUTPUTS
and for each tensor, inputs first: a line `TYPE RANK SIZE...` and its bytes.
Inputs that have to be known at compile time are initializers of the model."""
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_node_model_tests
from onnx.reference import ReferenceEvaluator

OPERATORS = """
Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot
BitwiseOr BitwiseXor CastLike Celu CenterCropPad Clip ConstantOfShape Cosh
CumProd CumSum DepthToSpace Einsum Expand EyeLike GlobalMaxPool
GroupNormalization HardSwish Hardmax InstanceNormalization IsInf IsNaN LRN
LayerNormalization LogSoftmax LpNormalization Mean MeanVarianceNormalization
Mish Mod NegativeLogLikelihoodLoss OneHot PRelu RMSNormalization Range
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
ReduceProd ReduceSum ReduceSumSquare Selu Shrink Sinh Size Softmax
SoftmaxCrossEntropyLoss Softsign SpaceToDepth Split SwiGLU Swish Tan
ThresholdedRelu Tile Trilu
""".split()

# Inputs that the compiler has to know.
CONSTANT = {"CenterCropPad": [1], "CumSum": [1], "CumProd": [1],
            "ConstantOfShape": [0], "Expand": [1], "OneHot": [1], "Range": [0, 1, 2], "Split": [1],
            "Tile": [1], "Trilu": [1]}
TYPES = {np.dtype(t): name for t, name in (
    ("float64", "f64"), ("float32", "f32"), ("int64", "i64"),
    ("int32", "i32"), ("int8", "i8"), ("uint8", "u8"), ("bool", "i1"))}
LARGEST = 60000  # bytes of one case's tensors


def constants(op):
    return CONSTANT.get(op, [1] if op.startswith("Reduce") else [])


def bind(model, inputs):
    """Moves what must be known into the model; the other inputs."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    node = model.graph.node[0]
    known = {node.input[i] for i in constants(node.op_type)
             if i < len(node.input) and node.input[i]}
    left = []
    for value, array in zip(list(model.graph.input), inputs):
        if value.name in known:
            model.graph.initializer.append(
                numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
        else:
            left.append(array)
    return model, left


def suite():
    """(name, operator, model, inputs, outputs) of the node suite."""
    for case in load_node_model_tests():
        if "_expanded" in case.name or case.model is None:
            continue
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in OPERATORS:
            inputs, outputs = case.data_sets[0]
            yield case.name, nodes[0].op_type, case.model, inputs, outputs


def one(op, opset, inputs, outputs=1, **attributes):
    names = ["x%d" % i if a is not None else "" for i, a in enumerate(inputs)]
    node = helper.make_node(op, names, ["y%d" % i for i in range(outputs)],
                            **attributes)
    given = [(n, a) for n, a in zip(names, inputs) if a is not None]
    graph = helper.make_graph(
        [node], op,
        [helper.make_tensor_value_info(
            n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
         for n, a in given],
        [helper.make_tensor_value_info("y%d" % i, TensorProto.UNDEFINED, None)
         for i in range(outputs)])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model, [a for _, a in given]


def older():
    """Forms of older opsets and attributes that the suite leaves out."""
    rng = np.random.default_rng(7)

    def f(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def i(*values):
        return np.array(values, np.int64)

    x, labels = f(3, 4, 2), np.array([[0, 3], [1, 1], [2, 0]])
    yield "clip_10", one("Clip", 10, [x], min=-0.5, max=0.5)
    yield "reduce_l2_13", one("ReduceL2", 13, [x], axes=[1], keepdims=0)
    yield "reduce_prod_13", one("ReduceProd", 13, [x], axes=[0, 2])
    yield "reduce_prod_zero", one("ReduceProd", 13, [np.array(
        [[0, 2, 3], [0, 0, 1], [4, 5, 6]], np.float32)], axes=[1])
    yield "reduce_log_sum_exp_13", one("ReduceLogSumExp", 13, [50 * x],
                                       axes=[-1])
    yield "reduce_sum_11", one("ReduceSum", 11, [x], axes=[1])
    yield "split_2", one("Split", 11, [x], 2, axis=1, split=[1, 3])
    yield "split_13", one("Split", 13, [x, i(3, 1)], 2, axis=1)
    yield "split_18", one("Split", 18, [f(7)], 3, num_outputs=3)
    yield "hardmax_11", one("Hardmax", 11, [x], axis=1)
    yield "softmax_11", one("Softmax", 11, [x], axis=1)
    yield "log_softmax_11", one("LogSoftmax", 11, [x], axis=1)
    yield "einsum_diagonal", one("Einsum", 12, [f(3, 3)], equation="ii->i")
    yield "einsum_trace", one("Einsum", 12, [f(2, 3, 3), f(2, 4)],
                              equation="bii,bj->j")
    yield "group_norm_18", one("GroupNormalization", 18,
                               [f(2, 4, 3), f(2), f(2)], num_groups=2)
    yield "einsum_outer", one("Einsum", 12, [f(3), f(4)], equation="i,j->ij")
    yield "einsum_sum", one("Einsum", 12, [f(3, 4), f(4, 5)],
                            equation="ij,jk->k")
    yield "einsum_three", one("Einsum", 12, [f(3, 4), f(4, 5), f(5, 2)],
                              equation="ab,bc,cd->da")
    yield "einsum_heads", one("Einsum", 12, [f(2, 3, 2, 4), f(2, 5, 2, 4)],
                              equation="bqhd, bkhd -> bhqk")
    yield "einsum_broadcast", one("Einsum", 12, [f(1, 3, 4), f(2, 4, 5)],
                                  equation="...ij,...jk->...ik")
    yield "mvn_axes", one("MeanVarianceNormalization", 13, [x], axes=[1])
    yield "cumsum_long", one("CumSum", 14, [f(37), np.array(0)], exclusive=1)
    yield "trilu_int", one("Trilu", 14, [labels, np.array(1)], upper=0)
    yield "trilu_upper", one("Trilu", 14, [x, np.array(-1)])
    yield "trilu_lower", one("Trilu", 14, [x], upper=0)
    yield "one_hot_floats", one("OneHot", 11, [labels, np.array(4), f(2)],
                                axis=1)
    yield "sce_sum_weights", one("SoftmaxCrossEntropyLoss", 12,
                                 [f(3, 4, 2), labels, np.abs(f(4))], 2,
                                 reduction="sum", ignore_index=1)
    yield "nll_none", one("NegativeLogLikelihoodLoss", 13,
                          [f(3, 4), i(0, 3, 1)], reduction="none")
    yield "layer_norm_3", one("LayerNormalization", 17,
                              [x, f(4, 2), f(4, 2)], 3, axis=1)
    yield "cast_like_int", one("CastLike", 19, [5 * x, i(1)])
    yield "cast_like_float", one("CastLike", 15, [labels, x])
    yield "cast_like_double", one("CastLike", 15, [x, np.zeros(1)])
    yield "mish", one("Mish", 18, [x])
    yield "tile", one("Tile", 13, [x, i(2, 1, 3)])
    yield "mod_floats", one("Mod", 13, [f(5), np.abs(f(5)) + 1], fmod=1)


def run(model, inputs):
    """The reference evaluator's results. It takes the axis of the softmaxes
    before opset 13 alone; all axes from there on are meant."""
    node, x = model.graph.node[0], inputs[0]
    if node.op_type.endswith("max") and not node.op_type.startswith("Reduce"):
        flat = x.reshape(x.shape[0], -1)
        e = np.exp(flat - flat.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        result = {"Softmax": p, "LogSoftmax": np.log(p),
                  "Hardmax": np.eye(flat.shape[1])[flat.argmax(1)]}
        return [result[node.op_type].reshape(x.shape).astype(x.dtype)]
    return ReferenceEvaluator(model).run(
        None, dict(zip([v.name for v in model.graph.input], inputs)))


def cases():
    yield from suite()
    for name, (model, inputs) in older():
        outputs = run(model, inputs)
        for value, array in zip(model.graph.output, outputs):
            value.CopyFrom(helper.make_tensor_value_info(
                value.name, helper.np_dtype_to_tensor_dtype(array.dtype),
                array.shape))
        yield name, model.graph.node[0].op_type, model, inputs, outputs


def tensor(out, array):
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    sizes = " ".join(str(n) for n in (array.ndim,) + array.shape)
    out.write(("%s %s\n" % (TYPES[array.dtype], sizes)).encode())
    out.write(array.tobytes())


def main(folder):
    warnings.filterwarnings("ignore")
    left_out = []
    with open(folder + "/cases.bin", "wb") as out:
        for name, op, model, inputs, outputs in cases():
            arrays = [np.asarray(a) for a in list(inputs) + list(outputs)]
            why = None
            if any(a.dtype not in TYPES for a in arrays):
                why = "element type"
            elif sum(a.nbytes for a in arrays) > LARGEST:
                why = "large"
            if why:
                left_out.append("%s %s %s" % (name, op, why))
                continue
            model, inputs = bind(model, [np.asarray(a) for a in inputs])
            model.doc_string = ""
            data = model.SerializeToString()
            out.write(("case %s %s %d %d %d\n" % (
                name, op, len(data), len(inputs), len(outputs))).encode())
            out.write(data)
            for array in inputs + list(outputs):
                tensor(out, array)
    with open(folder + "/left_out.txt", "w") as out:
        out.write("\n".join(left_out) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
