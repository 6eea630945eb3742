#!/usr/bin/env python3
"""Runs the node suite and the suite `simple` of the onnx package through the
frontend, the interpreter and the compiler, and prints what passes by operator.
usage: node_suite.py BUILD [options]      (needs the packages onnx and numpy)
  --work DIR     cases and results are kept there (BUILD/node_suite); what was
                 found with the same program is not run again
  --only TEXT    only cases of the operator TEXT, or whose name holds TEXT
  --skipped FILE every case must pass or be listed there, never both
  --write        writes that list anew; reasons `by hand: ...` stay
  --jobs N       processes at a time (2)
  --failing      prints the cases that fail, with the reason
Inputs that the compiler has to know (shapes, axes, ...) become initializers of
the model: see CONSTANT. Where a case is refused all the same, it is tried again
with all its integers bound; the table counts those apart."""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests, load_node_model_tests

TOGETHER = 24
RTOL, ATOL = "1e-3", "1e-7"  # of the suite's own runner

GROUPS = {
    "linear algebra": "MatMul Gemm Einsum Conv ConvTranspose",
    "elementwise binary": "Add Sub Mul Div Pow Max Min Mean Sum PRelu Where "
                          "Mod",
    "elementwise unary": "Abs Neg Exp Log Sqrt Reciprocal Erf Sigmoid Tanh "
                         "Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh "
                         "Atanh Softplus Softsign Sign Floor Ceil Round Clip "
                         "Identity",
    "activations": "Relu LeakyRelu Elu Selu Celu Gelu HardSigmoid HardSwish "
                   "Mish Swish SwiGLU ThresholdedRelu Shrink Softmax "
                   "LogSoftmax Hardmax",
    "norms": "BatchNormalization LayerNormalization RMSNormalization "
             "GroupNormalization InstanceNormalization LpNormalization LRN "
             "MeanVarianceNormalization",
    "reductions": "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd "
                  "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
                  "ReduceSumSquare CumSum CumProd ArgMax ArgMin TopK",
    "pooling, resampling": "MaxPool AveragePool GlobalAveragePool "
                           "GlobalMaxPool LpPool MaxUnpool Resize Upsample "
                           "GridSample AffineGrid RoiAlign DeformConv Col2Im "
                           "DepthToSpace SpaceToDepth",
    "data movement": "Reshape Transpose Squeeze Unsqueeze Flatten Concat "
                     "Split Slice Pad Tile Expand Gather GatherElements "
                     "GatherND Scatter ScatterElements ScatterND Compress "
                     "OneHot Trilu ReverseSequence CenterCropPad "
                     "TensorScatter",
    "losses, dropout": "SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss "
                       "Dropout",
    "recurrent": "RNN LSTM GRU",
    "attention": "Attention RotaryEmbedding LinearAttention "
                 "CausalConvWithState FlexAttention",
    "quantization, cast": "QuantizeLinear DequantizeLinear "
                          "DynamicQuantizeLinear Cast CastLike QLinearMatMul "
                          "QLinearConv MatMulInteger ConvInteger",
    "shape, control": "Shape Size Constant ConstantOfShape Range EyeLike If "
                      "Loop Scan NonZero",
    "training": "Adam Adagrad Momentum",
}
GROUP_OF = {op: g for g, ops in GROUPS.items() for op in ops.split()}

# Inputs that the compiler has to know.
CONSTANT = {
    "AffineGrid": [1], "BlackmanWindow": [0], "CenterCropPad": [1],
    "Col2Im": [1, 2], "Compress": [1], "ConstantOfShape": [0],
    "CumProd": [1], "CumSum": [1], "DFT": [1, 2], "Dropout": [1, 2],
    "Expand": [1], "HammingWindow": [0], "HannWindow": [0], "If": [0],
    "Loop": [0, 1], "MaxUnpool": [2], "MelWeightMatrix": [0, 1, 2, 3, 4],
    "NonZero": [0], "OneHot": [1], "Pad": [1, 2, 3], "Range": [0, 1, 2],
    "Reshape": [1], "Resize": [1, 2, 3], "STFT": [1, 3], "SequenceAt": [1],
    "Slice": [1, 2, 3, 4], "Split": [1], "SplitToSequence": [1],
    "Squeeze": [1], "Tile": [1], "TopK": [1], "Trilu": [1], "Unsqueeze": [1],
    "Upsample": [1],
}

