#!/usr/bin/env python3
"""Writes the cases of tests/operators_index in the form of operators.py:
operators that pick, put, sort and sample by computed places. cases.bin holds
the node suite's cases and ONNX Runtime's results of forms that it leaves out;
gradients.bin holds models in f64 whose "outputs" are PyTorch's gradients, for
the floating inputs, of the sum of cos(1 + i) * y[i]; hostile.bin holds models
that must be refused.
usage: operators_index.py FOLDER  (needs onnx, onnxruntime, torch, torchvision)
"""
import sys

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision

import operators as base

base.OPERATORS = """AffineGrid ArgMax ArgMin CenterCropPad Col2Im Compress
DeformConv EyeLike Gather GatherElements GatherND GridSample MaxPool MaxUnpool
NonZero OneHot Pad ReverseSequence RoiAlign Scatter ScatterElements ScatterND
TensorScatter TopK Trilu Unique""".split()
base.CONSTANT = {"AffineGrid": [1], "CenterCropPad": [1], "Col2Im": [1, 2],
                 "Compress": [1], "MaxUnpool": [2], "NonZero": [0],
                 "OneHot": [1], "Pad": [1, 2, 3], "TopK": [1], "Trilu": [1],
                 "Unique": [0]}
base.LARGEST = 16000
# Those that other fixtures hold.
ELSEWHERE = {"ArgMax", "ArgMin", "CenterCropPad", "EyeLike", "OneHot", "Trilu"}


def suite(known=base.suite):
    for case in known():
        model, outputs = case[2], case[4]
        pooled = case[1] != "MaxPool" or len(outputs) == 2
        if case[1] in ("GridSample", "RoiAlign"):
            # The suite's numbers are written with four digits.
            arrays = [np.asarray(a) for a in case[3]]
            yield case[:4] + (run(model, arrays),)
        elif case[1] not in ELSEWHERE and pooled:
            yield case


def run(model, inputs):
    untyped = onnx.ModelProto.FromString(model.SerializeToString())
    for value in untyped.graph.output:
        value.ClearField("type")
    if untyped.graph.node[0].op_type == "RoiAlign":
        # What ONNX Runtime has of the same meaning.
        opset = untyped.opset_import[0]
        opset.version = min(opset.version, 16)
    session = onnxruntime.InferenceSession(
        untyped.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(
        zip([v.name for v in session.get_inputs()], inputs)))


