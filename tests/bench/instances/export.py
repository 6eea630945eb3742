"""Exports the nets whose training steps are planned in docs/instances.md, with a batch of any size.

    python export.py FOLDER [NET...]      needs torch, torchvision, onnx; writes FOLDER/NET.onnx

Architectures are the published ones; the weights are as they are drawn, for nothing is trained.
"""
import os
import sys
import warnings

import torch
from torchvision import models

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import subjects  # noqa: E402
import nets  # noqa: E402

BATCH = 2  # while it is traced: with one row, norms over the batch refuse


def picture(side):
    return {"input": torch.randn(BATCH, 3, side, side)}


def tokens(length, words, masked):
    inputs = {"input_ids": torch.randint(words, (BATCH, length))}
    if masked:
        inputs["attention_mask"] = torch.ones(BATCH, length, dtype=torch.int64)
    return inputs


def bert_base():
    return subjects.bert(12, 768, 12).model, tokens(128, 30522, True)


def gpt2(length):
    return nets.GPT(50257, 1024, 12, 768, 12, 0.0), tokens(length, 50257, False)


NETS = {
    "resnet50": lambda: (models.resnet50(), picture(224)),
    "mobilenetv2": lambda: (models.mobilenet_v2(dropout=0.0), picture(224)),
    "densenet121": lambda: (models.densenet121(), picture(224)),
    "efficientnet_b0": lambda: (models.efficientnet_b0(), picture(224)),
    "googlenet": lambda: (models.googlenet(aux_logits=False, init_weights=False), picture(224)),
    "inception_v3": lambda: (models.inception_v3(aux_logits=False, init_weights=False), picture(299)),
    "shufflenetv2": lambda: (models.shufflenet_v2_x1_0(), picture(224)),
    "vit_tiny": lambda: (models.vision_transformer.VisionTransformer(224, 16, 12, 3, 192, 768), picture(224)),
    "bert_base": bert_base,
    "gpt2_t64": lambda: gpt2(64),
    "gpt2_t512": lambda: gpt2(512),
}


def write(name, folder):
    torch.manual_seed(0)
    model, inputs = NETS[name]()
    torch.onnx.export(model.train(), tuple(inputs.values()), os.path.join(folder, name + ".onnx"), dynamo=False, opset_version=17,
                      do_constant_folding=False, training=torch.onnx.TrainingMode.TRAINING, input_names=list(inputs),
                      output_names=["logits"], dynamic_axes={n: {0: "batch"} for n in [*inputs, "logits"]})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for net in sys.argv[2:] or NETS:
        write(net, sys.argv[1])
        print(net, flush=True)
