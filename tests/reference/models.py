"""The two models of the digits example, their data, and the training loop that every reference uses."""
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "examples", "digits")
BATCH = 64
DATA = {"mlp": "digits", "lenet": "digits28"}


class MLP(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.f3(F.relu(self.f2(F.relu(self.f1(x.flatten(1))))))


MODELS = {"mlp": MLP, "lenet": LeNet}
SEEDS = {"mlp": 5, "lenet": 22}  # starts from which 100 steps amplify rounding least (losses.py)


def build(name):
    """The model with the weights that the exported files hold."""
    torch.manual_seed(SEEDS[name])
    return MODELS[name]().train()


def load(name, part):
    """-> (inputs f32, labels i64) of the train or test file of a model."""
    with np.load(os.path.join(DIGITS, f"{DATA[name]}-{part}.npz")) as z:
        return torch.from_numpy(z["input"]), torch.from_numpy(z["labels"])


def batches(name, steps):
    """Batches in file order; a partial last batch is dropped and the file starts over."""
    inputs, labels = load(name, "train")
    whole = len(labels) // BATCH
    for i in range(steps):
        rows = slice(i % whole * BATCH, (i % whole + 1) * BATCH)
        yield inputs[rows], labels[rows]


def optimizer(parameters, rule, settings, fused=False):
    if rule == "sgd":
        return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings["mu"],
                               weight_decay=settings["wd"], nesterov=bool(settings["nesterov"]), fused=fused)
    return torch.optim.AdamW(parameters, lr=settings["lr"], betas=(settings["b1"], settings["b2"]),
                             eps=settings["eps"], weight_decay=settings["wd"], fused=fused)


def train(name, rule, settings, steps, dtype=torch.float32, nudge=0):
    """-> (model, loss of each step, taken before its update). nudge: seed of a change of half a unit in the last place."""
    model = build(name).to(dtype)
    if nudge:
        random = torch.Generator().manual_seed(nudge)
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1 + 2**-24 * torch.randn(p.shape, generator=random))
    update, losses = optimizer(model.parameters(), rule, settings), []
    for x, y in batches(name, steps):
        loss = F.cross_entropy(model(x.to(dtype)), y)
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    return model, losses


def accuracy(model, name):
    x, y = load(name, "test")
    with torch.no_grad():
        logits = model.eval()(x.to(next(model.parameters()).dtype))
    return (logits.argmax(1) == y).double().mean().item()
