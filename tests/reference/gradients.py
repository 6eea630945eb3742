#!/usr/bin/env python3
"""Writes tests/operators/gradients.txt: single-operator models in f64 over
grids of attributes and shapes (gradient_grids.py), a line each, with the loss
and the gradients of PyTorch in f64 where it has the operator
(torch_operators.py).    usage: gradients.py FILE   (needs onnx, onnxruntime, torch)

  OPERATOR OPSET [NAME=VALUE ...] | INPUT ... | OUTPUTS [| LOSS [P Q ...]]
VALUE: 3, 0.5, 'text', or a list of one kind: [1,2]
INPUT: [=]TYPE[SIZES][:LOW:HIGH][{x,y,...}] or - where it is left out. `=`: an
  initializer. Without the numbers in braces element i of input j is
  LOW + (HIGH - LOW) * frac((i + 1) * A + (j + 1) * B), see fill(); integers are
  rounded down.
LOSS: the sum of cos(1 + i) * y[i] over all floating outputs. P and Q, for each
  floating input that is no initializer: its gradient times cos(0.7 i) and times
  cos(1.3 i + 0.5), summed.
PyTorch's results are held against those of the onnx reference evaluator and of
ONNX Runtime where they have the operator."""
import math
import re
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import gradient_grids
import torch_operators

A, B = 0.6180339887498949, 0.7548776662466927
TYPES = {"f64": np.float64, "f32": np.float32, "i64": np.int64,
         "i32": np.int32, "i1": np.bool_}
INPUT = re.compile(r"(=?)(\w+)\[([\d,]*)\](?::([^:{]+):([^{]+))?"
                   r"(?:\{(.*)\})?$")


def fill(shape, dtype, position, low, high):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    u = np.fmod((i + 1) * A + (position + 1) * B, 1.0)
    x = low + (high - low) * u
    x = u < 0.5 if dtype == np.bool_ else \
        x if dtype in (np.float64, np.float32) else np.floor(x)
    return x.astype(dtype).reshape(shape)


def read_input(text, position):
    """(is an initializer, array) or None."""
    if text == "-":
        return None
    fixed, name, sizes, low, high, numbers = INPUT.match(text).groups()
    shape = [int(n) for n in sizes.split(",") if n]
    dtype = TYPES[name]
    if numbers is not None:
        values = [float(x) if "f" in name else int(x)
                  for x in numbers.split(",") if x]
        return bool(fixed), np.array(values, dtype).reshape(shape)
    return bool(fixed), fill(shape, dtype, position, float(low or -2),
                             float(high or 2))


def value_text(value):
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join(value_text(x) for x in value)
    return "'%s'" % value if isinstance(value, str) else repr(value)


def line_of(op, opset, attributes, inputs, outputs):
    words = [op, str(opset)]
    words += ["%s=%s" % (k, value_text(v)) for k, v in attributes.items()]
    return "%s | %s | %d" % (" ".join(words), " ".join(inputs), outputs)


def model_of(op, opset, attributes, arrays, outputs):
    names = ["x%d" % i if a is not None else "" for i, a in enumerate(arrays)]
    node = helper.make_node(op, names, ["y%d" % i for i in range(outputs)],
                            **attributes)
    graph = helper.make_graph(
        [node], op,
        [helper.make_tensor_value_info(
            n, helper.np_dtype_to_tensor_dtype(a[1].dtype), a[1].shape)
         for n, a in zip(names, arrays) if a is not None and not a[0]],
        [onnx.ValueInfoProto(name="y%d" % i)
         for i in range(outputs)],
        [numpy_helper.from_array(a[1], n) for n, a in zip(names, arrays)
         if a is not None and a[0]])
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def rounded(value):
    """Attributes of ONNX are f32."""
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(np.float32(value)) if isinstance(value, float) else value


