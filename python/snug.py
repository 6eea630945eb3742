"""Trains a torch.nn.Module in a compiled program of a given size.

    trainer = snug.Trainer(module, x, loss="cross-entropy", memory="64MiB")
    trainer.check(x, labels)            # loss and gradients are torch's
    for x, labels in batches:
        loss = trainer.step(x, labels, lr=1e-3)
    module.load_state_dict(trainer.state_dict())

Needs torch, numpy and the command `snug` (or its path in $SNUG).
"""
import copy
import dataclasses
import importlib.util
import inspect
import os
import subprocess
import tempfile
import warnings

import torch
from torch.nn import functional

SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
RESERVED = {"labels", "lr", "steps", "weight", "loss", "loss_sum", "correct",
            "step", "seed"}
RATE = 1024.0  # of the step that shows gradients: a power of two is exact


class Error(RuntimeError):
    """What cannot be trained, or is not what torch computes."""


# ---- the ONNX file ---------------------------------------------------------

def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def _field(number, content):
    """A field of bytes of a protobuf message."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _with_signature(data, names):
    """The model with the list of its parameters in the graph's metadata, as the
    dynamo exporter writes it: what is not in it is not trained."""
    text = "".join("p_%d: PARAMETER target='%s'\n" % (k, name)
                   for k, name in enumerate(names))
    pair = _field(1, SIGNATURE.encode()) + _field(2, text.encode())
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        if key & 7 == 0:
            _, at = _varint(data, at)
            continue
        size, at = _varint(data, at)
        if key >> 3 == 7:  # the graph; its field 16 are metadata
            graph = data[at:at + size] + _field(16, pair)
            return data[:start] + _field(7, graph) + data[at + size:]
        at += size
    raise Error("the exporter wrote a file without a graph")


def _input_names(module, count):
    names = list(inspect.signature(module.forward).parameters)[:count]
    names += ["input%d" % k for k in range(len(names), count)]
    return [name + "_" if name in RESERVED else name for name in names]


class _Inside(torch.nn.Module):
    """A module whose own names are none that training needs."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs)


def _export(module, example, path):
    """Traced in training mode, nothing folded: what can be trained stays.
    Returns the names of the inputs, and what stands before those of tensors."""
    names = _input_names(module, len(example))
    module = copy.deepcopy(module).train()
    prefix = ""
    if RESERVED & module.state_dict().keys():
        module, prefix = _Inside(module), "module."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, example, path, dynamo=False, do_constant_folding=False,
            training=torch.onnx.TrainingMode.TRAINING, input_names=names,
            output_names=["output"])
    with open(path, "rb") as file:
        data = file.read()
    trained = [name for name, p in module.named_parameters() if p.requires_grad]
    with open(path, "wb") as file:
        file.write(_with_signature(data, trained))
    return names, prefix


# ---- the compiled model ----------------------------------------------------