def older():
    """Forms that the suite leaves out."""
    rng = np.random.default_rng(23)
    one = base.one

    def f(*shape):
        return rng.normal(size=shape).astype(np.float32)

    def i(*values):
        return np.array(values, np.int64)

    def below(n, *shape):
        return rng.integers(0, n, shape)

    x = f(3, 4, 5)
    yield "topk_7", one("TopK", 7, [x], 2, k=3, axis=1)
    yield "topk_10", one("TopK", 10, [x, i(5)], 2)
    yield "topk_smallest", one("TopK", 11, [x, i(2)], 2, axis=0, largest=0)
    yield "topk_many", one("TopK", 11, [f(2, 300), i(40)], 2)
    yield "topk_integers", one("TopK", 11, [below(9, 4, 30), i(12)], 2)
    yield "topk_all", one("TopK", 11, [x, i(5)], 2, largest=0)
    yield "gather_elements_part", one("GatherElements", 13,
                                      [x, below(4, 2, 7, 3) - 2], axis=1)
    yield "gather_elements_i32", one(
        "GatherElements", 13, [x, below(5, 3, 4, 2).astype(np.int32)], axis=2)
    yield "gather_nd_rows", one("GatherND", 13,
                                [x, below(3, 2, 3, 1).astype(np.int64)])
    yield "gather_nd_all", one("GatherND", 13, [x, below(3, 6, 3) - 1])
    yield "gather_nd_batch", one("GatherND", 13, [f(2, 3, 4, 5),
                                                  below(3, 2, 6, 2)],
                                 batch_dims=1)
    yield "scatter_rows", one("Scatter", 10, [x, below(3, 2, 4, 5), f(2, 4, 5)])
    for how in "none", "add", "mul", "max", "min":
        yield "scatter_elements_" + how, one(
            "ScatterElements", 18, [x, np.array([[[0, 3], [2, 0], [1, -1]]]),
                                    f(1, 3, 2)], axis=1, reduction=how)
        yield "scatter_nd_" + how, one(
            "ScatterND", 18, [x, i(0, 2, 1, -1).reshape(4, 1), f(4, 4, 5)],
            reduction=how)
    yield "scatter_elements_same", one(
        "ScatterElements", 18, [x, np.zeros((3, 4, 6), np.int64), f(3, 4, 6)],
        axis=2, reduction="mul")
    yield "scatter_nd_deep", one("ScatterND", 16,
                                 [x, below(3, 2, 2, 2), f(2, 2, 5)])
    yield "scatter_integers", one(
        "ScatterElements", 18, [below(9, 4, 3), below(4, 6, 3),
                                below(9, 6, 3)], reduction="add")
    yield "scatter_bool", one("ScatterND", 13, [
        np.zeros((3, 2), bool), i(2, 0).reshape(2, 1),
        np.array([[True, False], [True, True]])])
    for mode in "edge", "reflect", "wrap":
        yield "pad_" + mode, one("Pad", 19, [f(2, 3, 4), i(0, 2, 1, 1, 1, 3)],
                                 mode=mode)
    yield "pad_reflect_10", one("Pad", 10, [f(2, 3)], mode="reflect",
                                pads=[1, 1, 0, 2])
    yield "reverse_middle", one("ReverseSequence", 10,
                                [f(3, 4, 2), i(4, 1, 3)], time_axis=1,
                                batch_axis=0)
    yield "compress_bits", one("Compress", 11, [
        x, np.array([True, False, True, True])], axis=1)
    yield "max_pool_both_1d", one("MaxPool", 12, [f(2, 3, 9)], 2,
                                  kernel_shape=[3], strides=[2], pads=[1, 1])
    yield "max_pool_both_2d", one("MaxPool", 12, [f(2, 2, 6, 5)], 2,
                                  kernel_shape=[3, 2], dilations=[2, 1],
                                  pads=[1, 0, 1, 1])
    yield "max_pool_both_3d", one("MaxPool", 12, [f(1, 2, 4, 3, 5)], 2,
                                  kernel_shape=[2, 2, 2], strides=[2, 1, 2])
    yield "max_pool_columns", one("MaxPool", 12, [f(2, 2, 6, 5)], 2,
                                  kernel_shape=[2, 2], strides=[2, 2],
                                  storage_order=1)
    yield "max_unpool_1d", one("MaxUnpool", 11, [
        f(1, 2, 3), i(1, 2, 5, 6, 9, 10).reshape(1, 2, 3)], kernel_shape=[2],
        strides=[2])
    for mode in "bilinear", "nearest", "bicubic":
        for edge in "zeros", "border", "reflection":
            for align in 0, 1:
                yield "grid_sample_%s_%s_%d" % (mode, edge, align), one(
                    "GridSample", 16, [f(2, 2, 4, 5), 1.3 * f(2, 3, 2, 2)],
                    mode=mode, padding_mode=edge, align_corners=align)
    for mode in "linear", "nearest":
        yield "grid_sample_3d_" + mode, one(
            "GridSample", 20, [f(1, 2, 3, 4, 3), f(1, 2, 3, 2, 3)], mode=mode,
            padding_mode="reflection")
    regions = np.array([[0, 0, 5, 4], [2, 1, 7, 9], [-2, 1, 3, 2]], np.float32)
    for mode in "avg", "max":
        yield "roi_align_" + mode, one(
            "RoiAlign", 16, [f(2, 3, 6, 7), regions, i(0, 1, 0)], mode=mode,
            output_height=2, output_width=3, sampling_ratio=2,
            spatial_scale=0.9)
    yield "roi_align_10", one(
        "RoiAlign", 10, [f(2, 3, 6, 7), regions, i(0, 1, 0)],
        output_height=2, output_width=2, sampling_ratio=3, spatial_scale=0.5)
    yield "max_roi_pool", one("MaxRoiPool", 7, [f(2, 3, 6, 7), np.array(
        [[0, 0, 0, 5, 4], [1, 2, 1, 6, 5], [1, 9, 1, 11, 3], [0, 1, 1, 1, 1]],
        np.float32)], pooled_shape=[2, 3], spatial_scale=0.8)
    yield "deform_conv", one("DeformConv", 19, [
        f(2, 4, 5, 6), f(6, 2, 3, 2), f(2, 24, 4, 3), f(6), f(2, 12, 4, 3)],
        group=2, offset_group=2, pads=[1, 0, 0, 1], strides=[1, 2],
        dilations=[1, 1])


