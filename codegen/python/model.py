import ctypes
import mmap
import os

import numpy

LIBRARY = $LIBRARY$
ABI = $ABI$

# Element types in the order of RtType. ORDER DTYPE
# What numpy does not have is seen
# as the unsigned integers of its bits.
TYPES = (
    None, "f8", "f4", "u2", "f2", "u1", "u1", "u1", "u1", "u1", "i8", "i4",
    "i2", "i1", "i1", "i1", "u8", "u4", "u2", "u1", "u1", "u1", "u1", "?")
DATA, LABELS, RATE, STEPS, WEIGHT, SEED = range(6)  # roles of inputs
PARAMETER, STATE = range(2)  # kinds of tensors
HUGE_PAGE = 2 << 20


class _Port(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("role", ctypes.c_int),
        ("type", ctypes.c_int), ("rank", ctypes.c_int32),
        ("dim", ctypes.c_int64 * 8), ("offset", ctypes.c_int64),
        ("bytes", ctypes.c_int64)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("kind", ctypes.c_int),
        ("type", ctypes.c_int), ("rank", ctypes.c_int32),
        ("dim", ctypes.c_int64 * 8), ("offset", ctypes.c_int64),
        ("bytes", ctypes.c_int64), ("init", ctypes.c_int),
        ("fill", ctypes.c_double), ("tier", ctypes.c_int32)]


class _Entry(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("input", ctypes.POINTER(_Port)),
        ("output", ctypes.POINTER(_Port)), ("step", ctypes.c_void_p),
        ("inputs", ctypes.c_int32), ("outputs", ctypes.c_int32),
        ("steps", ctypes.c_int32), ("batch", ctypes.c_int32),
        ("tickets", ctypes.c_int32)]


class _Program(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_int32), ("workers", ctypes.c_int32),
        ("model", ctypes.c_char_p), ("optimizer", ctypes.c_char_p),
        ("target", ctypes.c_char_p), ("model_hash", ctypes.c_uint64),
        ("plan_hash", ctypes.c_uint64), ("loss", ctypes.c_int),
        ("classes", ctypes.c_int64), ("lr", ctypes.c_double),
        ("arena_bytes", ctypes.c_int64), ("arena_align", ctypes.c_int64),
        ("bound_bytes", ctypes.c_int64), ("seconds", ctypes.c_double),
        ("order_proof", ctypes.c_char_p), ("tensor", ctypes.POINTER(_Tensor)),
        ("entry", ctypes.POINTER(_Entry)), ("piece", ctypes.c_void_p),
        ("tensors", ctypes.c_int32), ("entries", ctypes.c_int32),
        ("pieces", ctypes.c_int32), ("weights", ctypes.c_char_p)]


def _open_library():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), LIBRARY)
    library = ctypes.CDLL(path)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.rt_open_spill.argtypes = [
        ctypes.POINTER(pointer), pointer, pointer, ctypes.c_int64,
        ctypes.c_int, text]
    library.rt_close.argtypes = [pointer]
    library.rt_close.restype = None
    library.rt_load.argtypes = library.rt_save.argtypes = [pointer, text]
    library.rt_run.argtypes = [pointer, text]
    library.rt_step.argtypes = [
        pointer, ctypes.c_double, ctypes.POINTER(ctypes.c_double)]
    library.rt_message.restype = text
    program = _Program.in_dll(library, "snug_program")
    if program.version != ABI:
        raise ImportError("%s has interface version %d, this module %d"
                          % (path, program.version, ABI))
    return library, program


_library, _program = _open_library()
_folder = os.path.dirname(os.path.abspath(__file__))

model = _program.model.decode()
optimizer = _program.optimizer.decode()
learning_rate = _program.lr
arena_bytes = _program.arena_bytes


class Error(RuntimeError):
    """What the library refuses, in its words."""


def _must(status):
    if status:
        raise Error(_library.rt_message().decode(errors="replace"))


def _name(thing):
    return thing.name.decode(errors="surrogateescape")


