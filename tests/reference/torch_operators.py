"""The operators of ONNX in PyTorch, for gradients.py: a function of the inputs
(None where one is left out) and the attributes each; None where PyTorch has not
this form. The global OPSET is the opset of the line, OUTPUTS how many outputs
are wanted."""
import math

import torch
import torch.nn.functional as F
import torchvision

OPSET = 0
OUTPUTS = 1


def _each(function):
    return lambda x, a: function(*x)


for _name, _function in dict(
        Abs=torch.abs, Acos=torch.acos, Acosh=torch.acosh, Add=torch.add,
        Asin=torch.asin, Asinh=torch.asinh, Atan=torch.atan,
        Atanh=torch.atanh, Ceil=torch.ceil, Cos=torch.cos, Cosh=torch.cosh,
        Div=torch.div, Erf=torch.erf, Exp=torch.exp, Floor=torch.floor,
        HardSwish=F.hardswish, Identity=lambda x: x + 0, Log=torch.log,
        MatMul=torch.matmul, Mish=F.mish, Mul=torch.mul, Neg=torch.neg,
        PRelu=lambda x, s: torch.where(x < 0, x * s, x), Pow=torch.pow,
        Reciprocal=torch.reciprocal, Relu=torch.relu, Round=torch.round,
        Sigmoid=torch.sigmoid, Sign=torch.sign, Sin=torch.sin,
        Sinh=torch.sinh, Softplus=F.softplus, Softsign=F.softsign,
        Sqrt=torch.sqrt, Sub=torch.sub, Tan=torch.tan, Tanh=torch.tanh,
        Where=torch.where, CastLike=lambda x, like: x + 0).items():
    globals()[_name] = _each(_function)


def _fold(function):
    def run(x, _):
        y = x[0] + 0
        for other in x[1:]:
            y = function(y, other)
        return y
    return run


Max, Min, Sum = (_fold(torch.maximum), _fold(torch.minimum),
                 _fold(torch.add))


def Mean(x, a):
    return Sum(x, a) / len(x)


def Cast(x, a):
    return x[0].double()


def Mod(x, a):
    return torch.fmod(*x)


# ---- activations

def LeakyRelu(x, a):
    return F.leaky_relu(x[0], a.get("alpha", 0.01))


def Elu(x, a):
    return F.elu(x[0], a.get("alpha", 1.0))


def Celu(x, a):
    return F.celu(x[0], a.get("alpha", 1.0))


def Selu(x, a):
    alpha = a.get("alpha", 1.67326319217681884765625)
    return a.get("gamma", 1.05070102214813232421875) * torch.where(
        x[0] > 0, x[0], alpha * torch.expm1(x[0]))


def Gelu(x, a):
    return F.gelu(x[0], approximate=a.get("approximate", "none"))


def HardSigmoid(x, a):
    return torch.clamp(a.get("alpha", 0.2) * x[0] + a.get("beta", 0.5), 0, 1)


def Swish(x, a):
    return x[0] * torch.sigmoid(a.get("alpha", 1.0) * x[0])


def SwiGLU(x, a):
    return x[0] * torch.sigmoid(a.get("alpha", 1.0) * x[0]) * x[1]


def ThresholdedRelu(x, a):
    return F.threshold(x[0], a.get("alpha", 1.0), 0)


def Shrink(x, a):
    limit, bias, y = a["lambd"], a.get("bias", 0.0), x[0]
    return torch.where(y < -limit, y + bias,
                       torch.where(y > limit, y - bias, 0 * y))


def _softmax(function):
    def run(x, a):
        if OPSET >= 13:
            return function(x[0], dim=a["axis"])
        rows = math.prod(x[0].shape[:a["axis"]])
        return function(x[0].reshape(rows, -1), dim=1).reshape(x[0].shape)
    return run


Softmax, LogSoftmax = _softmax(F.softmax), _softmax(F.log_softmax)


def Clip(x, a):
    x = list(x) + [None, None]
    return torch.clamp(x[0], x[1] if x[1] is not None else a.get("min"),
                       x[2] if x[2] is not None else a.get("max")) \
        if a or x[1] is not None or x[2] is not None else x[0] + 0