# Raw bytes; numpy's name of the type -> the IR's.
TYPES = {"float64": "f64", "float32": "f32", "float16": "f16",
         "bfloat16": "bf16", "int64": "i64", "int32": "i32", "int16": "i16",
         "int8": "i8", "uint64": "u64", "uint32": "u32", "uint16": "u16",
         "uint8": "u8", "bool": "i1"}
# Handed over as f64.
SMALL = {"float8_e4m3fn": "f8e4m3", "float8_e4m3fnuz": "f8e4m3fnuz",
         "float8_e5m2": "f8e5m2", "float8_e5m2fnuz": "f8e5m2fnuz",
         "float8_e8m0fnu": "f8e8m0", "float4_e2m1fn": "f4", "int4": "i4",
         "int2": "i2", "uint4": "u4", "uint2": "u2"}

Case = collections.namedtuple(
    "Case", "name op expanded simple model inputs outputs")


# ---- the cases ----------------------------------------------------------

def array_of(value):
    """Some cases hold messages of ONNX where others hold arrays."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value


def node_cases():
    tests = load_node_model_tests()
    operator = {t.name: t.model.graph.node[0].op_type for t in tests
                if "_expanded" not in t.name}
    for t in tests:
        name = re.sub(r"_expanded.*", "", t.name)
        inputs, outputs = t.data_sets[0]
        yield Case(t.name, operator.get(name, t.model.graph.node[0].op_type),
                   "_expanded" in t.name, False, t.model,
                   [array_of(v) for v in inputs],
                   [array_of(v) for v in outputs])


def read_value(path, value):
    data = open(path, "rb").read()
    if value.type.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def simple_cases():
    for t in load_model_tests(kind="simple"):
        model = onnx.load(t.model_dir + "/model.onnx")
        folder = t.model_dir + "/test_data_set_0"
        fixed = {i.name for i in model.graph.initializer}
        given = [v for v in model.graph.input if v.name not in fixed]
        inputs = [read_value("%s/input_%d.pb" % (folder, i), v)
                  for i, v in enumerate(given)]
        outputs = [read_value("%s/output_%d.pb" % (folder, i), v)
                   for i, v in enumerate(model.graph.output)]
        op = next((n.op_type for n in model.graph.node
                   if n.op_type == "Gradient"), model.graph.node[0].op_type)
        yield Case(t.name, op, False, True, model, inputs, outputs)


def unwritable(case):
    """Why a file of cases can't hold it, or None."""
    for value in case.inputs + case.outputs:
        if value is None or isinstance(value, (list, tuple)):
            return "a sequence or an optional value at the boundary"
        if np.asarray(value).dtype.name not in {**TYPES, **SMALL}:
            return "strings"
    if len(case.inputs) > 16 or len(case.outputs) > 16:
        return "more than 16 tensors"
    return None


def constants(case):
    if case.op.startswith("Reduce") and case.op != "ReverseSequence":
        return [1]
    return CONSTANT.get(case.op, [])


def known_names(case, integers):
    """The graph's inputs that become initializers."""
    values, arrays = case.model.graph.input, case.inputs
    names = {v.name for v, a in zip(values, arrays)
             if integers and np.asarray(a).dtype.kind in "iub"}
    if case.expanded:  # the function's inputs stand in the operator's order
        positions = [p for p in constants(case) if p < len(values)]
        if case.op in ("Range", "ConstantOfShape") or all(
                np.asarray(arrays[p]).dtype.kind in "iub" for p in positions):
            names |= {values[p].name for p in positions}
        return names
    node = case.model.graph.node[0]
    return names | {node.input[p] for p in constants(case)
                    if p < len(node.input) and node.input[p]}