def by_torch(op, opset, attributes, arrays, outputs):
    """(results, loss, projections), or None where PyTorch lacks it."""
    function = getattr(torch_operators, op, None)
    if function is None:
        return None
    torch_operators.OPSET = opset
    torch_operators.OUTPUTS = outputs
    tensors = [None if a is None else
               torch.tensor(a[1], requires_grad=a[1].dtype == np.float64
                            and not a[0])
               for a in arrays]
    result = function(tensors, {k: rounded(v) for k, v in attributes.items()})
    if result is None:
        return None
    results = result if isinstance(result, (list, tuple)) else [result]
    loss = 0
    for y in results:
        if y is not None and y.dtype.is_floating_point:
            weight = torch.cos(1 + torch.arange(y.numel(),
                                                dtype=torch.float64))
            loss = loss + (weight * y.double().reshape(-1)).sum()
    if loss.requires_grad:
        loss.backward()
    projections = []
    for tensor, a in zip(tensors, arrays):
        if a is None or a[0] or a[1].dtype != np.float64:
            continue
        if tensor.grad is None:  # PyTorch has no gradient for this input
            projections += [math.nan, math.nan]
            continue
        g = tensor.grad.numpy().reshape(-1)
        i = np.arange(g.size)
        projections += [(g * np.cos(0.7 * i)).sum(),
                        (g * np.cos(1.3 * i + 0.5)).sum()]
    return results, loss.item(), projections


def agree(wants, results, tolerance):
    for want, got in zip(wants, results):
        got = got.detach().numpy()
        if want.shape != got.shape or not np.allclose(
                got.astype(np.float64), want.astype(np.float64),
                rtol=tolerance, atol=tolerance / 10):
            return False
    return True


def as_f32(array):
    return array.astype(np.float32) if array.dtype == np.float64 else array


def onnxruntime_results(op, opset, attributes, arrays, outputs):
    """In f32, which it has for every operator."""
    arrays = [a and (a[0], as_f32(a[1])) for a in arrays]
    if op == "Cast":
        attributes = {"to": 1}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model_of(op, opset, attributes, arrays, outputs).SerializeToString(),
        options, providers=["CPUExecutionProvider"]).run(None, feeds(arrays))


def feeds(arrays):
    return {"x%d" % i: a[1] for i, a in enumerate(arrays)
            if a is not None and not a[0]}


def agreement(form, results):
    """How many of two other implementations say the same, how many can say
    anything. The evaluator of the onnx package passes over some attributes."""
    same = said = 0
    for run, tolerance in (
            (lambda: ReferenceEvaluator(model_of(*form)).run(
                None, feeds(form[3])), 1e-6),
            (lambda: onnxruntime_results(*form), 1e-4)):
        try:
            wants = run()
        except Exception:  # pylint: disable=broad-except
            continue
        said += 1
        same += agree(wants, results, tolerance)
    return same, said


def known_operators():
    path = sys.path[0] + "/../../frontend/onnx/onnx.def"
    return set(re.findall(r"^ONNX\((\w+)", open(path, encoding="utf-8").read(),
                          re.M))


def main(path):
    warnings.filterwarnings("ignore")
    known, counts, lines = known_operators(), {}, {}
    for op, opset, attributes, inputs, outputs in gradient_grids.all_of():
        line = line_of(op, opset, attributes, inputs, outputs)
        if op not in known or line in lines:
            continue
        arrays = [read_input(t, i) for i, t in enumerate(inputs)]
        try:
            found = by_torch(op, opset, attributes, arrays, outputs)
        except (RuntimeError, IndexError, KeyError, TypeError) as error:
            print("PyTorch refuses:", line, str(error).split("\n")[0])
            found = None
        tell = counts.setdefault(op, [0, 0, 0, 0])
        tell[0] += 1
        lines[line] = ""
        if found:
            same, said = agreement((op, opset, attributes, arrays, outputs),
                                   found[0])
            tell[2] += said > 0 and same == 0
            tell[3] += said == 0
            if said > 0 and same == 0:
                print("no other says the same as PyTorch:", line)
            tell[1] += 1
            lines[line] = " | " + " ".join(
                "%.13g" % x for x in [found[1]] + found[2])
    with open(path, "w", encoding="utf-8") as out:
        out.write("# Made by tests/reference/gradients.py, which says what a "
                  "line holds.\n")
        for line, result in lines.items():
            out.write(line + result + "\n")
    for op, tell in sorted(counts.items()):
        print("%-26s %4d, PyTorch %4d, differing %d, alone %d" % (op, *tell))
    print("%d of %d operators" % (len(lines), len(counts)))


if __name__ == "__main__":
    main(sys.argv[1])
