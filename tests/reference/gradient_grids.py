"""The grids of gradients.py: all_of() yields (operator, opset, attributes,
inputs, outputs). Ranges keep away from poles, kinks and ties."""
import itertools


def sizes(shape):
    return ",".join(str(n) for n in shape)


def f(*shape, low=None, high=None):
    text = "f64[%s]" % sizes(shape)
    return text if low is None else "%s:%g:%g" % (text, low, high)


def i(*values):
    return "=i64[%d]{%s}" % (len(values), sizes(values))


def one(value):
    return "=i64[]{%d}" % value


def classes(shape, count):
    return "i64[%s]:0:%d" % (sizes(shape), count)


def const(*values):
    return "=f64[%d]{%s}" % (len(values), ",".join("%g" % v for v in values))


def given(**attributes):
    return {k: v for k, v in attributes.items() if v is not None}


SHAPES = [(), (1,), (7,), (2, 3), (1, 4, 1), (2, 3, 4)]
RANGES = {"Acos": (-0.9, 0.9), "Acosh": (1.2, 4), "Asin": (-0.9, 0.9),
          "Atanh": (-0.9, 0.9), "Log": (0.2, 4), "Sqrt": (0.2, 4),
          "Tan": (-1.2, 1.2), "Reciprocal": (0.3, 3)}
UNARY = """Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor
HardSwish Identity Log Mish Neg Reciprocal Relu Round Sigmoid Sign Sin Sinh
Softplus Softsign Sqrt Tan Tanh""".split()


def unary():
    for op in UNARY:
        opset = {"Mish": 18, "HardSwish": 14}.get(op, 13)
        low, high = RANGES.get(op, (None, None))
        for shape in SHAPES:
            yield op, opset, {}, [f(*shape, low=low, high=high)], 1


def activations():
    grids = {
        ("LeakyRelu", 16): [{}, {"alpha": 0.2}, {"alpha": 0.0}],
        ("Elu", 7): [{}, {"alpha": 0.5}, {"alpha": 2.0}],
        ("Selu", 7): [{}, {"alpha": 2.0, "gamma": 3.0}],
        ("Celu", 12): [{}, {"alpha": 0.5}, {"alpha": 2.0}],
        ("Gelu", 20): [{}, {"approximate": "tanh"}, {"approximate": "none"}],
        ("HardSigmoid", 7): [{}, {"alpha": 0.5, "beta": 0.6}],
        ("Swish", 24): [{}, {"alpha": 0.5}, {"alpha": 2.0}],
        ("ThresholdedRelu", 10): [{}, {"alpha": 0.4}],
        ("Shrink", 9): [{"lambd": 0.6}, {"lambd": 0.6, "bias": 0.3}],
    }
    for (op, opset), rows in grids.items():
        for attributes, shape in itertools.product(rows, SHAPES[2:]):
            yield op, opset, attributes, [f(*shape)], 1
    for shape, axes in (((7,), 1), ((2, 3), 2), ((2, 3, 4), 3)):
        for op, axis in itertools.product(("Softmax", "LogSoftmax", "Hardmax"),
                                          range(-axes, axes)):
            yield op, 13, {"axis": axis}, [f(*shape)], 1
            if axis >= 0:
                yield op, 11, {"axis": axis}, [f(*shape)], 1
    for shape, slope in (((2, 3), (3,)), ((2, 3), (1,)), ((2, 3, 4), (3, 1)),
                         ((2, 3, 4), (1,)), ((2, 3, 4), (4,)),
                         ((2, 3, 4), (2, 3, 4))):
        yield "PRelu", 16, {}, [f(*shape), f(*slope)], 1
    for shape in ((2, 4), (3, 6), (2, 3, 4)):
        yield "SwiGLU", 28, {}, [f(*shape), f(*shape)], 1
        yield "SwiGLU", 28, {"alpha": 0.7}, [f(*shape), f(*shape)], 1
    for low, high in itertools.product((None, -0.5), (None, 0.7)):
        inputs = [f(2, 5)] + [
            "-" if x is None else "=f64[]{%g}" % x for x in (low, high)]
        while inputs[-1] == "-":
            inputs.pop()
        yield "Clip", 13, {}, inputs, 1
        yield "Clip", 7, given(min=low, max=high), [f(2, 5)], 1


PAIRS = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)),
         ((2, 3), ()), ((2, 1), (1, 3)), ((2, 1, 4), (3, 1)),
         ((1,), (2, 3)), ((2, 3, 4), (2, 3, 4)), ((4, 1, 1), (1, 2, 3))]