# ---- gradients -------------------------------------------------------------

def weighted(y):
    i = torch.arange(y.numel(), dtype=torch.float64)
    return (torch.cos(1 + i) * y.reshape(-1)).sum()


def gradient_cases():
    """(name, model, inputs, what PyTorch computes of them)"""
    rng = np.random.default_rng(5)
    one = base.one
    functional = torch.nn.functional

    def f(*shape):
        return rng.normal(size=shape)

    for mode, name in ("bilinear", "linear"), ("bicubic", "cubic"):
        for edge in "zeros", "border", "reflection":
            for align in 0, 1:
                yield "torch_%s_%s_%d" % (name, edge, align), one(
                    "GridSample", 20, [f(2, 2, 4, 5), 0.8 * f(2, 3, 2, 2)],
                    mode=name, padding_mode=edge, align_corners=align), (
                    lambda x, g, mode=mode, edge=edge, align=align:
                        functional.grid_sample(x, g, mode, edge, bool(align)))
    yield "torch_linear_3d", one(
        "GridSample", 20, [f(1, 2, 3, 4, 3), 0.8 * f(1, 2, 2, 2, 3)],
        mode="linear", padding_mode="border"), (
        lambda x, g: functional.grid_sample(x, g, "bilinear", "border", False))
    theta = f(2, 2, 3)
    yield "torch_affine", one("AffineGrid", 20, [
        theta, np.array([2, 3, 3, 4])]), (
        lambda t, s: functional.affine_grid(t, [2, 3, 3, 4], False))
    regions = np.array([[0.3, 0.2, 4.7, 4.1], [1.9, 1.2, 6.3, 5.4]])
    yield "torch_roi_align", one(
        "RoiAlign", 16, [f(2, 3, 6, 7), regions, np.array([1, 0])],
        output_height=2, output_width=3, sampling_ratio=2,
        spatial_scale=0.75), (
        lambda x, r, i: torchvision.ops.roi_align(
            x, torch.cat([i[:, None].double(), r], 1), (2, 3), 0.75, 2, True))
    yield "torch_deform", one("DeformConv", 19, [
        f(2, 4, 4, 5), f(6, 2, 3, 2), 0.7 * f(2, 24, 3, 2), f(6),
        f(2, 12, 3, 2)], group=2, offset_group=2, pads=[1, 0, 0, 0],
        strides=[1, 2]), None
    yield "torch_topk", one("TopK", 11, [f(3, 7, 2), np.array([4])], 2,
                            axis=1), (
        lambda x, k: torch.topk(x, 4, 1)[0])
    index = rng.permuted(np.tile(np.arange(5), (3, 1)), axis=1)[:, :4]
    yield "torch_scatter_add", one("ScatterElements", 18, [
        f(3, 5), np.array([[0, 1, 1, 4], [2, 2, 2, 2], [3, 0, 1, 0]]),
        f(3, 4)], axis=1, reduction="add"), (
        lambda x, i, u: x.scatter_add(1, i, u))
    yield "torch_scatter", one("ScatterElements", 18, [
        f(3, 5), index, f(3, 4)], axis=1), (
        lambda x, i, u: x.scatter(1, i, u))
    yield "torch_scatter_prod", one("ScatterElements", 18, [
        f(3, 5), index, f(3, 4)], axis=1, reduction="mul"), (
        lambda x, i, u: x.scatter_reduce(1, i, u, "prod"))
    for mode, name in (("reflect", "reflect"), ("replicate", "edge"),
                       ("circular", "wrap")):
        yield "torch_pad_" + name, one("Pad", 19, [
            f(2, 3, 4, 5), np.array([0, 0, 1, 2, 0, 0, 2, 1])], mode=name), (
            lambda x, p, mode=mode: functional.pad(x, (2, 1, 1, 2), mode))
    parts = [f(6, 4), f(4, 3), f(3, 4, 5)]
    yield "torch_mixture", (mixture_model(*parts), parts), mixture
    image = f(2, 12, 18)
    yield "torch_fold", one("Col2Im", 18, [
        image, np.array([5, 6]), np.array([2, 2])], pads=[0, 1, 1, 0],
        strides=[2, 1]), None