def bind(case, integers):
    """Moves what must be known into the model; the other inputs."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    model.doc_string = ""
    known, left = known_names(case, integers), []
    for value, array in zip(list(model.graph.input), case.inputs):
        if value.name in known:
            tensor = numpy_helper.from_array(np.asarray(array), value.name)
            model.graph.initializer.append(tensor)
            model.graph.input.remove(value)
        else:
            left.append(array)
    return model, left


def tensor(out, array):
    array = np.asarray(array)
    name = array.dtype.name
    sizes = " ".join(str(n) for n in (array.ndim,) + array.shape)
    if name in SMALL:
        out.write(("*%s %s\n" % (SMALL[name], sizes)).encode())
        array = array.astype(np.float32).astype(np.float64)
    else:
        out.write(("%s %s\n" % (TYPES[name], sizes)).encode())
    out.write(np.ascontiguousarray(array).tobytes())


def write_cases(path, cases, integers=False):
    with open(path, "wb") as out:
        for case in cases:
            model, inputs = bind(case, integers)
            data = model.SerializeToString()
            out.write(("case %s %s %d %d %d\n" % (
                case.name, case.op, len(data), len(inputs),
                len(case.outputs))).encode())
            out.write(data)
            for array in inputs + case.outputs:
                tensor(out, array)


# ---- running ------------------------------------------------------------

def run_tool(tool, path, first, count):
    """{name: {stage: verdict}}, what was said, whether it ended well."""
    found = collections.defaultdict(dict)
    try:
        done = subprocess.run(
            [tool, path, str(first), str(count), RTOL, ATOL], timeout=240,
            capture_output=True, text=True, errors="replace", check=False)
    except subprocess.TimeoutExpired:
        return found, "took longer than 240 s", False
    for line in done.stdout.splitlines():
        name, stage, verdict, *why = line.split(" ", 3)
        found[name][stage] = (verdict, why[0] if why else "")
    said = [s for s in done.stderr.splitlines() if s.strip()]
    if done.returncode < 0:
        said.append("ended by signal %d" % -done.returncode)
    return found, said[-1] if said else "", done.returncode == 0


def run_chunk(tool, path, cases, first):
    found, _, good = run_tool(tool, path, first, len(cases))
    if good:
        return found
    for i, case in enumerate(cases):
        one, said, good = run_tool(tool, path, first + i, 1)
        stage = "compiled" if "interpreted" in one[case.name] else "interpreted"
        if not good:
            one[case.name][stage] = ("failed", said)
        found[case.name] = one[case.name]
    return found


def run_cases(tool, path, cases, jobs):
    found = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(
                lambda first: run_chunk(tool, path,
                                        cases[first:first + TOGETHER], first),
                range(0, len(cases), TOGETHER)):
            found.update(part)
    return found


def verdict(stages):
    """("pass", "") or the first stage that fails with its reason."""
    for stage in ("interpreted", "compiled"):
        word, why = stages.get(stage, ("failed", "nothing was said"))
        if word != "pass":
            return word + (" when compiled" if stage == "compiled" else ""), why
    return "pass", ""


def run_all(tool, cases, work, jobs):
    """{name: [verdict, reason, interpreted, bound]}"""
    digest = hashlib.sha256(open(tool, "rb").read()).hexdigest()
    kept = os.path.join(work, "results.json")
    result = {}
    if os.path.exists(kept):
        old = json.load(open(kept, encoding="utf-8"))
        result = old["result"] if old["program"] == digest else {}
    left = [c for c in cases if c.name not in result]
    for case in [c for c in left if unwritable(c)]:
        result[case.name] = ["refused", unwritable(case), False, False]
        left.remove(case)
    for integers in (False, True):
        path = os.path.join(work, "cases%d.bin" % integers)
        write_cases(path, left, integers)
        found = run_cases(tool, path, left, jobs)
        again = []
        for case in left:
            word, why = verdict(found.get(case.name, {}))
            interpreted = found.get(case.name, {}).get(
                "interpreted", ("",))[0] == "pass"
            if word == "pass" or not integers:
                result[case.name] = [word, why, interpreted, integers]
            if word != "pass" and known_names(case, True) != \
                    known_names(case, False):
                again.append(case)
        left = again
    with open(kept, "w", encoding="utf-8") as out:
        json.dump({"program": digest, "result": result}, out)
    return result


# ---- reports ------------------------------------------------------------

def print_table(cases, result):
    def count(list_of):
        rows = [result[c.name] for c in list_of]
        return (len(rows), sum(r[2] for r in rows),
                sum(r[0] == "pass" for r in rows),
                sum(r[0] == "pass" and r[3] for r in rows))

    def line(name, list_of):
        print("%-34s %5d %6d %6d %6d" % ((name,) + count(list_of)))

    print("%-34s %5s %6s %6s %6s" % ("operator", "cases", "interp", "pass",
                                     "bound"))
    plain = [c for c in cases if not c.expanded and not c.simple]
    for group, ops in GROUPS.items():
        inside = [c for c in plain if c.op in ops.split()]
        if inside:
            line(group, inside)
        for op in ops.split():
            if any(c.op == op for c in inside):
                line("  " + op, [c for c in inside if c.op == op])
    training = [c for c in plain if c.op in GROUP_OF]
    line("training-relevant", training)
    line("their expanded forms", [c for c in cases
                                  if c.expanded and c.op in GROUP_OF])
    line("other operators", [c for c in plain if c.op not in GROUP_OF])
    line("their expanded forms", [c for c in cases
                                  if c.expanded and c.op not in GROUP_OF])
    line("the suite `simple`", [c for c in cases if c.simple])
    line("all", cases)


def short(why):
    """The reason without file and node."""
    why = re.sub(r"^\S*: *(error: )?(node '[^']*' \([^)]*\):? *)?", "", why)
    return why[:110]


def read_skipped(path):
    if not os.path.exists(path):
        return {}
    lines = open(path, encoding="utf-8").read().splitlines()
    return dict((s.split(" ", 1)[0], s.split(" ", 1)[1])
                for s in lines if s and not s.startswith("#"))


def write_skipped(path, cases, result):
    had = read_skipped(path)
    with open(path, "w", encoding="utf-8") as out:
        out.write("# Cases of the onnx node suite that do not pass: name, "
                  "operator, reason.\n")
        for case in sorted(cases, key=lambda c: (c.op, c.name)):
            word, why = result[case.name][:2]
            if word == "pass":
                continue
            reason = "%s %s: %s" % (case.op, word, short(why))
            if re.match(r"\w+ by hand: ", had.get(case.name, "")):
                reason = had[case.name]
            out.write("%s %s\n" % (case.name, reason))


def check_skipped(path, cases, result):
    skipped, faults = read_skipped(path), 0
    for case in cases:
        good = result[case.name][0] == "pass"
        if good == (case.name in skipped):
            faults += 1
            print("%s %s" % (case.name, "passes, but is listed as skipped"
                             if good else "is not listed, but: %s %s" %
                             tuple(result[case.name][:2])))
    for name in skipped.keys() - {c.name for c in cases}:
        print("%s is listed as skipped, but is no case" % name)
        faults += 1
    return faults


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--work")
    parser.add_argument("--only")
    parser.add_argument("--skipped")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--failing", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main():
    args = arguments()
    work = args.work or os.path.join(args.build, "node_suite")
    os.makedirs(work, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = list(node_cases()) + list(simple_cases())
    if args.only:
        cases = [c for c in cases if args.only == c.op or args.only in c.name]
        work = os.path.join(work, re.sub(r"\W", "_", args.only))
        os.makedirs(work, exist_ok=True)
    result = run_all(os.path.join(args.build, "tests", "run_cases"), cases,
                     work, args.jobs)
    print_table(cases, result)
    if args.failing:
        for case in sorted(cases, key=lambda c: (c.op, c.name)):
            if result[case.name][0] != "pass":
                print(case.op, case.name, *result[case.name][:2])
    if args.write:
        write_skipped(args.skipped, cases, result)
    return bool(args.skipped and check_skipped(args.skipped, cases, result))


if __name__ == "__main__":
    sys.exit(main())
