"""make_gpt.py: writes gpt.onnx, a byte-level GPT with random weights, by PyTorch's exporter in the form that still trains."""
import os

import torch
from torch import nn
from torch.nn import functional as F

BATCH, LENGTH, WIDTH, HEADS, LAYERS, BYTES = 16, 64, 64, 4, 2, 256


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        q, k, v = (t.view(BATCH, LENGTH, HEADS, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(WIDTH, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(BATCH, LENGTH, WIDTH))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.byte, self.position = nn.Embedding(BYTES, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for table in (self.byte, self.position):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, bytes):
        x = self.byte(bytes) + self.position(torch.arange(LENGTH))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.byte.weight)  # the head is the embedding: stored once, trained as one


torch.manual_seed(0)
torch.onnx.export(Gpt().train(), (torch.zeros(BATCH, LENGTH, dtype=torch.int64),), os.path.join(os.path.dirname(__file__), "gpt.onnx"),
                  training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False, input_names=["bytes"], output_names=["logits"],
                  opset_version=17, dynamo=False)