def mixture_model(x, gate, experts):
    """Each token goes to the two best of the experts, by their weights."""
    node = onnx.helper.make_node

    def known(name, *values):
        return onnx.numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        node("MatMul", ["x0", "x1"], ["logits"]),
        node("Softmax", ["logits"], ["p"], axis=1),
        node("TopK", ["p", "two"], ["best", "which"], axis=1),
        node("ReduceSum", ["best", "one"], ["sum"]),
        node("Div", ["best", "sum"], ["share"]),
        node("ConstantOfShape", ["shape"], ["zeros"],
             value=onnx.numpy_helper.from_array(np.zeros(1))),
        node("ScatterElements", ["zeros", "which", "share"], ["weight"],
             axis=1),
        node("Einsum", ["weight", "x0", "x2"], ["y"],
             equation="te,td,edf->tf")]
    graph = onnx.helper.make_graph(
        nodes, "mixture",
        [onnx.helper.make_tensor_value_info(
            "x%d" % i, onnx.TensorProto.DOUBLE, a.shape)
         for i, a in enumerate((x, gate, experts))],
        [onnx.helper.make_tensor_value_info(
            "y", onnx.TensorProto.DOUBLE, [x.shape[0], experts.shape[2]])],
        [known("two", 2), known("one", 1),
         known("shape", x.shape[0], experts.shape[0])])
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)


def mixture(x, gate, experts):
    best, which = torch.topk(torch.softmax(x @ gate, 1), 2, 1)
    weight = torch.zeros(x.shape[0], gate.shape[1], dtype=x.dtype)
    weight = weight.scatter(1, which, best / best.sum(1, keepdim=True))
    return torch.einsum("te,td,edf->tf", weight, x, experts)


def deform(x, w, offset, b, mask):
    padded = torch.nn.functional.pad(x, (0, 0, 1, 0))
    return torchvision.ops.deform_conv2d(
        padded, offset, w, b, stride=(1, 2), mask=mask)


def fold(x, _, __):
    whole = torch.nn.functional.fold(x, (6, 7), (2, 2), stride=(2, 1))
    return whole[:, :, :5, 1:]


def write_gradients(out):
    for name, (model, inputs), compute in gradient_cases():
        if compute is None:
            compute = deform if name == "torch_deform" else fold
        given = [torch.tensor(a) for a in inputs]
        for t in given:
            t.requires_grad_(t.dtype == torch.float64)
        y = compute(*given)
        weighted(y).backward()
        model, inputs = base.bind(model, inputs)
        names = [v.name for v in model.graph.input]
        # Of regions PyTorch has none; then the first inputs' are compared.
        grads = [given[int(n[1:])].grad.numpy() for n in names
                 if given[int(n[1:])].grad is not None]
        data = model.SerializeToString()
        out.write(("case %s %s %d %d %d\n" % (
            name, model.graph.node[0].op_type, len(data), len(inputs),
            len(grads))).encode())
        out.write(data)
        for array in inputs + grads:
            base.tensor(out, array)


# ---- what must be refused ----------------------------------------------------

HUGE = 2**62


