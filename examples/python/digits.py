"""digits.py FOLDER: trains the digits in Python, with the module that lies beside
libnet.so in FOLDER. Needs numpy."""
import os
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import net_model  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
EPOCHS, RATE = 20, 2e-3


def read(name):
    data = np.load(os.path.join(HERE, "../digits/digits-%s.npz" % name))
    return data["input"], data["labels"]


def batches(images, labels, order):
    size = len(net.inputs()["labels"])
    for first in range(0, len(order) - size + 1, size):
        rows = order[first:first + size]
        yield images[rows], labels[rows]


net = net_model.Model()
images, labels = read("train")
draw = np.random.default_rng(1)
for epoch in range(EPOCHS):
    order = draw.permutation(len(images))
    losses = [net.step(RATE, input=x, labels=y)
              for x, y in batches(images, labels, order)]
print("loss %.4f after %d epochs" % (np.mean(losses), EPOCHS))

right = [np.mean(net.run("forward", input=x)["logits"].argmax(1) == y)
         for x, y in batches(*read("test"), np.arange(len(read("test")[0])))]
print("accuracy %.1f %% in %d bytes" % (100 * np.mean(right),
                                        net_model.arena_bytes))
