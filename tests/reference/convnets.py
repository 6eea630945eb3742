"""Convolutional nets of torchvision and a tiny one: exports them and compares compiled programs with PyTorch.

    python convnets.py fixture            writes convnet.onnx, convnet.npz and convnet.json beside this file
    python convnets.py SNUG FOLDER [NAME_BATCH...]     resnet18_64 resnet50_4 mobilenetv2_4: needs torch, torchvision, onnx, safetensors

Ten steps of sgd (lr 0.01, mu 0.9) and adamw (lr 1e-4). A value that lies within rounding of a ReLU's corner falls on either side
of it, and the step after is another one: so PyTorch in f32 is compared with PyTorch in f64 as well (`drift`). ONNX's running
variance takes the population variance of a batch and PyTorch's takes the sample variance: the reference takes ONNX's.
"""
import copy
import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, BATCHES = 10, 2
RULES = {"sgd": dict(lr=0.01, mu=0.9), "adamw": dict(lr=1e-4)}


class Tiny(nn.Module):
    """A stem, a depthwise separable block with stride 2 and ReLU6, a residual block, average pooling."""

    def __init__(self):
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.deep, self.n1 = nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), nn.BatchNorm2d(8)
        self.wide, self.n2 = nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16)
        self.res, self.n3 = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.short, self.n4 = nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16)
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        x = F.relu(self.n0(self.stem(x)))
        y = F.relu6(self.n1(self.deep(x)))
        y = self.n3(self.res(self.n2(self.wide(y))))
        x = F.relu(y + self.n4(self.short(x)))
        return self.last(F.adaptive_avg_pool2d(x, 1).flatten(1))


def make(name, batch):
    """-> (model, inputs, labels)"""
    if name == "convnet":
        torch.manual_seed(3)
        return Tiny().train(), torch.randn(BATCHES * batch, 3, 8, 8), torch.randint(4, (BATCHES * batch,))
    from torchvision import models
    torch.manual_seed(0)
    side, classes = (32, 10) if name == "resnet18" else (224, 1000)
    if name == "resnet18":
        model = models.resnet18(num_classes=10)
        model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    else:
        model = models.resnet50() if name == "resnet50" else models.mobilenet_v2(dropout=0.0)
    return model.train(), torch.randn(BATCHES * batch, 3, side, side), torch.randint(classes, (BATCHES * batch,))


def export(model, example, path):
    warnings.filterwarnings("ignore")
    torch.onnx.export(copy.deepcopy(model), example, path, dynamo=False, opset_version=17, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.TRAINING, input_names=["input"], output_names=["logits"])
    # Tracing in training mode is a forward pass: the file's running statistics have seen the example once.
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for name, buffer in model.named_buffers():
        if name in stored:
            buffer.copy_(torch.from_numpy(stored[name].copy()))


def population_variance(model):
    """PyTorch updates with var * n / (n - 1); this takes it back, so that running_var is ONNX's."""
    def before(norm, args):
        norm.old = norm.running_var.clone()

    def after(norm, args, result):
        n = args[0].numel() / args[0].shape[1]
        sample = (norm.running_var - (1 - norm.momentum) * norm.old) / norm.momentum
        norm.running_var.data.copy_((1 - norm.momentum) * norm.old + norm.momentum * sample * (n - 1) / n)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.register_forward_pre_hook(before)
            norm.register_forward_hook(after)


def train(model, x, y, batch, rule, dtype=torch.float32):
    """-> (model, losses, median seconds of a step)"""
    model, x, losses, seconds = copy.deepcopy(model).to(dtype), x.to(dtype), [], []
    population_variance(model)
    update = (torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9) if rule == "sgd" else
              torch.optim.AdamW(model.parameters(), lr=1e-4))
    for i in range(STEPS):
        rows, start = slice(i % BATCHES * batch, (i % BATCHES + 1) * batch), time.time()
        loss = F.cross_entropy(model(x[rows]), y[rows])
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
        seconds.append(time.time() - start)
    return model, losses, sorted(seconds)[STEPS // 2]


def off(a, b):
    return [f"{abs(p - q) / abs(q):.1e}" for p, q in zip(a, b)]


def statistics_off(file, model):
    """The largest relative distance, in norm, of the running statistics of one layer."""
    from safetensors.torch import load_file
    ours = load_file(file)
    return max(((ours[k].double() - v.double()).norm() / v.double().norm()).item()
               for k, v in model.state_dict().items() if "running_" in k)


def compare(snug, folder, name, batch):
    model, x, y = make(name, batch)
    base = os.path.join(folder, f"{name}_{batch}")
    export(model, x[:batch], base + ".onnx")
    np.savez(base + ".npz", input=x.numpy(), labels=y.numpy())
    for rule, settings in RULES.items():
        sets = [word for k, v in settings.items() for word in ("--set", f"{k}={v}")]
        subprocess.run([snug, "compile", base + ".onnx", "--optimizer", rule, *sets, "-o", base], check=True)
        subprocess.run([base, "--data", base + ".npz", "--batch-order", "sequential", "--steps", str(STEPS), "--log",
                        base + ".jsonl", "--save", base + ".out.safetensors", "--quiet"], check=True)
        with open(base + ".jsonl") as log:
            rows = [row for row in map(json.loads, log) if "loss" in row and "step" in row][:STEPS]
        single, losses, seconds = train(model, x, y, batch, rule)
        exact = train(model, x, y, batch, rule, torch.float64)
        print(f"{name} batch {batch} {rule}: {sorted(row['seconds'] for row in rows)[STEPS // 2]:.3f} s a step, PyTorch {seconds:.3f} s")
        print("  from PyTorch f32:", *off([row["loss"] for row in rows], losses))
        print("  from PyTorch f64:", *off([row["loss"] for row in rows], exact[1]))
        print("  drift:           ", *off(losses, exact[1]))
        print(f"  running statistics from f64: {statistics_off(base + '.out.safetensors', exact[0]):.1e}, "
              f"PyTorch f32: {max(((v.double() - exact[0].state_dict()[k]).norm() / exact[0].state_dict()[k].norm()).item() for k, v in single.state_dict().items() if 'running_' in k):.1e}",
              flush=True)


def fixture():
    batch = 8
    model, x, y = make("convnet", batch)
    base = os.path.join(HERE, "convnet")
    export(model, x[:batch], base + ".onnx")
    np.savez(base + ".npz", input=x.numpy(), labels=y.numpy())
    runs = []
    for rule, settings in RULES.items():
        after, losses, _ = train(model, x, y, batch, rule)
        exact = train(model, x, y, batch, rule, torch.float64)[1]
        runs.append(dict(rule=rule, set=settings, drift=float(f"{max(abs(a - b) / b for a, b in zip(losses, exact)):.1e}"),
                         losses=[float(f"{v:.9g}") for v in losses],
                         statistics={k: [float(f"{v:.9g}") for v in t.tolist()]
                                     for k, t in after.state_dict().items() if "running_" in k}))
    with open(base + ".json", "w") as file:
        json.dump(dict(batch=batch, runs=runs), file)
        file.write("\n")


def main():
    if sys.argv[1:] == ["fixture"]:
        fixture()
        return
    for word in sys.argv[3:] or ["resnet18_64", "resnet50_4", "mobilenetv2_4"]:
        name, batch = word.rsplit("_", 1)
        compare(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), name, int(batch))


if __name__ == "__main__":
    main()
