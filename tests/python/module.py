"""module.py FOLDER: the Python module that lies beside net.so there, against
rows.npz and the losses that the training program has written (losses)."""
import os
import sys

import numpy as np

os.chdir(sys.argv[1])
sys.path.insert(0, ".")
import net_model as net  # noqa: E402

data = np.load("rows.npz")
want = [np.float32(line) for line in open("losses")]


def batch(k):
    rows = slice(k * 64, (k + 1) * 64)
    return {"input": data["input"][rows], "labels": data["labels"][rows]}


def refused(words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except net.Error as error:
        assert words in str(error), error
        return
    raise AssertionError("not refused: " + words)


model = net.Model(threads=1)
arena = model._arena
assert net.arena_bytes == arena.nbytes and net.optimizer.startswith("adamw ")
got = [model.step(1e-3, **batch(k)) for k in range(len(want))]
assert [np.float32(loss) for loss in got] == want, (got, want)
print("ok module: the losses of train, bit for bit")

views = [*model.parameters.values(), *model.states.values(),
         *model.inputs().values(), *model.outputs().values()]
assert all(np.shares_memory(view, arena) for view in views)
filled = net.Model(threads=2)
for k, loss in enumerate(want):
    for name, view in filled.inputs().items():
        view[...] = batch(k)[name]
    assert np.float32(filled.step(1e-3)) == loss
print("ok module: inputs are filled where they lie, and nothing is copied")

model.save("saved.safetensors")
other = net.Model("saved.safetensors", threads=1)
for name, view in model.parameters.items():
    assert view.tobytes() == other.parameters[name].tobytes()
np.savez("state.npz", **model.snapshot())
other.restore(np.load("state.npz"))
assert other.step(1e-3, **batch(0)) == model.step(1e-3, **batch(0))
print("ok module: saved, loaded and restored, it goes on with the same bits")

logits = next(iter(model.run("forward", input=data["input"][:64]).values()))
assert logits.shape == (64, 10)
weights = {name: view.astype(np.float64)
           for name, view in model.parameters.items()}
x = data["input"][:64].astype(np.float64)
pairs = [(w, weights[n[:-len("weight")] + "bias"])
         for n, w in weights.items() if n.endswith("weight")]
for k, (w, b) in enumerate(pairs):
    x = x @ w.T + b
    x = np.maximum(x, 0) if k < len(pairs) - 1 else x
assert np.abs(logits - x).max() < 1e-4 * np.abs(x).max()
first = next(iter(model.parameters.values()))
first[...] = 0
again = next(iter(model.run("forward").values()))
assert first.base is not None and not np.array_equal(again, x)
print("ok module: outputs are numpy's; a parameter is written in place")

refused("no entry 'tarin'", model.run, "tarin")
refused("takes input, labels", model.step, 1e-3, input=data["input"][:64])
refused("has shape (64, 64)", model.step, 1e-3, input=data["input"][:3],
        labels=data["labels"][:64])
refused("absent.safetensors", model.load, "absent.safetensors")
model.close()
refused("closed", model.step, 1e-3)
model.close()
print("ok module: five refusals")
