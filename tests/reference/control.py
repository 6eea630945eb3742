#!/usr/bin/env python3
"""Writes the cases of tests/control in the form of operators.py: nodes with
bodies, functions, sequences, optionals, optimizers, gradients. Sequences among
a case's inputs are put together in the model, those among its outputs are
outputs item by item.
usage: control.py FOLDER   (needs onnx, onnxruntime and numpy)"""
import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

import operators as base

base.OPERATORS = """Adagrad Adam If Loop Momentum OptionalGetElement
OptionalHasElement Scan SequenceInsert SequenceMap SplitToSequence
Identity""".split()
base.CONSTANT = {"Loop": [0, 1], "SequenceInsert": [2],
                 "SplitToSequence": [1]}
known = base.suite


def elem(array):
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def info(name, array):
    return helper.make_tensor_value_info(name, elem(array), array.shape)


def flatten(model, inputs, outputs):
    """The same with tensors only at the boundary."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    before, given = [], []
    for value, array in zip(list(graph.input), inputs):
        if array is None:
            graph.input.remove(value)
            before.append(helper.make_node("Optional", [], [value.name],
                                           type=value.type.optional_type.elem_type))
        elif isinstance(array, list):
            graph.input.remove(value)
            names = ["%s.in.%d" % (value.name, i) for i in range(len(array))]
            before.append(helper.make_node(
                "SequenceConstruct" if names else "SequenceEmpty", names,
                [value.name]))
            for name, item in zip(names, array):
                graph.input.append(info(name, np.asarray(item)))
                given.append(np.asarray(item))
        else:
            graph.input.remove(value)
            graph.input.append(info(value.name, np.asarray(array)))
            given.append(np.asarray(array))
    # What the case's only node reads comes first.
    nodes = before + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    results = []
    for value, result in zip(graph.output, outputs):
        if isinstance(result, list):
            results += [np.asarray(r) for r in result]
        else:
            results.append(np.asarray(result))
            value.CopyFrom(info(value.name, results[-1]))
    return model, given, results


def know(model, inputs, which):
    """Makes inputs that have to be known initializers."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    which = [i for i in which if i < len(inputs)]
    values = list(model.graph.input)
    for i in which:
        model.graph.initializer.append(numpy_helper.from_array(
            np.asarray(inputs[i]), values[i].name))
        model.graph.input.remove(values[i])
    return model, [x for i, x in enumerate(inputs) if i not in which]


def suite():
    for name, op, model, inputs, outputs in known():
        if op == "Identity" and name == "test_identity":
            continue
        if op == "Identity" or isinstance(outputs[0], list) or any(
                a is None or isinstance(a, list) for a in inputs) or any(
                v.type.HasField("optional_type") for v in model.graph.input):
            model, inputs = know(model, inputs, {
                "If": [0], "Loop": [0, 1], "SequenceInsert": [2]}.get(op, []))
            model, inputs, outputs = flatten(model, inputs, outputs)
        yield name, op, model, inputs, outputs
    for case in load_model_tests(kind="simple"):
        if "gradient" not in case.name:
            continue
        model = onnx.load(os.path.join(case.model_dir, "model.onnx"))

        def load(kind):
            for path in sorted(glob.glob(os.path.join(
                    case.model_dir, "test_data_set_0", kind + "_*.pb"))):
                yield numpy_helper.to_array(
                    onnx.load_tensor(path))
        yield (case.name, "Gradient", model, list(load("input")),
               list(load("output")))


MODELS = {}


def model(function):
    MODELS[function.__name__] = function
    return function


def text(source, *inputs):
    m = parser.parse_model(source)
    return m, [np.asarray(a) for a in inputs]


def f(*shape):
    return np.random.default_rng(len(shape) + sum(shape)).normal(
        size=shape).astype(np.float32)


HEAD = '<ir_version: 10, opset_import: ["" : 21%s]>\n'
OWN = HEAD % ', "own" : 1'