# ---- products and windows

def Gemm(x, a):
    left = x[0].T if a["transA"] else x[0]
    right = x[1].T if a["transB"] else x[1]
    y = a.get("alpha", 1.0) * left @ right
    return y + a.get("beta", 1.0) * x[2] if len(x) > 2 else y


def Einsum(x, a):
    return torch.einsum(a["equation"], *x)


def _pairs(pads, rank):
    """Pads as F.pad has them, last axis first."""
    return [p for k in reversed(range(rank)) for p in (pads[k],
                                                       pads[k + rank])]


def Conv(x, a):
    if "auto_pad" in a:
        return None
    rank = x[0].dim() - 2
    padded = F.pad(x[0], _pairs(a.get("pads", [0] * 2 * rank), rank))
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    return function(padded, x[1], x[2] if len(x) > 2 else None,
                    a.get("strides", 1), 0, a.get("dilations", 1),
                    a.get("group", 1))


def ConvTranspose(x, a):
    if "auto_pad" in a:
        return None
    rank = x[0].dim() - 2
    pads = a.get("pads", [0] * 2 * rank)
    function = (F.conv_transpose1d, F.conv_transpose2d,
                F.conv_transpose3d)[rank - 1]
    y = function(x[0], x[1], x[2] if len(x) > 2 else None,
                 a.get("strides", 1), 0, a.get("output_padding", 0),
                 a.get("group", 1), a.get("dilations", 1))
    for k in range(rank):
        y = y.narrow(k + 2, pads[k],
                     y.shape[k + 2] - pads[k] - pads[k + rank])
    return y


def MaxPool(x, a):
    if "auto_pad" in a or a.get("ceil_mode"):
        return None
    rank = x[0].dim() - 2
    padded = F.pad(x[0], _pairs(a["pads"], rank), value=-math.inf)
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]
    return function(padded, a["kernel_shape"], a["strides"], 0,
                    a.get("dilations", 1))


def AveragePool(x, a):
    if "auto_pad" in a or a.get("ceil_mode") or "dilations" in a:
        return None
    rank = x[0].dim() - 2
    function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]
    pads = _pairs(a["pads"], rank)
    y = function(F.pad(x[0], pads), a["kernel_shape"], a["strides"], 0)
    if a.get("count_include_pad"):
        return y
    return y / function(F.pad(torch.ones_like(x[0]), pads), a["kernel_shape"],
                        a["strides"], 0)


def LpPool(x, a):
    if "auto_pad" in a or a.get("ceil_mode") or "dilations" in a:
        return None
    p, n = a.get("p", 2), math.prod(a["kernel_shape"])
    return (n * AveragePool([x[0].abs() ** p],
                            dict(a, count_include_pad=1))) ** (1 / p)


def GlobalAveragePool(x, a):
    return x[0].mean(tuple(range(2, x[0].dim())), True)


def GlobalMaxPool(x, a):
    return x[0].amax(tuple(range(2, x[0].dim())), True)


def GlobalLpPool(x, a):
    return (x[0] ** 2).sum(tuple(range(2, x[0].dim())), True).sqrt()


def MaxUnpool(x, a):
    return F.max_unpool2d(x[0], x[1], a["kernel_shape"], a["strides"])


# ---- normalizations

def BatchNormalization(x, a):
    axes = (0,) + tuple(range(2, x[0].dim()))
    shape = [-1 if k == 1 else 1 for k in range(x[0].dim())]
    mean, var = x[3], x[4]
    if a.get("training_mode"):
        mean, var = x[0].mean(axes), x[0].var(axes, unbiased=False)
    y = (x[0] - mean.reshape(shape)) / (
        var.reshape(shape) + a.get("epsilon", 1e-5)).sqrt() * \
        x[1].reshape(shape) + x[2].reshape(shape)
    if OUTPUTS == 1:
        return y
    m = a["momentum"]
    return y, m * x[3] + (1 - m) * mean, m * x[4] + (1 - m) * var


