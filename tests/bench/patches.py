"""MobileNetV2 whose norms are frozen, for patches (docs/planning.md, "Patches").
    python patches.py FOLDER [SIZE [BATCH]]      writes mobilenetv2_frozen_SIZE.onnx and .npz: needs torch, torchvision, onnx
"""
import os
import sys

import numpy as np
import torch
from torch import nn
from torchvision import models


class FrozenNorm(nn.Module):
    """With the statistics of a checkpoint; scale and shift are trained."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.randn(channels) * 0.1)
        self.register_buffer("var", torch.rand(channels) + 0.5)

    def forward(self, x):
        def shaped(v):
            return v.reshape(1, -1, 1, 1)
        return (x - shaped(self.mean)) / torch.sqrt(shaped(self.var) + 1e-5) * shaped(self.weight) + shaped(self.bias)


def main():
    folder, size, batch = sys.argv[1], int((sys.argv[2:] or [144])[0]), int((sys.argv[3:] or [1])[0])
    torch.manual_seed(0)
    model = models.mobilenet_v2(dropout=0.0, norm_layer=FrozenNorm).train()
    x, y = torch.randn(batch, 3, size, size), torch.randint(1000, (batch,))
    path = os.path.join(folder, f"mobilenetv2_frozen_{size}")
    torch.onnx.export(model, (x,), path + ".onnx", dynamo=False, opset_version=17, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.TRAINING, input_names=["input"], output_names=["logits"])
    np.savez(path + ".npz", input=x.numpy(), labels=y.numpy())


main()
