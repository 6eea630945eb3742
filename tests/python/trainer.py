"""trainer.py: python/snug.py with modules of torch: gradients, ten steps of
sgd beside torch's, weights under the module's names."""
import os
import sys

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../python"))
import snug  # noqa: E402

STEPS, RATE = 10, 0.05


class Tied(nn.Module):
    """A bag of tokens; the table of the tokens is that of the logits, and a
    buffer and a frozen layer are not trained."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 8)
        self.mix = nn.Linear(8, 8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("place", torch.randn(5, 8))

    def forward(self, tokens):
        x = self.table(tokens) + self.place
        return self.head(x + self.frozen(torch.tanh(self.mix(x))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, weight):  # a name that the compiler needs itself
        return self.out(self.lstm(weight)[0][:, -1])


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(36, 10))


def classes(n):
    return lambda y: torch.randint(n, y.shape[:-1])


CASES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(12, 16), nn.ReLU(),
                                  nn.Linear(16, 5)),
            lambda: torch.randn(8, 12), classes(5), "cross-entropy"),
    "regression": (lambda: nn.Linear(7, 2), lambda: torch.randn(8, 7),
                   lambda y: torch.randn(y.shape), "mse"),
    "convolutional": (convolutional, lambda: torch.randn(16, 1, 8, 8),
                      classes(10), "cross-entropy"),
    "tied": (Tied, lambda: torch.randint(11, (4, 5)), classes(11),
             "cross-entropy"),
    "recurrent": (Recurrent, lambda: torch.randn(4, 7, 6), classes(3),
                  "cross-entropy"),
}


def without_statistics(state):
    """PyTorch averages the sample variance, ONNX that of the population."""
    return {k: v for k, v in state.items() if not k.endswith("running_var")}


def train_both(name):
    torch.manual_seed(1)
    make, draw, label, loss = CASES[name]
    module = make().train()
    batches = [draw() for _ in range(STEPS)]
    labels = [label(module.eval()(x)) for x in batches]
    module.train()
    trainer = snug.Trainer(module, batches[0], loss=loss, optimizer="sgd",
                           settings={"mu": 0, "wd": 0})
    result = trainer.check(batches[0], labels[0])
    trained = [n for n, p in module.named_parameters() if p.requires_grad]
    assert result.gradients.keys() == set(trained), result
    if name == "convolutional":
        return trainer.close()  # dropout draws its own numbers
    losses = trainer.fit(zip(batches, labels), RATE)
    rule = torch.optim.SGD([p for p in module.parameters() if p.requires_grad],
                           lr=RATE)
    for k in range(STEPS):
        want = snug._torch_loss(loss, module(batches[k]), labels[k])
        assert abs(losses[k] - want.item()) < 1e-5 * want.item(), k
        rule.zero_grad()
        want.backward()
        rule.step()
    got, state = trainer.state_dict(), module.state_dict()
    assert got.keys() == state.keys()
    for key in without_statistics(state):
        assert torch.allclose(got[key], state[key], rtol=1e-4, atol=1e-5), key
    module.eval()
    assert torch.allclose(trainer.predict(batches[0]), module(batches[0]),
                          rtol=1e-4, atol=1e-5)
    module.load_state_dict(got)
    trainer.close()


def statistics():
    """Batch normalization by itself: counted, averaged, given back."""
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    trainer = snug.Trainer(module, torch.randn(8, 6), optimizer="sgd",
                           settings={"mu": 0, "wd": 0}, memory="64KiB")
    assert trainer.arena_bytes <= 65536
    batches = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(3)]
    batches.append((torch.randn(5, 6), torch.randint(3, (5,))))  # left out
    assert len(trainer.fit(batches, 0.0)) == 3
    module.train()
    for x, _ in batches[:3]:
        module(x)
    got, want = trainer.state_dict(), module.state_dict()
    assert got["1.num_batches_tracked"] == 3
    assert torch.allclose(got["1.running_mean"], want["1.running_mean"],
                          atol=1e-6)
    mean = got["1.running_var"]
    scaled = 0.9 ** 3 + (want["1.running_var"] - 0.9 ** 3) * 7 / 8
    assert torch.allclose(mean, scaled, rtol=1e-4)


def refusals():
    module = nn.Linear(4, 2)
    trainer = snug.Trainer(module, torch.randn(3, 4), optimizer="sgd")
    right = functional.cross_entropy
    functional.cross_entropy = lambda *a: 1.5 * right(*a)
    try:
        trainer.check(torch.randn(3, 4), torch.randint(2, (3,)))
    except snug.Error as error:
        assert "not what torch computes" in str(error)
    else:
        raise AssertionError("another loss is not refused")
    functional.cross_entropy = right
    try:
        snug.Trainer(module, torch.randn(3, 4), memory="10")
    except snug.Error as error:
        assert "would fit" in str(error) or "fits" in str(error), error
    else:
        raise AssertionError("10 bytes are not refused")


for case in CASES:
    train_both(case)
    print("ok trainer: %s: gradients, losses and weights are torch's" % case)
statistics()
print("ok trainer: statistics of batch normalization")
refusals()
print("ok trainer: refusals")