@model
def if_of_data():
    return text(HEAD % "" + """
    g (float[3, 4] x, bool c, float[2] w) => (float[3, 4] y, float[2] z) {
        h = Tanh(x)
        y, z = If(c) <
            then_branch = t () => (float[3, 4] a, float[2] w) {
                a = Mul(h, h) },
            else_branch = e () => (float[3, 4] a, float[2] b)
            <float[2] k = {0.5, 0.25}> {
                i = Sin(x)
                a = Sub(i, h)
                b = Mul(k, w) }
        >
    }""", f(3, 4), np.array(False), f(2))


@model
def if_within_if():
    return text(HEAD % "" + """
    g (float[5] x, bool[1] c) => (float[5] y) {
        s = Shape(x)
        five = Constant <value_ints = [5]> ()
        same = Equal(s, five)
        y = If(same) <
            then_branch = t () => (float[5] a) {
                a = If(c) <
                    then_branch = t2 () => (float[5] b) { b = Exp(x) },
                    else_branch = e2 () => (float[5] b) { b = Neg(x) }
                > },
            else_branch = e () => (float[5] a) {
                seven = Constant <value_ints = [7]> ()
                a = Reshape(x, seven) }
        >
    }""", f(5), np.array([True]))


@model
def loop_with_weights():
    return text(HEAD % "" + """
    g (float[2, 3] x, float[3, 3] u) => (float[2, 3] y, float[4, 2, 3] all)
    <int64 n = {4}> {
        y, all = Loop(n, , x) <
            body = b (int64 i, bool go, float[2, 3] h)
                => (bool go2, float[2, 3] h2, float[2, 3] seen)
            <float[3] bias = {0.1, -0.2, 0.3}> {
                go2 = Identity(go)
                p = MatMul(h, u)
                q = Add(p, bias)
                t = Cast <to = 1> (i)
                r = Add(q, t)
                h2 = Tanh(r)
                seen = Mul(h2, x)
            }
        >
    }""", f(2, 3), f(3, 3))


@model
def loop_until():
    return text(HEAD % "" + """
    g (float[3] x) => (float[3] y, int64[3] counts) <bool yes = {1}> {
        y, counts = Loop(, yes, x) <
            body = b (int64 i, bool go, float[3] h)
                => (bool go2, float[3] h2, int64 j) {
                two = Constant <value_int = 2> ()
                go2 = Less(i, two)
                h2 = Sin(h)
                j = Mul(i, i)
            }
        >
    }""", f(3))


@model
def loop_never():
    return text(HEAD % "" + """
    g (float[3] x) => (float[3] y) <int64 n = {0}> {
        a = Loop(n, , x) <
            body = b (int64 i, bool go, float[3] h) => (bool go2, float[3] h2) {
                go2 = Identity(go)
                h2 = Sin(h)
            }
        >
        y = Exp(a)
    }""", f(3))


@model
def scan_backward():
    return text(HEAD % "" + """
    g (float[2] s, float[2, 5] x, float[5, 2] z)
        => (float[2] last, float[2, 5] y) {
        last, y = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0],
                scan_input_directions = [1, 0], scan_output_axes = [-1],
                scan_output_directions = [1],
                body = b (float[2] h, float[2] a, float[2] c)
                    => (float[2] h2, float[2] o) {
                    p = Mul(h, a)
                    h2 = Add(p, c)
                    o = Tanh(h2)
                }> (s, x, z)
    }""", f(2), f(2, 5), f(5, 2))


@model
def functions_nested():
    return text(OWN + """
    g (float[4] x, float[4] z) => (float[4] y, float[4] u) {
        y = own.twice <by = 3.0> (x, z)
        u = own.twice (y, x)
    }
    <domain: "own", opset_import: ["" : 18, "own" : 1]>
    twice <by: float = 0.5> (a, b) => (c) {
        d = own.leak <slope: float = @by> (a)
        c = own.leak <slope = 0.25> (e)
        e = Add(d, b)
    }
    <domain: "own", opset_import: ["" : 21]>
    leak <slope> (x) => (y) {
        y = LeakyRelu <alpha: float = @slope> (x)
    }
    """.replace("""c = own.leak <slope = 0.25> (e)
        e = Add(d, b)""", """e = Add(d, b)
        c = own.leak <slope = 0.25> (e)"""), f(4), -f(4))


