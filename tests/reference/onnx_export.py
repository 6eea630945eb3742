"""Trains and exports the digits models, and holds the exported files against ONNX Runtime and our interpreter.

    python onnx_export.py SNUG       needs numpy, onnx, onnxruntime; SNUG is the compiler; prints a table
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "examples", "digits")
DATA = {"mlp": "digits", "lenet": "digits28"}
MODELS = [(n, k) for n in DATA for k in ("legacy", "dynamo", "dynamo.external")]
BATCH, STEPS = 64, 100


def read_safetensors(path):
    import json
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header, data = json.loads(data[8:8 + length]), data[8 + length:]
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"])
            for name, t in header.items() if name != "__metadata__" and t["dtype"] == "F32"}


def check(snug, name, kind, folder):
    source = os.path.join(HERE if "external" in kind else DIGITS, f"{name}.{kind}.onnx")
    data = os.path.join(DIGITS, f"{DATA[name]}-%s.npz")
    run = lambda *command: subprocess.run(command, cwd=folder, check=True, capture_output=True)
    run(snug, "compile", os.path.abspath(source), "-o", "train", "--optimizer", "adamw")
    run("./train", "--data", os.path.abspath(data % "train"), "--steps", str(STEPS), "--save", "w.safetensors",
        "--export-onnx", "again.onnx")
    path = os.path.join(folder, "again.onnx")
    onnx.checker.check_model(path, full_check=True)
    saved = read_safetensors(os.path.join(folder, "w.safetensors"))
    exported = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    same = all(np.array_equal(exported[n], saved[n]) for n in exported if n in saved)
    with np.load(data % "test") as z:
        images, labels = z["input"][:BATCH], z["labels"][:BATCH]
    np.save(os.path.join(folder, "x.npy"), images)
    run(snug, "eval", "again.onnx", "--input", "input=x.npy", "--output", "y.npz")
    ours = next(iter(np.load(os.path.join(folder, "y.npz")).values()))
    theirs = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": images})[0]
    return same, np.abs(ours - theirs).max() / np.abs(theirs).max(), np.mean(theirs.argmax(1) == labels)


def main():
    for name, kind in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            same, error, right = check(os.path.abspath(sys.argv[1]), name, kind, folder)
        print(f"| {name}.{kind} | {'yes' if same else 'NO'} | {error:.1e} | {100 * right:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
