"""The models whose training steps are timed: subject(NAME) gives the net, one batch, and the rule that trains it.

    python subjects.py NAME FOLDER      writes NAME.onnx, NAME.npz (the batch) and NAME.json into FOLDER; needs torch, torchvision, onnx

The batch of NAME.npz is the whole data set of a run: every contender sees the same numbers at every step.
"""
import json
import os
import sys
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
import models as digits  # noqa: E402
import nets  # noqa: E402

NAMES = ("mlp", "lenet", "resnet18", "resnet50", "mobilenetv2", "vit_tiny", "bert_mini", "bert_base", "gpt_mini", "gpt2_t512",
         "gpt2_t1024")
GPTS = {"gpt_mini": (8, 256, 256, 256, 4, 256, 4), "gpt2_t512": (1, 512, 1024, 50257, 12, 768, 12),
        "gpt2_t1024": (1, 1024, 1024, 50257, 12, 768, 12)}  # batch, length, positions, words, layers, width, heads
RATES = {"adamw": 1e-4, "sgd": 1e-3}


@dataclass
class Subject:
    model: nn.Module
    inputs: dict          # by name
    labels: torch.Tensor
    rule: str             # adamw, or sgd with momentum


class EncoderBlock(nets.Block):
    """With three projections, as the published BERT has them."""

    def __init__(self, width, heads):
        super().__init__(width, heads, False, 0.0)
        del self.qkv
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))

    def attend(self, x, mask):
        q, k, v = (nets.heads_of(project(x), self.heads) for project in (self.q, self.k, self.v))
        return self.proj(nets.joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))


def bert(layers, width, heads):
    model = nets.Bert(layers, width, heads, 0.0)
    model.blocks = nn.ModuleList(EncoderBlock(width, heads) for _ in range(layers))
    mask = torch.ones(8, 128, dtype=torch.int64)
    mask[::2, 96:] = 0
    inputs = {"input_ids": torch.randint(30522, (8, 128)), "attention_mask": mask}
    return Subject(nets.drawn_apart(model), inputs, torch.randint(2, (8,)), "adamw")


def gpt(batch, length, positions, words, layers, width, heads):
    tokens = torch.randint(words, (batch, length + 1))
    model = nets.drawn_apart(nets.GPT(words, positions, layers, width, heads, 0.0))
    return Subject(model, {"input_ids": tokens[:, :-1].contiguous()}, tokens[:, 1:].contiguous(), "adamw")


def pictures(name):
    from torchvision import models
    if name == "resnet18":  # for small pictures
        model = models.resnet18(num_classes=10)
        model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
        return Subject(model.train(), {"input": torch.randn(64, 3, 32, 32)}, torch.randint(10, (64,)), "sgd")
    if name == "vit_tiny":
        model = models.vision_transformer.VisionTransformer(224, 16, 12, 3, 192, 768)
        nn.init.normal_(model.heads.head.weight, std=0.02)
    else:
        model = models.resnet50() if name == "resnet50" else models.mobilenet_v2(dropout=0.0)
    rule = "adamw" if name == "vit_tiny" else "sgd"
    return Subject(model.train(), {"input": torch.randn(8, 3, 224, 224)}, torch.randint(1000, (8,)), rule)


def subject(name):
    torch.manual_seed(0)
    if name in digits.MODELS:
        x, y = digits.load(name, "train")
        return Subject(digits.build(name), {"input": x[:digits.BATCH]}, y[:digits.BATCH], "sgd" if name == "lenet" else "adamw")
    if name in GPTS:
        return gpt(*GPTS[name])
    return bert(*{"bert_mini": (4, 256, 4), "bert_base": (12, 768, 12)}[name]) if name.startswith("bert") else pictures(name)


def loss_of(logits, labels):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def optimizer(s):
    if s.rule == "adamw":
        return torch.optim.AdamW(s.model.parameters(), lr=RATES["adamw"], fused=True)
    return torch.optim.SGD(s.model.parameters(), lr=RATES["sgd"], momentum=0.9, fused=True)


def add_checkpoints(model):
    """Every residual block computes its inside again in the backward pass; -> how many blocks."""
    from torchvision import models
    kinds = (nets.Block, models.resnet.BasicBlock, models.resnet.Bottleneck, models.mobilenetv2.InvertedResidual,
             models.vision_transformer.EncoderBlock)
    blocks = [part for part in model.modules() if isinstance(part, kinds)]
    for block in blocks:
        block.forward = lambda *inputs, inner=block.forward: checkpoint(inner, *inputs, use_reentrant=False)
    return len(blocks)


def product_flops(s):
    """Of matrix products and convolutions, forward and backward."""
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        loss_of(s.model(*s.inputs.values()), s.labels).backward()
    s.model.zero_grad(set_to_none=True)
    return counter.get_total_flops()


def write(name, folder):
    s = subject(name)
    torch.onnx.export(s.model, tuple(s.inputs.values()), os.path.join(folder, name + ".onnx"), dynamo=False, opset_version=17,
                      do_constant_folding=False, training=torch.onnx.TrainingMode.TRAINING, input_names=list(s.inputs),
                      output_names=["logits"])
    np.savez(os.path.join(folder, name + ".npz"), labels=s.labels.numpy(), **{n: a.numpy() for n, a in s.inputs.items()})
    facts = dict(rule=s.rule, lr=RATES[s.rule], product_flops=product_flops(s), batch=len(s.labels),
                 parameters=sum(p.numel() for p in s.model.parameters()))
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump(facts, file)


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