def InstanceNormalization(x, a):
    return F.instance_norm(x[0], None, None, x[1], x[2], True, 0.1,
                           a.get("epsilon", 1e-5))


def GroupNormalization(x, a):
    return F.group_norm(x[0], a["num_groups"], x[1], x[2],
                        a.get("epsilon", 1e-5))


def LayerNormalization(x, a):
    shape = x[0].shape[a["axis"]:]
    epsilon = a.get("epsilon", 1e-5)
    y = F.layer_norm(x[0], shape, x[1], x[2] if len(x) > 2 else None, epsilon)
    if OUTPUTS == 1:
        return y
    axes = tuple(range(a["axis"] % x[0].dim(), x[0].dim()))
    return (y, x[0].mean(axes, True),
            1 / (x[0].var(axes, False, keepdim=True) + epsilon).sqrt())


def RMSNormalization(x, a):
    return F.rms_norm(x[0], x[0].shape[a["axis"]:], x[1],
                      a.get("epsilon", 1e-5))


def LpNormalization(x, a):
    return x[0] / torch.linalg.vector_norm(x[0], a["p"], a["axis"], True)


def LRN(x, a):
    if a["size"] % 2 == 0:  # the window's longer side differs
        return None
    return F.local_response_norm(x[0], a["size"], a.get("alpha", 1e-4),
                                 a.get("beta", 0.75), a.get("bias", 1.0))


def MeanVarianceNormalization(x, a):
    axes = tuple(a.get("axes", [0, 2, 3]))
    return (x[0] - x[0].mean(axes, True)) / (1e-9 + x[0].std(
        axes, unbiased=False, keepdim=True))


# ---- reductions

def _reduction(function):
    def run(x, a):
        axes = x[1].tolist() if len(x) > 1 else a.get("axes")
        if axes is None and a.get("noop_with_empty_axes"):
            return None
        axes = tuple(axes if axes is not None else range(x[0].dim()))
        return function(x[0], axes, bool(a.get("keepdims", 1)))
    return run


