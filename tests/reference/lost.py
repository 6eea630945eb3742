"""Small exports in which PyTorch's exporters keep or lose what training needs, for tests/program/lost.sh.

    python lost.py [CASE...]      writes lost/*.onnx beside this file; needs torch, onnx, onnxscript
"""
import os
import sys
import warnings

import onnx
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lost")
KEPT = ("pkg.torch.export.ExportedProgram.graph_signature", "pkg.torch.onnx.fx_node", "pkg.torch.onnx.name_scopes")


class Convolutions(nn.Module):
    """Batch normalization behind each convolution."""

    def __init__(self):
        super().__init__()
        self.one, self.bn1 = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.two, self.bn2 = nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.last = nn.Linear(4, 5)
        for norm in (self.bn1, self.bn2):
            norm.running_mean.normal_()

    def forward(self, x):
        x = F.relu(self.bn2(self.two(F.relu(self.bn1(self.one(x))))))
        return self.last(x.mean((2, 3)))


class Words(nn.Module):
    """Tied weights, sines as a buffer, a class token, a table of kinds, two norms, dropout in attention."""

    def __init__(self):
        super().__init__()
        self.word, self.kind = nn.Embedding(11, 8), nn.Embedding(2, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.register_buffer("sines", torch.arange(7)[:, None].float().mul(torch.rand(8)).sin())
        self.norm1, self.norm2, self.mix = nn.LayerNorm(8), nn.LayerNorm(8), nn.Linear(8, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.word.weight

    def forward(self, words):
        x = self.word(words) + self.kind(torch.zeros_like(words))
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1) + self.sines
        y = self.norm1(x).unsqueeze(1)
        y = F.scaled_dot_product_attention(y, y, y, dropout_p=0.1 if self.training else 0.0).squeeze(1)
        return self.head(self.norm2(x + self.mix(y)))


class Merged(nn.Module):
    """Fresh norms before activations, whose tensors all hold ones or zeros, and a parameter without axes."""

    def __init__(self):
        super().__init__()
        self.bn1, self.one, self.bn2 = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.temperature, self.last = nn.Parameter(torch.tensor(0.5)), nn.Linear(3, 5)

    def forward(self, x):
        x = x + self.one(F.relu(self.bn1(x)))
        return self.last(F.relu(self.bn2(x)).mean((2, 3))) * self.temperature


def save(name, how):
    torch.manual_seed(1)
    pictures = name != "words"
    model = {"convolutions": Convolutions, "words": Words, "merged": Merged}[name]()
    example = (torch.randn(2, 3, 8, 8) if pictures else torch.randint(11, (2, 6)),)
    path = os.path.join(HERE, f"{name}.{how}.onnx")
    named = {"input_names": ["x"], "output_names": ["logits"]}
    if how == "legacy":
        torch.onnx.export(model.train(), example, path, dynamo=False, opset_version=17, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.TRAINING, **named)
    elif how == "folded":
        torch.onnx.export(model.eval(), example, path, dynamo=False, opset_version=17, **named)
    else:
        torch.onnx.export(model.train(), example, path, dynamo=True, optimize=how != "kept", opset_version=20, verbose=False,
                          external_data=False, **named)
    proto = onnx.load(path)
    for holder in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.output):
        pairs = [(p.key, p.value) for p in holder.metadata_props if p.key in KEPT and how != "bare"]
        del holder.metadata_props[:]
        for key, value in pairs:
            holder.metadata_props.add(key=key, value=value)
    for node in proto.graph.node:
        node.ClearField("doc_string")
    del proto.graph.value_info[:]
    onnx.save(proto, path)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    os.makedirs(HERE, exist_ok=True)
    for case in sys.argv[1:] or ("convolutions.legacy", "convolutions.folded", "convolutions.kept", "convolutions.optimized", "words.legacy",
                 "words.kept", "words.optimized", "words.bare", "merged.legacy", "merged.optimized"):
        save(*case.split("."))