def binary():
    for op, (a, b) in itertools.product(("Add", "Sub", "Mul", "Max", "Min",
                                         "Mean", "Sum"), PAIRS):
        yield op, 13, {}, [f(*a), f(*b)], 1
    for a, b in PAIRS:
        yield "Div", 14, {}, [f(*a), f(*b, low=0.4, high=2)], 1
        yield "Div", 14, {}, [f(*a), f(*b, low=-2, high=-0.4)], 1
        yield "Pow", 15, {}, [f(*a, low=0.4, high=2), f(*b)], 1
        yield "Mod", 13, {"fmod": 1}, [f(*a, low=4.1, high=5.9),
                                       f(*b, low=2.1, high=3.9)], 1
        yield "Where", 16, {}, ["i1[%s]" % sizes(a), f(*a), f(*b)], 1
    for exponent in (2, 3, 0.5, -1, 0, 1):
        low = 0.4 if exponent in (0.5, -1) else -2
        yield "Pow", 15, {}, [f(2, 3, low=low, high=2),
                              "=f64[]{%g}" % exponent], 1
    for op in ("Max", "Min", "Mean", "Sum"):
        yield op, 13, {}, [f(2, 3)], 1
        yield op, 13, {}, [f(2, 3), f(3), f(2, 1)], 1
        yield op, 13, {}, [f(2, 3), f(3), f(2, 1), f(1, 3), f()], 1
    for shape in ((2, 3), (4,)):
        yield "Cast", 13, {"to": 11}, [f(*shape)], 1
        yield "CastLike", 19, {}, [f(*shape), "=f64[1]{0}"], 1


def products():
    for a, b in (((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)),
                 ((2, 3), (3, 4)), ((2, 2, 3), (3, 4)),
                 ((2, 2, 3), (2, 3, 4)), ((1, 2, 3), (2, 3, 4)),
                 ((2, 1, 2, 3), (1, 2, 3, 2)), ((3,), (2, 3, 4)),
                 ((2, 2, 3), (3,)), ((2, 3, 2, 5), (2, 3, 5, 2)),
                 ((1, 1), (1, 1)), ((5, 1), (1, 4))):
        yield "MatMul", 13, {}, [f(*a), f(*b)], 1
    for ta, tb, c in itertools.product((0, 1), (0, 1),
                                       (None, (), (4,), (1, 4), (2, 1),
                                        (2, 4), (1, 1))):
        inputs = [f(*((3, 2) if ta else (2, 3))),
                  f(*((4, 3) if tb else (3, 4)))]
        inputs += [] if c is None else [f(*c)]
        yield "Gemm", 13, {"transA": ta, "transB": tb}, inputs, 1
        if c in (None, (4,)):
            yield "Gemm", 13, {"transA": ta, "transB": tb, "alpha": 0.5,
                               "beta": 2.0}, inputs, 1
    for equation, *shapes in (
            ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 2, 3),
                                            (2, 3, 2)),
            ("ii->i", (3, 3)), ("ii->", (3, 3)), ("ij->ji", (2, 3)),
            ("ij->", (2, 3)), ("ij->j", (2, 3)), ("i,j->ij", (3,), (4,)),
            ("i,i->", (3,), (3,)), ("bqhd,bkhd->bhqk", (1, 2, 2, 3),
                                    (1, 3, 2, 3)),
            ("ab,bc,cd->ad", (2, 3), (3, 2), (2, 3)),
            ("...ij,...jk->...ik", (1, 2, 3), (2, 3, 2)),
            ("ij,ij->ij", (2, 3), (2, 3)), ("bi,oij,bj->bo", (2, 3),
                                            (2, 3, 2), (2, 2)),
            ("ij,jk", (2, 3), (3, 2)), ("iij->j", (2, 2, 3)),
            ("bhqk,bkhd->bqhd", (1, 2, 2, 3), (1, 3, 2, 2))):
        yield "Einsum", 12, {"equation": equation}, [f(*s) for s in shapes], 1