@model
def function_with_optional_input():
    return text(OWN + """
    g (float[2, 8] x) => (float[2, 5] y, float[2, 5] z)
    <float[8] low = {0.1}> {
        l = Constant <value_float = 0.25> ()
        one = Constant <value_ints = [5]> ()
        s = Constant <value_ints = [0]> ()
        ax = Constant <value_ints = [1]> ()
        c = Slice(x, s, one, ax)
        y = own.cut (c, l)
        z = own.cut (c)
    }
    <domain: "own", opset_import: ["" : 21]>
    cut (a, low, high) => (b) { b = Clip(a, low, high) }
    """.replace("\n    <float[8] low = {0.1}>", ""), f(2, 8))


@model
def function_overloads():
    m, inputs = text(OWN + """
    g (float[3] x) => (float[3] y) {
        a = own.act (x)
        y = own.act:wave (a)
    }
    <domain: "own", opset_import: ["" : 21]>
    act (x) => (y) { y = Sigmoid(x) }
    <domain: "own", overload: "wave", opset_import: ["" : 21]>
    act (x) => (y) { y = Sin(x) }
    """, f(3))
    return m, inputs


@model
def if_in_function():
    return text(OWN + """
    g (float[3] x, bool c) => (float[3] y) {
        y = own.either <scale = 2.0> (x, c)
    }
    <domain: "own", opset_import: ["" : 21]>
    either <scale> (x, c) => (y) {
        k = Constant <value_float: float = @scale> ()
        y = If(c) <
            then_branch = t () => (float[3] a) { a = Mul(x, k) },
            else_branch = e () => (float[3] a) {
                m = Constant <value_float: float = @scale> ()
                n = Neg(m)
                a = Mul(x, n) }
        >
    }""", f(3), np.array(False))


@model
def sequences():
    return text(HEAD % "" + """
    g (float[6, 2] x, float[3, 2] v) => (float[4, 3, 2] y, int64 n) {
        parts = Constant <value_ints = [3, 3]> ()
        s = SplitToSequence <axis = 0> (x, parts)
        e = SequenceEmpty()
        one = Constant <value_int = 1> ()
        first = SequenceAt(s, one)
        a = SequenceInsert(e, first)
        b = SequenceInsert(a, v)
        back = Constant <value_int = -1> ()
        c = SequenceInsert(b, first, back)
        d = SequenceConstruct(v, first, v)
        w = SequenceErase(d, one)
        zero = Constant <value_int = 0> ()
        p = SequenceAt(w, zero)
        q = Sin(p)
        o = SequenceInsert(c, q, zero)
        y = ConcatFromSequence <axis = 0, new_axis = 1> (o)
        n = SequenceLength(o)
    }""", f(6, 2), f(3, 2))


@model
def gradient_of_layers():
    return text(HEAD % ', "ai.onnx.preview.training" : 1' + """
    g (float[2, 3] x, float[3, 4] w, float[4] b)
        => (float[2, 4] y, float[3, 4] dw, float[4] db) {
        p = MatMul(x, w)
        q = Add(p, b)
        r = Tanh(q)
        y = Mul(r, r)
        dw, db = ai.onnx.preview.training.Gradient
            <xs = ["w", "b"], zs = ["x"], y = "y"> (w, b, x)
    }""", f(2, 3), f(3, 4), f(4))


def gradient_result(inputs):
    x, w, b = (a.astype(np.float64) for a in inputs)
    r = np.tanh(x @ w + b)
    g = 2 * r * (1 - r * r)
    return [a.astype(np.float32) for a in (r * r, x.T @ g, g.sum(0))]


def run(m, inputs):
    """ONNX Runtime's results; the reference evaluator's for what it does not
    take."""
    feeds = dict(zip([v.name for v in m.graph.input], inputs))
    try:
        session = onnxruntime.InferenceSession(m.SerializeToString())
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as why:
        print(why)
        return ReferenceEvaluator(m).run(None, feeds)
    return session.run(None, feeds)


def older():
    for name, function in MODELS.items():
        yield name, function()


def cases():
    yield from suite()
    for name, (m, inputs) in older():
        outputs = (gradient_result(inputs) if "gradient" in name
                   else run(m, inputs))
        yield name, "models", m, inputs, outputs


base.suite = suite
base.cases = cases
if __name__ == "__main__":
    base.main(sys.argv[1])