class Model:
    """A model with its weights in an arena of `arena_bytes` bytes.

    Everything that is handed out is a view of the arena: nothing is copied.
    Parameters and states keep their place. Inputs are to be filled before every
    step, and outputs hold until the next one: the bytes between belong to other
    values.

    weights  a safetensors file [the one written with the library]
    threads  0: as many as the program was planned for and the machine has
    seed     of dropout
    steps    planned steps of the run, for rules that ask for them
    spill    the folder for the file of a tier [the current one]

    Tensors that the plan keeps beside the arena have no views: load() and save()
    reach them.
    """

    def __init__(self, weights=None, threads=0, seed=0, steps=0, spill=None):
        self.seed = seed
        self.steps = steps
        self._model = None
        self._arena = self._map_arena()
        made = ctypes.c_void_p()
        _must(_library.rt_open_spill(
            ctypes.byref(made), ctypes.addressof(_program),
            self._arena.ctypes.data, arena_bytes, threads,
            None if spill is None else os.fsencode(spill)))
        self._model = made
        self._entries = {
            _name(e): e for e in _program.entry[:_program.entries]}
        self.parameters = self._tensors(PARAMETER)
        self.states = self._tensors(STATE)
        if weights is None:
            weights = os.path.join(_folder, _program.weights.decode())
        self.load(weights)

    @staticmethod
    def _map_arena():
        align = max(_program.arena_align, HUGE_PAGE)
        room = mmap.mmap(-1, arena_bytes + align)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            try:
                room.madvise(mmap.MADV_HUGEPAGE)
            except OSError:
                pass  # a kernel without huge pages
        whole = numpy.frombuffer(room, numpy.uint8)
        first = -whole.ctypes.data % align
        return whole[first:first + arena_bytes]

    def _view(self, thing):
        part = self._arena[thing.offset:thing.offset + thing.bytes]
        return part.view(TYPES[thing.type]).reshape(thing.dim[:thing.rank])

    def _tensors(self, kind):
        return {_name(t): self._view(t)
                for t in _program.tensor[:_program.tensors]
                if t.kind == kind and t.tier < 0}

    def _variables(self):
        """Views of all that training changes."""
        outside = [_name(t) for t in _program.tensor[:_program.tensors]
                   if t.kind in (PARAMETER, STATE) and t.tier >= 0]
        if outside:
            raise Error("no views of %s, which the plan keeps beside the arena"
                        % ", ".join(outside))
        return {**self.parameters, **self.states}

    def _open(self):
        if self._model is None:
            raise Error("the model is closed")
        return self._model

    def _entry(self, name):
        self._open()
        if name not in self._entries:
            raise Error("no entry '%s': there are %s"
                        % (name, ", ".join(self._entries)))
        return self._entries[name]

    def inputs(self, entry="train"):
        """The views that are to be filled before each run of it, by name."""
        e = self._entry(entry)
        return {_name(p): self._view(p) for p in e.input[:e.inputs]
                if p.role in (DATA, LABELS)}

    def outputs(self, entry="forward"):
        """The views of what `entry` made, by name."""
        e = self._entry(entry)
        return {_name(p): self._view(p) for p in e.output[:e.outputs]}

    def _fill(self, name, arrays):
        e = self._entry(name)
        views = self.inputs(name)
        for p in e.input[:e.inputs]:
            if p.role in (STEPS, WEIGHT, SEED):
                value = {STEPS: self.steps, WEIGHT: 1, SEED: self.seed}[p.role]
                self._view(p)[...] = arrays.pop(_name(p), value)
        if not arrays:
            return
        if arrays.keys() != views.keys():
            raise Error("entry '%s' takes %s, not %s" % (
                name, ", ".join(views), ", ".join(arrays)))
        for key, view in views.items():
            array = numpy.asarray(arrays[key])
            if array.shape != view.shape:
                raise Error("'%s' has shape %s, not %s"
                            % (key, view.shape, array.shape))
            numpy.copyto(view, array, casting="same_kind")

    def step(self, rate=None, **arrays):
        """One training step; its loss. Without arrays: on what is in inputs().
        """
        loss = ctypes.c_double()
        self._fill("train", arrays)
        _must(_library.rt_step(
            self._model, learning_rate if rate is None else rate,
            ctypes.byref(loss)))
        return loss.value

    def run(self, entry="forward", **arrays):
        """Runs an entry; its outputs() by name."""
        self._fill(entry, arrays)
        _must(_library.rt_run(self._model, entry.encode()))
        return self.outputs(entry)

    def load(self, path):
        """Parameters and statistics from a safetensors file."""
        _must(_library.rt_load(self._open(), os.fsencode(path)))

    def save(self, path):
        """Parameters and statistics into a safetensors file, atomically."""
        _must(_library.rt_save(self._open(), os.fsencode(path)))

    def snapshot(self):
        """A copy of all that training goes on from, the rule's states too; as
        numpy.savez takes it."""
        return {name: view.copy()
                for name, view in self._variables().items()}

    def restore(self, snapshot):
        """Back to a snapshot()."""
        for name, view in self._variables().items():
            view[...] = snapshot[name]

    def close(self):
        """Ends the threads. Views of the arena stay valid."""
        if self._model is not None:
            _library.rt_close(self._model)
            self._model = None

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def __del__(self):
        self.close()