def convolutions():
    rows = []
    for strides, pads, dilations, group in itertools.product(
            ((1, 1), (2, 1), (2, 3)), ((0, 0, 0, 0), (1, 1, 1, 1),
                                       (0, 1, 2, 0)),
            ((1, 1), (2, 1)), (1, 2)):
        rows.append(dict(strides=list(strides), pads=list(pads),
                         dilations=list(dilations), group=group))
    for n, row in enumerate(rows):
        inputs = [f(1, 4, 6, 5), f(2, 4 // row["group"], 3, 2)]
        yield "Conv", 11, row, inputs + [f(2)][:n % 2], 1
        inputs = [f(1, 4, 3, 4), f(4, 2, 3, 2)]
        yield "ConvTranspose", 11, row, inputs + [
            f(2 * row["group"])][:n % 2], 1
    for stride, pad, dilation in itertools.product((1, 2), (0, 1), (1, 2)):
        row = dict(strides=[stride], pads=[pad, pad], dilations=[dilation])
        yield "Conv", 11, row, [f(2, 2, 7), f(3, 2, 3)], 1
        yield "ConvTranspose", 11, row, [f(2, 2, 4), f(2, 3, 3), f(3)], 1
        row = dict(strides=[stride] * 3, pads=[pad] * 6,
                   dilations=[dilation, 1, 1])
        yield "Conv", 11, row, [f(1, 2, 5, 3, 4), f(2, 2, 2, 2, 3)], 1
        row = dict(strides=[stride] * 3, pads=[pad, 0, pad] * 2,
                   dilations=[dilation, 1, 1])
        yield "ConvTranspose", 11, row, [f(1, 2, 3, 2, 3),
                                         f(2, 2, 2, 2, 3)], 1
    for auto, stride in itertools.product(("SAME_UPPER", "SAME_LOWER",
                                           "VALID"), (1, 2)):
        yield "Conv", 11, dict(auto_pad=auto, strides=[stride] * 2), [
            f(1, 2, 5, 6), f(2, 2, 3, 2)], 1
        yield "ConvTranspose", 11, dict(auto_pad=auto, strides=[stride] * 2), [
            f(1, 2, 3, 4), f(2, 2, 3, 2)], 1
    for padding in ((1, 0), (0, 1), (1, 1)):
        yield "ConvTranspose", 11, dict(
            strides=[2, 2], output_padding=list(padding)), [
                f(1, 2, 3, 3), f(2, 1, 3, 3)], 1
    for channels in (2, 3):  # depthwise, pointwise
        yield "Conv", 11, dict(group=channels), [
            f(1, channels, 4, 4), f(2 * channels, 1, 3, 3)], 1
        yield "Conv", 11, {}, [f(2, channels, 3, 3), f(4, channels, 1, 1)], 1


def pools():
    two = list(itertools.product(((2, 2), (3, 2)), ((1, 1), (2, 2)),
                                 ((0, 0, 0, 0), (1, 0, 0, 1)), (0, 1)))
    for kernel, strides, pads, ceil in two:
        row = dict(kernel_shape=list(kernel), strides=list(strides),
                   pads=list(pads), ceil_mode=ceil)
        yield "MaxPool", 12, row, [f(1, 2, 5, 6)], 1
        yield "AveragePool", 19, row, [f(1, 2, 5, 6)], 1
        yield "AveragePool", 19, dict(row, count_include_pad=1), [
            f(1, 2, 5, 6)], 1
        for p in (1, 2, 3):
            yield "LpPool", 18, dict(row, p=p), [
                f(1, 2, 5, 6, low=0.3, high=2)], 1
        if not ceil:
            yield "MaxPool", 12, dict(row, dilations=[2, 1]), [
                f(1, 2, 6, 6)], 1
            yield "AveragePool", 19, dict(row, dilations=[2, 1]), [
                f(1, 2, 6, 6)], 1
    for op, opset in (("MaxPool", 12), ("AveragePool", 19), ("LpPool", 18)):
        for stride, pad in itertools.product((1, 2), (0, 1)):
            yield op, opset, dict(kernel_shape=[3], strides=[stride],
                                  pads=[pad, pad]), [
                                      f(2, 2, 8, low=0.3, high=2)], 1
            yield op, opset, dict(kernel_shape=[2, 2, 2], strides=[stride] * 3,
                                  pads=[pad] * 6), [
                                      f(1, 1, 4, 3, 4, low=0.3, high=2)], 1
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            yield op, opset, dict(kernel_shape=[3, 2], strides=[2, 2],
                                  auto_pad=auto), [
                                      f(1, 2, 5, 5, low=0.3, high=2)], 1
    for op, shape in itertools.product(
            ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"),
            ((1, 2, 5), (2, 2, 3, 4), (1, 2, 2, 3, 2), (2, 3, 1, 1))):
        yield op, 7, {}, [f(*shape)], 1
    for indices in ([0, 3, 6, 11], [5, 2, 15, 8]):
        yield "MaxUnpool", 11, dict(kernel_shape=[2, 2], strides=[2, 2]), [
            f(1, 1, 2, 2), "=i64[1,1,2,2]{%s}" % sizes(indices)], 1


def normalizations():
    for shape, channels in (((4, 3), 3), ((2, 3, 4), 3), ((2, 2, 3, 2), 2),
                            ((1, 2, 2, 2, 2), 2)):
        ranges = dict(low=0.5, high=2)
        for epsilon in (None, 0.1):
            yield "BatchNormalization", 15, given(epsilon=epsilon), [
                f(*shape), f(channels), f(channels), "=" + f(channels),
                "=" + f(channels, **ranges)], 1
            for outputs in (1, 3):
                yield "BatchNormalization", 15, given(
                    epsilon=epsilon, training_mode=1, momentum=0.7), [
                        f(*shape), f(channels), f(channels), f(channels),
                        f(channels, **ranges)], outputs
            yield "BatchNormalization", 15, given(epsilon=epsilon), [
                f(*shape), f(channels), f(channels), f(channels),
                f(channels, **ranges)], 1
        if len(shape) > 2:
            yield "InstanceNormalization", 7, {}, [
                f(*shape), f(channels), f(channels)], 1
            yield "InstanceNormalization", 7, {"epsilon": 0.1}, [
                f(*shape), f(channels), f(channels)], 1
    for shape in ((3, 4), (2, 3, 4), (2, 2, 3, 2)):
        for axis in range(-len(shape), len(shape)):
            rest = shape[axis:] if axis < 0 else shape[axis:]
            yield "LayerNormalization", 17, {"axis": axis}, [
                f(*shape), f(*rest)], 1
            yield "LayerNormalization", 17, {"axis": axis, "epsilon": 0.01}, [
                f(*shape), f(*rest), f(*rest)], 1
            yield "LayerNormalization", 17, {"axis": axis}, [
                f(*shape), f(*rest), f(*rest)], 3
            yield "RMSNormalization", 23, {"axis": axis}, [
                f(*shape), f(*rest)], 1
            yield "RMSNormalization", 23, {"axis": axis, "epsilon": 0.01}, [
                f(*shape), f(*rest)], 1
            for p in (1, 2):
                yield "LpNormalization", 22, {"axis": axis, "p": p}, [
                    f(*shape)], 1
    for shape, groups in (((2, 4, 3), 2), ((1, 4, 2, 2), 1),
                          ((1, 4, 2, 2), 4), ((2, 6, 2), 3)):
        for epsilon in (None, 0.1):
            yield "GroupNormalization", 21, given(
                num_groups=groups, epsilon=epsilon), [
                    f(*shape), f(shape[1]), f(shape[1])], 1
    for size, shape in itertools.product((1, 2, 3, 5), ((1, 5, 3),
                                                        (2, 4, 2, 2))):
        yield "LRN", 13, dict(size=size), [f(*shape)], 1
        yield "LRN", 13, dict(size=size, alpha=0.5, beta=0.6, bias=2.0), [
            f(*shape)], 1
    for axes in (None, [0, 2, 3], [1], [0, 1, 2, 3], [2, 3], [-1]):
        yield "MeanVarianceNormalization", 13, given(axes=axes), [
            f(2, 3, 2, 3)], 1


REDUCTIONS = {"ReduceL1": None, "ReduceL2": None, "ReduceLogSum": (0.3, 2),
              "ReduceLogSumExp": None, "ReduceMax": None, "ReduceMean": None,
              "ReduceMin": None, "ReduceProd": None, "ReduceSum": None,
              "ReduceSumSquare": None}


def reductions():
    for op, limits in REDUCTIONS.items():
        low, high = limits or (None, None)
        for shape, axes, keep in (
                ((5,), [0], 1), ((5,), [-1], 0), ((2, 3), [0], 1),
                ((2, 3), [1], 0), ((2, 3), [0, 1], 1), ((2, 3), None, 0),
                ((2, 3, 4), [1], 1), ((2, 3, 4), [-1], 0),
                ((2, 3, 4), [0, 2], 1), ((2, 3, 4), [-2, 0], 0),
                ((2, 3, 4), [1, 2], 0), ((2, 3, 4), None, 1),
                ((1, 3, 1), [0, 2], 0)):
            x = f(*shape, low=low, high=high)
            if op == "ReduceSum":
                yield op, 11, given(axes=axes, keepdims=keep), [x], 1
            else:
                yield op, 13, given(axes=axes, keepdims=keep), [x], 1
            inputs = [x] + ([] if axes is None else [i(*axes)])
            yield op, 18 if op != "ReduceSum" else 13, dict(keepdims=keep), \
                inputs, 1
        yield op, 18 if op != "ReduceSum" else 13, dict(
            noop_with_empty_axes=1), [f(2, 3, low=low or 0.3, high=2)], 1
    for op, opset in (("CumSum", 14), ("CumProd", 26)):
        for shape, axis, exclusive, reverse in itertools.product(
                ((5,), (2, 3), (2, 3, 2)), (0, -1), (0, 1), (0, 1)):
            yield op, opset, dict(exclusive=exclusive, reverse=reverse), [
                f(*shape), one(axis)], 1
    for shape, axis, k, largest in (((6,), 0, 2, 1), ((6,), -1, 3, 0),
                                    ((2, 5), 1, 2, 1), ((4, 3), 0, 2, 0),
                                    ((2, 3, 5), -1, 1, 1),
                                    ((2, 4, 3), 1, 4, 1)):
        yield "TopK", 11, dict(axis=axis, largest=largest), [
            f(*shape), i(k)], 2


def losses():
    shapes = (((4,), 3), ((2, 3), 4), ((2, 2, 2), 3))
    for op in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        for (rest, count), weights, ignore, reduction in itertools.product(
                shapes, (0, 1), (None, 1), (None, "mean", "sum", "none")):
            x = f(rest[0], count, *rest[1:])
            inputs = [x, classes(rest, count)]
            inputs += [f(count, low=0.3, high=2)] if weights else []
            yield op, 13, given(ignore_index=ignore, reduction=reduction), \
                inputs, 1
            if op[0] == "S" and reduction != "sum":
                yield op, 13, given(ignore_index=ignore,
                                    reduction=reduction), inputs, 2
    for ratio in (0.3, 0.5):
        yield "Dropout", 7, {"ratio": ratio}, [f(2, 3)], 1
    yield "Dropout", 13, {}, [f(2, 3)], 1
    yield "Dropout", 13, {}, [f(2, 3), "=f64[]{0.4}"], 1
    yield "Dropout", 13, {}, [f(2, 3), "=f64[]{0}", "=i1[]{1}"], 1


def recurrent():
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    for op, direction, layout in itertools.product(
            gates, ("forward", "reverse", "bidirectional"), (0, 1)):
        dirs = 2 if direction == "bidirectional" else 1
        t, n, x, h = 3, 2, 2, 2
        seq = (n, t, x) if layout else (t, n, x)
        state = (n, dirs, h) if layout else (dirs, n, h)
        w = f(dirs, gates[op] * h, x, low=-1, high=1)
        r = f(dirs, gates[op] * h, h, low=-1, high=1)
        b = f(dirs, 2 * gates[op] * h, low=-1, high=1)
        lens = "=i32[2]{3,2}"
        row = dict(hidden_size=h, direction=direction, layout=layout)
        outputs = 3 if op == "LSTM" else 2
        states = [f(*state)] * (outputs - 1)
        rows = [row]
        if op == "GRU":
            rows.append(dict(row, linear_before_reset=1))
        for more in rows:
            yield op, 14, more, [f(*seq), w, r], 1
            yield op, 14, more, [f(*seq), w, r, b], outputs
            yield op, 14, more, [f(*seq), w, r, b, lens], outputs
            yield op, 14, more, [f(*seq), w, r, b, "-"] + states, outputs
            yield op, 14, more, [f(*seq), w, r, b, lens] + states, outputs
            yield op, 14, more, [f(*seq), w, r, "-", lens] + states, 1
            yield op, 14, dict(more, clip=0.8), [f(*seq), w, r, b], 1
        if op == "LSTM":
            peepholes = f(dirs, 3 * h, low=-1, high=1)
            yield op, 14, row, [f(*seq), w, r, b, "-"] + states + [
                peepholes], 3
            yield op, 14, row, [f(*seq), w, r, b, lens] + states + [
                peepholes], 1
        names = {"RNN": [["Tanh"], ["Sigmoid"], ["Softsign"], ["Affine"]],
                 "GRU": [["Sigmoid", "Tanh"], ["HardSigmoid", "Softsign"]],
                 "LSTM": [["Sigmoid", "Tanh", "Softplus"],
                          ["HardSigmoid", "Elu", "Tanh"]]}
        for activations_ in names[op]:
            more = dict(row, activations=activations_ * dirs)
            if "Affine" in activations_:
                more.update(activation_alpha=[0.7] * dirs,
                            activation_beta=[0.1] * dirs)
            yield op, 14, more, [f(*seq), w, r, b], 1


def movement():
    yield from shapes_only()
    for perm in itertools.permutations(range(3)):
        yield "Transpose", 13, {"perm": list(perm)}, [f(2, 3, 4)], 1
    yield "Transpose", 13, {}, [f(2, 3, 4)], 1
    yield "Transpose", 13, {"perm": [3, 1, 0, 2]}, [f(2, 3, 1, 2)], 1
    for axis in (0, 1, -1):
        yield "Concat", 13, {"axis": axis}, [f(2, 3), f(2, 3), f(2, 3)], 1
    yield "Concat", 13, {"axis": 1}, [f(2, 1), f(2, 4), f(2, 2)], 1
    yield "Concat", 13, {"axis": -2}, [f(1, 2, 2), f(1, 3, 2)], 1
    for axis in (0, 1, -1):
        yield "Split", 13, {"axis": axis}, [f(4, 6), i(1, 3) if axis == 0
                                            else i(2, 4)], 2
        yield "Split", 18, {"axis": axis, "num_outputs": 2}, [f(4, 6)], 2
    yield "Split", 18, {"axis": 0, "num_outputs": 3}, [f(7)], 3
    for starts, ends, axes, steps in (
            ([1], [3], [0], [1]), ([0, 1], [2, 3], [0, 1], [1, 1]),
            ([-2], [9], [1], [1]), ([0], [5], [1], [2]),
            ([-1], [-9], [1], [-1]), ([3, 4], [0, 0], [0, 1], [-2, -1]),
            ([1], [-1], [-1], [1]), ([0, 0], [4, 5], [0, 1], [3, 2])):
        yield "Slice", 13, {}, [f(4, 5), i(*starts), i(*ends), i(*axes),
                                i(*steps)], 1
    for mode, pads in itertools.product(
            ("constant", "reflect", "edge", "wrap"),
            ([0, 1, 2, 0], [1, 1, 1, 1], [2, 0, 0, 2])):
        yield "Pad", 19, {"mode": mode}, [f(3, 4), i(*pads)], 1
    yield "Pad", 13, {}, [f(3, 4), i(1, 0, 0, 2), "=f64[]{1.5}"], 1
    yield "Pad", 18, {}, [f(3, 4), i(1, 2), "=f64[]{0}", i(-1)], 1
    yield "Pad", 13, {}, [f(3, 4), i(-1, 0, 1, -1)], 1
    for shape, repeats in (((3,), (2,)), ((2, 3), (1, 2)), ((2, 3), (3, 1)),
                           ((2, 1, 2), (2, 3, 2))):
        yield "Tile", 13, {}, [f(*shape), i(*repeats)], 1
    for shape, to in (((3, 1), (2, 3, 4)), ((3, 4), (3, 1)), ((), (2, 2)),
                      ((1, 2), (3, 2)), ((2, 1, 3), (1, 4, 1))):
        yield "Expand", 13, {}, [f(*shape), i(*to)], 1
    for upper, k in itertools.product((0, 1), (-2, -1, 0, 1, 3)):
        yield "Trilu", 14, {"upper": upper}, [f(3, 4), one(k)], 1
    yield "Trilu", 14, {}, [f(2, 3, 3)], 1
    for to in ((2, 3), (4, 5), (1, 6), (3, 2)):
        yield "CenterCropPad", 18, {}, [f(3, 4), i(*to)], 1
    yield "CenterCropPad", 18, {"axes": [1]}, [f(3, 4, 2), i(2)], 1
    for mode in ("DCR", "CRD"):
        yield "DepthToSpace", 13, {"blocksize": 2, "mode": mode}, [
            f(1, 8, 2, 3)], 1
    yield "SpaceToDepth", 13, {"blocksize": 2}, [f(1, 2, 4, 6)], 1
    yield "SpaceToDepth", 13, {"blocksize": 3}, [f(2, 1, 3, 6)], 1


def shapes_only():
    for to in ((6, 4), (2, -1), (-1,), (1, 2, 12), (0, 0, 4), (0, -1)):
        yield "Reshape", 13, {}, [f(2, 3, 4), i(*to)], 1
    for axis in range(-3, 4):
        yield "Flatten", 13, {"axis": axis}, [f(2, 3, 4)], 1
    for axes in ((0,), (0, 2), (-2,)):
        yield "Squeeze", 13, {}, [f(1, 3, 1, 2) if axes != (-2,)
                                  else f(2, 1, 3), i(*axes)], 1
        yield "Squeeze", 11, {"axes": [0]}, [f(1, 3)], 1
    yield "Squeeze", 13, {}, [f(1, 3, 1)], 1
    for axes in ((0,), (1,), (-1,), (0, 3), (2, 0)):
        yield "Unsqueeze", 13, {}, [f(2, 3), i(*axes)], 1
        yield "Unsqueeze", 11, {"axes": [1]}, [f(2, 3)], 1


def indexed():
    for axis, shape in itertools.product((0, 1, -1), ((3,), (2, 2), ())):
        yield "Gather", 13, {"axis": axis}, [
            f(4, 3, 3), "i64[%s]:-3:3" % sizes(shape)], 1
    for axis in (0, 1, -1):
        yield "GatherElements", 13, {"axis": axis}, [
            f(3, 4), "i64[3,4]:-3:3"], 1
        yield "GatherElements", 13, {"axis": axis}, [
            f(3, 3, 2), "i64[2,3,2]:0:2"], 1
        for reduction in ("none", "add", "mul", "max", "min"):
            yield "ScatterElements", 18, {"axis": axis,
                                          "reduction": reduction}, [
                f(4, 3), "=i64[2,3]{0,2,1,1,0,2}", f(2, 3)], 1
        yield "Scatter", 9, {"axis": axis}, [
            f(4, 3), "=i64[2,3]{0,2,1,1,0,2}", f(2, 3)], 1
    for batch, indices in ((0, "i64[2,2]:0:2"), (0, "i64[3,1]:-2:2"),
                           (1, "i64[2,1]:0:3"), (1, "i64[2,2]:0:2"),
                           (0, "i64[2,2,1]:0:2"), (0, "i64[2,3]:0:2")):
        yield "GatherND", 13, {"batch_dims": batch}, [f(2, 3, 2), indices], 1
    for reduction in ("none", "add", "mul", "max", "min"):
        yield "ScatterND", 18, {"reduction": reduction}, [
            f(4, 3), "=i64[2,1]{2,0}", f(2, 3)], 1
        yield "ScatterND", 18, {"reduction": reduction}, [
            f(3, 3), "=i64[3,2]{0,1,2,2,1,0}", f(3)], 1
    yield "ScatterND", 18, {"reduction": "add"}, [
        f(4, 3), "=i64[3,1]{2,0,2}", f(3, 3)], 1
    for axis in (0, 1, -1):
        yield "Compress", 11, {"axis": axis}, [f(3, 4), "=i1[3]{1,0,1}"], 1
        yield "OneHot", 11, {"axis": axis}, [
            "i64[2,3]:0:4", one(4), f(2)], 1
    yield "Compress", 11, {}, [f(2, 3), "=i1[5]{0,1,1,0,1}"], 1
    for batch, time in ((0, 1), (1, 0)):
        yield "ReverseSequence", 10, {"batch_axis": batch,
                                      "time_axis": time}, [
            f(3, 3, 2), "i64[3]:1:4"], 1
    yield "TensorScatter", 24, {}, [f(2, 4, 3), f(2, 2, 3), i(1, 0)], 1
    yield "TensorScatter", 24, {"mode": "circular"}, [
        f(2, 4, 3), f(2, 2, 3), i(3, 1)], 1


def scales(*x):
    return "=f32[%d]{%s}" % (len(x), ",".join("%g" % v for v in x))


def resampling():
    modes = ("half_pixel", "asymmetric", "align_corners",
             "pytorch_half_pixel")
    for mode, how in itertools.product(("linear", "cubic"), modes):
        for shape, to in (((1, 1, 3, 4), (1, 1, 5, 7)),
                          ((1, 2, 5, 6), (1, 2, 3, 4)),
                          ((1, 1, 4, 3), (1, 1, 2, 6))):
            yield "Resize", 13, dict(
                mode=mode, coordinate_transformation_mode=how), [
                    f(*shape), "-", "-", i(*to)], 1
    for how, rounding in itertools.product(
            ("half_pixel", "asymmetric"),
            ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")):
        for shape, to in (((1, 2, 3, 4), (1, 2, 5, 7)),
                          ((1, 1, 5, 6), (1, 1, 3, 4))):
            yield "Resize", 13, dict(
                mode="nearest", coordinate_transformation_mode=how,
                nearest_mode=rounding), [f(*shape), "-", "-", i(*to)], 1
    for mode, by in itertools.product(("nearest", "linear", "cubic"),
                                      ((2, 2), (1.5, 0.6), (0.5, 3))):
        yield "Resize", 13, dict(mode=mode), [
            f(1, 1, 4, 5), "-", scales(1, 1, *by)], 1
    for a, outside in itertools.product((-0.75, -0.5), (0, 1)):
        yield "Resize", 13, dict(mode="cubic", cubic_coeff_a=a,
                                 exclude_outside=outside), [
            f(1, 1, 4, 4), "-", "-", i(1, 1, 6, 3)], 1
    for mode in ("linear", "cubic"):
        yield "Resize", 18, dict(mode=mode, antialias=1), [
            f(1, 1, 6, 7), "-", "-", i(1, 1, 3, 4)], 1
        yield "Resize", 18, dict(mode=mode, axes=[2, 3]), [
            f(1, 1, 4, 5), "-", "-", i(6, 3)], 1
    yield "Resize", 13, dict(mode="linear"), [f(1, 2, 5), "-", "-",
                                              i(1, 2, 8)], 1
    yield "Resize", 13, dict(mode="linear"), [
        f(1, 1, 3, 2, 4), "-", "-", i(1, 1, 2, 4, 5)], 1
    for mode, by in itertools.product(("nearest", "linear"), ((2, 2), (1, 3))):
        yield "Upsample", 9, dict(mode=mode), [f(1, 2, 3, 2),
                                               scales(1, 1, *by)], 1
    for mode, padding, align in itertools.product(
            ("linear", "nearest", "cubic"), ("zeros", "border", "reflection"),
            (0, 1)):
        yield "GridSample", 20, dict(mode=mode, padding_mode=padding,
                                     align_corners=align), [
            f(1, 2, 3, 4), f(1, 2, 3, 2, low=-1.2, high=1.2)], 1
        if mode != "cubic":
            yield "GridSample", 20, dict(mode=mode, padding_mode=padding,
                                         align_corners=align), [
                f(1, 1, 3, 2, 3), f(1, 2, 2, 2, 3, low=-1.2, high=1.2)], 1
    for align in (0, 1):
        yield "AffineGrid", 20, {"align_corners": align}, [
            f(2, 2, 3), i(2, 1, 3, 4)], 1
        yield "AffineGrid", 20, {"align_corners": align}, [
            f(1, 3, 4), i(1, 1, 2, 3, 2)], 1
    for row in ({}, {"strides": [2, 1]}, {"dilations": [1, 2]},
                {"pads": [1, 0, 0, 1]}):
        height, width = 5, 5
        k, s, d, p = [2, 2], row.get("strides", [1, 1]), row.get(
            "dilations", [1, 1]), row.get("pads", [0, 0, 0, 0])
        blocks = 1
        for axis, size in enumerate((height, width)):
            blocks *= (size + p[axis] + p[axis + 2] -
                       d[axis] * (k[axis] - 1) - 1) // s[axis] + 1
        yield "Col2Im", 18, row, [f(1, 2 * 4, blocks), i(height, width),
                                  i(2, 2)], 1
    for mode, how in itertools.product(("avg", "max"),
                                       ("half_pixel",
                                        "output_half_pixel")):
        yield "RoiAlign", 16, dict(
            mode=mode, coordinate_transformation_mode=how, output_height=2,
            output_width=3, sampling_ratio=2, spatial_scale=0.8), [
                f(2, 2, 5, 6),
                "=f64[2,4]{0.35,0.25,4.1,3.7,1.3,0.95,5.1,4.4}", i(0, 1)], 1
    for groups, mask in itertools.product((1, 2), (0, 1)):
        inputs = [f(1, 2, 4, 4), f(2, 2 // groups, 2, 2),
                  f(1, 8, 3, 3, low=-0.7, high=0.7)]
        inputs += ["-", f(1, 4, 3, 3)] if mask else []
        yield "DeformConv", 19, dict(group=groups, kernel_shape=[2, 2]), \
            inputs, 1


def attention():
    for causal, heads in itertools.product((0, 1), ((2, 2), (4, 2))):
        q, g = heads
        inputs = [f(1, q, 3, 2), f(1, g, 4, 2), f(1, g, 4, 2)]
        yield "Attention", 23, {"is_causal": causal}, inputs, 1
        yield "Attention", 23, {"is_causal": causal, "scale": 0.7}, \
            inputs + [f(3, 4)], 1
        yield "Attention", 23, {"is_causal": causal, "softcap": 1.5}, \
            inputs, 1
    yield "Attention", 23, {"q_num_heads": 2, "kv_num_heads": 2}, [
        f(1, 3, 4), f(1, 4, 4), f(1, 4, 4)], 1
    for interleaved in (0, 1):
        yield "RotaryEmbedding", 23, {"interleaved": interleaved}, [
            f(1, 2, 3, 4), f(3, 2), f(3, 2), "=i64[1,3]{0,2,1}"], 1


def all_of():
    for part in (unary, activations, binary, products, convolutions, pools,
                 normalizations, reductions, losses, recurrent, movement,
                 indexed, resampling, attention):
        yield from part()