def _product(x, axes, keep):
    for axis in sorted((k % x.dim() for k in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


for _name, _function in dict(
        ReduceL1=lambda x, k, d: x.abs().sum(k, d),
        ReduceL2=lambda x, k, d: (x * x).sum(k, d).sqrt(),
        ReduceLogSum=lambda x, k, d: x.sum(k, d).log(),
        ReduceLogSumExp=torch.logsumexp, ReduceMax=torch.amax,
        ReduceMean=torch.mean, ReduceMin=torch.amin, ReduceProd=_product,
        ReduceSum=torch.sum,
        ReduceSumSquare=lambda x, k, d: (x * x).sum(k, d)).items():
    globals()[_name] = _reduction(_function)


def _cumulative(function, neutral):
    def run(x, a):
        axis, y = int(x[1]), x[0]
        y = y.flip(axis) if a["reverse"] else y
        y = function(y, axis)
        if a["exclusive"]:
            first = torch.full_like(y.narrow(axis, 0, 1), neutral)
            y = torch.cat([first, y.narrow(axis, 0, y.shape[axis] - 1)], axis)
        return y.flip(axis) if a["reverse"] else y
    return run


CumSum = _cumulative(torch.cumsum, 0)
CumProd = _cumulative(torch.cumprod, 1)


def TopK(x, a):
    return tuple(torch.topk(x[0], int(x[1]), a["axis"], bool(a["largest"])))


# ---- losses

def SoftmaxCrossEntropyLoss(x, a):
    y = F.cross_entropy(
        x[0], x[1], x[2].detach() if len(x) > 2 else None,
        ignore_index=a.get("ignore_index", -100),
        reduction=a.get("reduction", "mean"))
    return y if OUTPUTS == 1 else (y, F.log_softmax(x[0], 1))


def NegativeLogLikelihoodLoss(x, a):
    return F.nll_loss(x[0], x[1], x[2].detach() if len(x) > 2 else None,
                      ignore_index=a.get("ignore_index", -100),
                      reduction=a.get("reduction", "mean"))


def Dropout(x, a):
    return x[0] + 0


# ---- recurrent

_FUNCTIONS = dict(
    Tanh=lambda x, a, b: torch.tanh(x),
    Sigmoid=lambda x, a, b: torch.sigmoid(x),
    Softsign=lambda x, a, b: F.softsign(x),
    Softplus=lambda x, a, b: F.softplus(x),
    Affine=lambda x, a, b: a * x + b,
    HardSigmoid=lambda x, a, b: torch.clamp(0.2 * x + 0.5, 0, 1),
    Elu=lambda x, a, b: F.elu(x))


def _rnn_step(v, x, h, c, w, r, b, f, a):
    return f[0](v(x @ w.T + b[0] + h @ r.T + b[1])), c


def _gru_step(v, x, h, c, w, r, b, f, a):
    z, rt = (f[0](v(x @ w[k].T + b[k] + h @ r[k].T + b[3 + k]))
             for k in (0, 1))
    if a.get("linear_before_reset"):
        inner = rt * (h @ r[2].T + b[5])
    else:
        inner = (rt * h) @ r[2].T + b[5]
    n = f[1](v(x @ w[2].T + b[2] + inner))
    return (1 - z) * n + z * h, c


def _lstm_step(v, x, h, c, w, r, b, f, a):
    p = a["peepholes"]
    i, o, t, n = (x @ w[k].T + h @ r[k].T + b[k] + b[4 + k] for k in range(4))
    i, t = f[0](v(i + p[0] * c)), f[0](v(t + p[2] * c))
    c = t * c + i * f[1](v(n))
    return f[0](v(o + p[1] * c)) * f[2](c), c


def _recurrent(gates, step, default):
    def one(x, d, reverse, a):
        """Results of direction d: all states, the last, the last cell."""
        n, h = x[0].shape[1], a["hidden_size"]
        zeros = torch.zeros(n, h, dtype=torch.float64)
        w, r = x[1][d], x[2][d]
        b = x[3][d].reshape(2 * gates, h) if x[3] is not None else \
            torch.zeros(2 * gates, h, dtype=torch.float64)
        if gates > 1:
            w, r = w.reshape(gates, h, -1), r.reshape(gates, h, h)
        names = a.get("activations", default)
        count = len(names) // (2 if "activations" in a and
                               a["direction"] == "bidirectional" else 1)
        alpha = a.get("activation_alpha", [1.0])[0]
        beta = a.get("activation_beta", [0.0])[0]
        f = [lambda y, k=k: _FUNCTIONS[k](y, alpha, beta)
             for k in names[:count]]
        state = x[5][d] if x[5] is not None else zeros
        cell = x[6][d] if x[6] is not None else zeros
        row = dict(a, peepholes=x[7][d].reshape(3, h) if x[7] is not None
                   else [0, 0, 0])
        limit = a.get("clip", math.inf)
        steps = [None] * x[0].shape[0]
        order = range(len(steps))
        for t in reversed(order) if reverse else order:
            new, other = step(lambda y: torch.clamp(y, -limit, limit),
                              x[0][t], state, cell, w, r, b, f, row)
            live = torch.ones(n, 1, dtype=torch.bool) if x[4] is None else \
                (x[4] > t).reshape(n, 1)
            state = torch.where(live, new, state)
            cell = torch.where(live, other, cell)
            steps[t] = torch.where(live, new, zeros)
        return torch.stack(steps), state, cell

    def run(x, a):
        x = list(x) + [None] * (8 - len(x))
        if a.get("layout"):
            x[0] = x[0].transpose(0, 1)
            x[5] = None if x[5] is None else x[5].transpose(0, 1)
            x[6] = None if x[6] is None else x[6].transpose(0, 1)
        turns = {"forward": [False], "reverse": [True],
                 "bidirectional": [False, True]}[a["direction"]]
        found = [one(x, d, turn, a) for d, turn in enumerate(turns)]
        y = torch.stack([s[0] for s in found], 1)
        last = torch.stack([s[1] for s in found])
        cell = torch.stack([s[2] for s in found])
        if a.get("layout"):
            y = y.permute(2, 0, 1, 3)
            last, cell = last.transpose(0, 1), cell.transpose(0, 1)
        return (y, last, cell)[:OUTPUTS]
    return run


RNN = _recurrent(1, _rnn_step, ["Tanh"])
GRU = _recurrent(3, _gru_step, ["Sigmoid", "Tanh"])
LSTM = _recurrent(4, _lstm_step, ["Sigmoid", "Tanh", "Tanh"])


# ---- movement

def Reshape(x, a):
    to = [x[0].shape[k] if n == 0 else n for k, n in enumerate(x[1].tolist())]
    return x[0].reshape(to)


def Flatten(x, a):
    axis = a["axis"] % x[0].dim() if a["axis"] < 0 else a["axis"]
    return x[0].reshape(math.prod(x[0].shape[:axis]), -1)


def Squeeze(x, a):
    axes = x[1].tolist() if len(x) > 1 else a.get("axes")
    return x[0].squeeze(tuple(axes)) if axes else x[0].squeeze()


def Unsqueeze(x, a):
    axes = x[1].tolist() if len(x) > 1 else a["axes"]
    rank = x[0].dim() + len(axes)
    y = x[0]
    for axis in sorted(k % rank for k in axes):
        y = y.unsqueeze(axis)
    return y


def Transpose(x, a):
    return x[0].permute(a.get("perm", list(range(x[0].dim()))[::-1]))


def Concat(x, a):
    return torch.cat(x, a["axis"])


def Split(x, a):
    size = x[0].shape[a["axis"]]
    if len(x) > 1:
        return torch.split(x[0], x[1].tolist(), a["axis"])
    return torch.split(x[0], -(-size // a["num_outputs"]), a["axis"])


def Slice(x, a):
    y = x[0]
    for start, end, axis, step in zip(*(t.tolist() for t in x[1:])):
        picked = torch.arange(y.shape[axis])[slice(start, end)] if step == 1 \
            else torch.tensor(list(range(y.shape[axis]))[start:end:step])
        y = y.index_select(axis, picked)
    return y


def Pad(x, a):
    mode = a.get("mode", "constant")
    pads, rank = x[1].tolist(), x[0].dim()
    if len(x) > 3:
        return None
    if mode == "constant":
        value = float(x[2].detach()) if len(x) > 2 else 0
        return F.pad(x[0], _pairs(pads, rank), value=value)
    if mode == "wrap":
        y = x[0]
        for k in range(rank):
            i = torch.arange(-pads[k], y.shape[k] + pads[k + rank])
            y = y.index_select(k, i % y.shape[k])
        return y
    y = F.pad(x[0][None, None], _pairs(pads, rank),
              mode={"edge": "replicate"}.get(mode, mode))
    return y[0, 0]


def Tile(x, a):
    return x[0].repeat(*x[1].tolist())


def Expand(x, a):
    return x[0] * torch.ones(x[1].tolist(), dtype=torch.float64)


def Trilu(x, a):
    k = int(x[1]) if len(x) > 1 else 0
    return x[0].triu(k) if a.get("upper", 1) else x[0].tril(k)


def DepthToSpace(x, a):
    if a["mode"] == "CRD":
        return F.pixel_shuffle(x[0], a["blocksize"])
    n, c, h, w = x[0].shape
    b = a["blocksize"]
    y = x[0].reshape(n, b, b, c // (b * b), h, w)
    return y.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * b, w * b)


# ---- indices

def Gather(x, a):
    axis = a["axis"] % x[0].dim()
    size = x[0].shape[axis]
    y = x[0].index_select(axis, (x[1].reshape(-1) + size) % size)
    return y.reshape(x[0].shape[:axis] + x[1].shape + x[0].shape[axis + 1:])


def GatherElements(x, a):
    size = x[0].shape[a["axis"]]
    return torch.gather(x[0], a["axis"], (x[1] + size) % size)


def ScatterElements(x, a):
    how = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}.get(
        a.get("reduction", "none"))
    if how is None:
        return x[0].scatter(a["axis"], x[1], x[2])
    return x[0].scatter_reduce(a["axis"], x[1], x[2], how)


Scatter = ScatterElements


def GatherND(x, a):
    if a["batch_dims"]:
        return torch.stack([
            GatherND([d, i], dict(batch_dims=a["batch_dims"] - 1))
            for d, i in zip(x[0], x[1])])
    return x[0][tuple(x[1].movedim(-1, 0))]


def ScatterND(x, a):
    index = tuple(x[1].movedim(-1, 0))
    how = a["reduction"]
    if how in ("none", "add"):
        return x[0].index_put(index, x[2], accumulate=how == "add")
    rows = torch.zeros_like(x[0]).index_put(index, x[2])  # no index twice
    there = torch.zeros_like(x[0], dtype=torch.bool).index_put(
        index, torch.ones_like(x[2], dtype=torch.bool))
    function = {"mul": torch.mul, "max": torch.maximum,
                "min": torch.minimum}[how]
    return torch.where(there, function(x[0], rows), x[0])


def Compress(x, a):
    keep = torch.nonzero(x[1]).reshape(-1)
    if "axis" not in a:
        return x[0].reshape(-1).index_select(0, keep)
    return x[0].index_select(a["axis"], keep)


# ---- resampling

def Resize(x, a):
    how = a.get("coordinate_transformation_mode", "half_pixel")
    forms = {("linear", "half_pixel"): False, ("linear", "align_corners"): True,
             ("cubic", "half_pixel"): False, ("cubic", "align_corners"): True}
    if "axes" in a or "antialias" in a or a.get("exclude_outside") or \
            "cubic_coeff_a" in a or len(x) < 4 or \
            (a["mode"], how) not in forms:
        return None
    rank = x[0].dim() - 2
    if a["mode"] == "cubic" and rank != 2:
        return None
    mode = "bicubic" if a["mode"] == "cubic" else \
        ("linear", "bilinear", "trilinear")[rank - 1]
    return F.interpolate(x[0], x[3].tolist()[2:], mode=mode,
                         align_corners=forms[a["mode"], how])


def GridSample(x, a):
    if a["mode"] == "cubic" and x[0].dim() != 4:
        return None
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(a["mode"],
                                                          a["mode"])
    return F.grid_sample(x[0], x[1], mode=mode,
                         padding_mode=a["padding_mode"],
                         align_corners=bool(a["align_corners"]))


def AffineGrid(x, a):
    return F.affine_grid(x[0], x[1].tolist(), bool(a["align_corners"]))


def Col2Im(x, a):
    p = a.get("pads", [0, 0, 0, 0])
    height, width = x[1].tolist()
    y = F.fold(x[0], (height + p[0] + p[2], width + p[1] + p[3]),
               x[2].tolist(), a.get("dilations", 1), 0, a.get("strides", 1))
    return y[:, :, p[0]:p[0] + height, p[1]:p[1] + width]


def DeformConv(x, a):
    # offsets and masks of one group; PyTorch takes strides and pads as here
    return torchvision.ops.deform_conv2d(
        x[0], x[2], x[1], mask=x[4] if len(x) > 4 else None)


def RoiAlign(x, a):
    if a["mode"] != "avg":
        return None
    return torchvision.ops.roi_align(
        x[0], torch.cat([x[2].double()[:, None], x[1].detach()], 1),
        (a["output_height"], a["output_width"]), a["spatial_scale"],
        a["sampling_ratio"],
        a["coordinate_transformation_mode"] == "half_pixel")


def Attention(x, a):
    if x[0].dim() != 4 or a.get("softcap"):
        return None
    q, k, v = x[:3]
    k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    s = q @ k.transpose(2, 3) * a.get("scale", q.shape[3] ** -0.5)
    if len(x) > 3:
        s = s + x[3]
    if a["is_causal"]:
        s = s.masked_fill(torch.ones(s.shape[2:]).triu(1).bool(), -math.inf)
    return F.softmax(s, 3) @ v