def hostile():
    """(operator, opset, types and shapes of the inputs, or known arrays,
    attributes)"""
    def f(*shape):
        return ("f32", shape)

    def n(*shape):
        return ("i64", shape)

    def known(*values):
        return np.array(values, np.int64)

    x, least = f(3, 4), -2**63
    for axis in 2, -3, HUGE, least:
        yield "GatherElements", 13, [x, n(3, 4)], {"axis": axis}
        yield "ScatterElements", 18, [x, n(2, 2), f(2, 2)], {"axis": axis}
        yield "TopK", 11, [x, known(1)], {"axis": axis}
        yield "TensorScatter", 24, [f(2, 3), f(2, 1)], {"axis": axis}
        yield "Compress", 11, [x, known(1, 0)], {"axis": axis}
        yield "Unique", 11, [known(1, 2)], {"axis": axis}
        yield "ReverseSequence", 10, [x, n(4)], {"time_axis": axis,
                                                 "batch_axis": axis}
    for k in 0, -1, 5, HUGE, least:
        yield "TopK", 11, [x, known(k)], {}
    yield "TopK", 11, [x, known(1, 1)], {}
    yield "TopK", 11, [x, n(1)], {}
    yield "TopK", 7, [x], {"k": 0}
    yield "GatherElements", 13, [x, n(4, 4)], {"axis": 1}
    yield "GatherElements", 13, [x, n(3)], {}
    yield "GatherElements", 13, [x, f(3, 4)], {}
    yield "GatherElements", 13, [x, known(7).reshape(1, 1)], {}
    yield "GatherElements", 13, [x, known(least).reshape(1, 1)], {}
    for batch in 1, 2, -1, HUGE, least:
        yield "GatherND", 13, [x, n(2, 2)], {"batch_dims": batch}
    yield "GatherND", 13, [x, n(2, 3)], {}
    yield "GatherND", 13, [x, n(2, 0)], {}
    yield "GatherND", 13, [f(2, 2, 2, 2, 2, 2, 2, 2), n(2, 2, 1)], {}
    yield "ScatterElements", 18, [x, n(2, 2), f(2, 3)], {}
    yield "ScatterElements", 18, [x, n(2, 5), f(2, 5)], {"axis": 0}
    yield "ScatterElements", 18, [x, n(2, 2), n(2, 2)], {}
    yield "ScatterElements", 18, [x, n(2, 2), f(2, 2)], {"reduction": "sub"}
    yield "ScatterND", 18, [x, n(2, 1), f(2, 3)], {}
    yield "ScatterND", 18, [x, n(2, 3), f(2)], {}
    yield "ScatterND", 18, [x, n(2, 1), f(2, 4)], {"reduction": "\n"}
    yield "TensorScatter", 24, [f(2, 3, 4), f(2, 4, 4)], {}
    yield "TensorScatter", 24, [f(2, 3, 4), f(2, 1, 4), n(3)], {}
    yield "TensorScatter", 24, [f(2, 3, 4), f(2, 1, 4)], {"mode": "round"}
    yield "Compress", 11, [x, known(1, 1, 1, 1, 1)], {"axis": 1}
    yield "Compress", 11, [x, ("i1", (3,))], {"axis": 0}
    yield "NonZero", 13, [x], {}
    yield "NonZero", 13, [np.array(3)], {}
    yield "Unique", 11, [x], {}
    yield "ReverseSequence", 10, [x, n(3)], {}
    image = f(1, 2, 6, 6)
    for size in 0, -1, HUGE, least:
        yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 2)], {
            "kernel_shape": [2, size]}
        yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 2)], {
            "kernel_shape": [2, 2], "strides": [1, size]}
        yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 2),
                                known(1, 1, 2, size)], {"kernel_shape": [2, 2]}
        yield "Col2Im", 18, [f(1, 4, 9), known(4, size), known(2, 2)], {}
        yield "Col2Im", 18, [f(1, 4, 9), known(4, 4), known(2, size)], {}
        yield "Col2Im", 18, [f(1, 4, 9), known(4, 4), known(2, 2)], {
            "dilations": [1, size]}
        yield "AffineGrid", 20, [f(1, 2, 3), known(1, 1, 2, size)], {}
        yield "MaxRoiPool", 7, [image, f(1, 5)], {"pooled_shape": [size, 1]}
        yield "RoiAlign", 16, [image, f(1, 4), n(1)], {
            "output_height": size, "sampling_ratio": 1}
        yield "DeformConv", 19, [image, f(2, 2, 1, 1), f(1, 2, 6, 6)], {
            "group": size}
        yield "DeformConv", 19, [image, f(2, 2, 1, 1), f(1, 2, 6, 6)], {
            "offset_group": size}
        yield "DeformConv", 19, [image, f(2, 2, 1, 1), f(1, 2, 6, 6)], {
            "strides": [1, size]}
    for ratio in 0, -1, HUGE, least:
        yield "RoiAlign", 16, [image, f(1, 4), n(1)], {"sampling_ratio": ratio}
    yield "RoiAlign", 16, [image, f(2, 4), n(1)], {"sampling_ratio": 1}
    yield "RoiAlign", 16, [image, f(2, 5), n(2)], {"sampling_ratio": 1}
    yield "RoiAlign", 16, [image, f(1, 4), n(1)], {"sampling_ratio": 1,
                                                   "mode": "least"}
    yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 2)], {
        "kernel_shape": [2, 2], "pads": [9, 9, 9, 9]}
    yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 3)], {
        "kernel_shape": [2, 2]}
    yield "MaxUnpool", 11, [f(1, 1, 2, 2), n(1, 1, 2, 2)], {}
    yield "Col2Im", 18, [f(1, 4, 8), known(4, 4), known(2, 2)], {}
    yield "Col2Im", 18, [f(1, 3, 9), known(4, 4), known(2, 2)], {}
    yield "GridSample", 20, [image, f(1, 2, 2, 3)], {}
    yield "GridSample", 20, [image, f(2, 2, 2, 2)], {}
    yield "GridSample", 20, [image, f(1, 2, 2, 2)], {"mode": "bilinear"}
    yield "GridSample", 16, [image, f(1, 2, 2, 2)], {"padding_mode": "wrap"}
    yield "GridSample", 20, [f(1, 1, 2, 2, 2, 2), f(1, 2, 2, 2, 2, 4)], {}
    yield "AffineGrid", 20, [f(1, 3, 3), known(1, 1, 2, 2)], {}
    yield "AffineGrid", 20, [f(2, 2, 3), known(1, 1, 2, 2)], {}
    yield "DeformConv", 19, [image, f(2, 2, 3, 3), f(1, 18, 4, 5)], {}
    yield "DeformConv", 19, [image, f(2, 2, 9, 9), f(1, 162, 1, 1)], {}
    yield "Pad", 19, [x, known(0, 0, 1, 0)], {"mode": "mirror"}
    for size in HUGE, least, -9:
        for mode in "edge", "reflect", "wrap":
            yield "Pad", 19, [x, known(0, size, 0, 0)], {"mode": mode}


def write_hostile(out):
    for k, (op, opset, inputs, attributes) in enumerate(hostile()):
        zeros = [np.zeros(a[1], {"f32": np.float32, "i1": bool}.get(
            a[0], np.int64)) if isinstance(a, tuple) else a for a in inputs]
        model, _ = base.one(op, opset, zeros, 1, **attributes)
        for name, a in list(zip([v.name for v in model.graph.input], inputs)):
            if not isinstance(a, tuple):
                model.graph.initializer.append(
                    onnx.numpy_helper.from_array(a, name))
                model.graph.input.remove(next(
                    v for v in model.graph.input if v.name == name))
        data = model.SerializeToString()
        out.write(("case hostile_%d %s %d 0 0\n" % (k, op, len(data))).encode())
        out.write(data)


base.suite = suite
base.older = older
base.run = run
if __name__ == "__main__":
    base.main(sys.argv[1])
    with open(sys.argv[1] + "/gradients.bin", "wb") as gradients:
        write_gradients(gradients)
    with open(sys.argv[1] + "/hostile.bin", "wb") as refused:
        write_hostile(refused)