def _load_python(path):
    spec = importlib.util.spec_from_file_location("snug_compiled", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class _Compiled:
    """A module, exported, compiled and loaded, with the module's weights."""

    def __init__(self, module, example, folder, name, options, threads, seed):
        onnx = os.path.join(folder, name + ".onnx")
        library = os.path.join(folder, name + ".so")
        self.input_names, prefix = _export(module, example, onnx)
        done = subprocess.run(
            [os.environ.get("SNUG", "snug"), "compile", onnx, "--emit", "so",
             "-o", library, *options], capture_output=True, text=True)
        self.words = done.stderr
        if done.returncode:
            raise Error(done.stderr.strip())
        made = _load_python(os.path.join(folder, name + "_model.py"))
        self.arena_bytes = made.arena_bytes
        self.net = made.Model(threads=threads, seed=seed)
        self.parameters = {name[len(prefix):]: view
                           for name, view in self.net.parameters.items()}
        self.views = {**self.parameters,
                      **{name[len(prefix):]: view
                         for name, view in self.net.states.items()}}
        self._put(module)

    def _put(self, module):
        state = module.state_dict()
        for name in self.parameters:
            if name not in state:
                raise Error("parameter '%s' of the exported model is none of "
                            "the module: the exporter changed it" % name)
        for name, view in self.views.items():
            if name in state:
                torch.from_numpy(view).copy_(state[name])

    def arrays(self, inputs, labels=None):
        given = dict(zip(self.input_names, inputs))
        if labels is not None:
            given["labels"] = labels
        return {name: value.detach().cpu().numpy()
                for name, value in given.items()}


def _options(loss, optimizer, memory, settings, more):
    options = ["--loss", loss, "--optimizer", optimizer]
    for name, value in (settings or {}).items():
        options += ["--set", "%s=%s" % (name, value)]
    if memory is not None:
        options += ["--memory", str(memory)]
    return options + list(more)


# ---- what torch computes ---------------------------------------------------

def _torch_loss(kind, output, labels):
    if kind == "mse":
        return functional.mse_loss(output, labels)
    if kind == "bce":
        return functional.binary_cross_entropy_with_logits(output, labels)
    if labels.shape == output.shape[:-1]:
        output = output.movedim(-1, 1) if output.dim() > 2 else output
    return functional.cross_entropy(output, labels)


def _without_dropout(module):
    module = copy.deepcopy(module).train()
    for part in module.modules():
        if isinstance(part, torch.nn.modules.dropout._DropoutNd):
            part.p = 0.0
        elif isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0  # attention and recurrent layers
    return module


def _slopes(kind, module, inputs, labels):
    """torch's loss and gradients by name."""
    loss = _torch_loss(kind, module(*inputs), labels)
    module.zero_grad()
    loss.backward()
    return loss.item(), {name: p.grad.clone()
                         for name, p in module.named_parameters()
                         if p.grad is not None}


def _double(tensors):
    return tuple(t.double() if t.is_floating_point() else t for t in tensors)


def _exact_slopes(kind, module, inputs, labels):
    """The same in f64; None for a module that has other types of its own."""
    try:
        return _slopes(kind, copy.deepcopy(module).double(), _double(inputs),
                       *_double((labels,)))
    except RuntimeError:
        return None


def _distances(slopes, reference):
    """For each parameter the largest difference, relative to the largest slope
    in it, or to a thousandth of the largest of all."""
    largest = max(float(g.abs().max()) for g in reference.values())
    return {name: float((slopes[name] - g).abs().max()) /
            max(float(g.abs().max()), 1e-3 * largest, 1e-30)
            for name, g in reference.items()}


@dataclasses.dataclass
class Check:
    """A step beside torch's in f64: the losses, the distance of each parameter's
    gradient, and the largest such distance of torch's own f32: what rounding
    alone may do to this model."""
    loss: float
    torch_loss: float
    gradients: dict
    drift: float

    @property
    def worst(self):
        distance = abs(self.loss - self.torch_loss) / max(
            abs(self.torch_loss), 1e-30)
        return max([distance, *self.gradients.values()])


# ---- training --------------------------------------------------------------

class Trainer:
    """A module as a compiled training program.

    module    stays as it is; its parameters with requires_grad are trained
    example   a tensor or a tuple of them: the inputs of a step, batch first
    loss      cross-entropy, mse or bce (with logits)
    optimizer a rule of `snug help rules` or FILE.rule
    memory    the most bytes, as "64MiB"; obeyed or refused
    settings  hyper-parameters of the rule: {"lr": 1e-3, "wd": 0.01}
    options   more options of `snug compile`
    folder    where the compiled files stay [a temporary one]
    """

    def __init__(self, module, example, loss="cross-entropy",
                 optimizer="adamw", memory=None, settings=None, options=(),
                 folder=None, threads=0, seed=0):
        self._module = copy.deepcopy(module)
        self._example = self._tuple(example)
        self._loss = loss
        self._steps = 0
        if folder is None:
            self._kept = tempfile.TemporaryDirectory()
            folder = self._kept.name
        self._folder = folder
        self._compiled = _Compiled(
            self._module, self._example, folder, "net",
            _options(loss, optimizer, memory, settings, options), threads,
            seed)
        self.words = self._compiled.words  # what the compiler said
        self.arena_bytes = self._compiled.arena_bytes

    @staticmethod
    def _tuple(inputs):
        return inputs if isinstance(inputs, tuple) else (inputs,)

    def check(self, inputs, labels, tolerance=1e-4):
        """One step of torch and of the compiled model from the module's own
        weights, without dropout. Raises where they are further apart than the
        tolerance and than four times the drift of torch itself."""
        module = _without_dropout(self._module)
        inputs = self._tuple(inputs)
        compiled = _Compiled(
            module, inputs, self._folder, "check",
            _options(self._loss, "sgd", None, {"mu": 0, "wd": 0}, ()), 1, 0)
        before = {name: torch.from_numpy(view.copy())
                  for name, view in compiled.parameters.items()}
        loss = compiled.net.step(RATE, **compiled.arrays(inputs, labels))
        own = {name: (old - torch.from_numpy(compiled.parameters[name])) / RATE
               for name, old in before.items()}
        compiled.net.close()
        usual = _slopes(self._loss, module, inputs, labels)
        exact = _exact_slopes(self._loss, module, inputs, labels) or usual
        slopes = {name: g for name, g in exact[1].items() if name in own}
        result = Check(
            loss, exact[0], _distances(own, slopes),
            max(_distances(usual[1], slopes).values()))
        if not result.worst <= max(tolerance, 4 * result.drift):
            raise Error("not what torch computes: %r" % result)
        return result

    def step(self, inputs, labels, lr=None):
        """One training step; its loss."""
        arrays = self._compiled.arrays(self._tuple(inputs), labels)
        self._steps += 1
        return self._compiled.net.step(lr, **arrays)

    def fit(self, batches, lr=None):
        """A step for each (inputs, labels) of a full batch; the losses."""
        size = len(self._example[0])
        return [self.step(inputs, labels, lr) for inputs, labels in batches
                if len(self._tuple(inputs)[0]) == size]

    def predict(self, inputs):
        """The module's output in evaluation, of one batch."""
        arrays = self._compiled.arrays(self._tuple(inputs))
        made = self._compiled.net.run("forward", **arrays)
        return torch.from_numpy(next(iter(made.values())).copy())

    def state_dict(self):
        """The weights under the module's names, as torch has them: tied ones
        under each of their names."""
        state = self._module.state_dict(keep_vars=True)
        made = {tensor.data_ptr(): torch.from_numpy(view.copy())
                for name, view in self._compiled.views.items()
                if (tensor := state.get(name)) is not None}
        out = {}
        for name, tensor in state.items():
            new = made.get(tensor.data_ptr(), tensor.detach().clone())
            if name.endswith("num_batches_tracked"):
                new = tensor + self._steps
            out[name] = new.to(tensor.dtype).reshape(tensor.shape)
        return out

    def close(self):
        self._compiled.net.close()
