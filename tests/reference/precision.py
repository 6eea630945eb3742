"""The losses of 10 training steps in mixed precision: PyTorch's autocast to bf16 on the model of gpt.*.onnx.

    python precision.py        writes precision.json here

needs torch. How far autocast drifts from f32 is the yardstick for ours: both round, neither where the other does.
"""
import json
import os

import torch

import transformers


class Autocast(torch.nn.Module):
    """A forward pass in autocast, its logits in f32."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *arrays):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.model(*arrays).float()


def main():
    model, arrays, labels, batch = transformers.build("gpt")
    losses = transformers.train("gpt", Autocast(model), arrays, labels, batch)
    with open(os.path.join(transformers.HERE, "precision.json"), "w") as file:
        json.dump({"gpt": {"autocast": [round(x, 8) for x in losses]}}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
