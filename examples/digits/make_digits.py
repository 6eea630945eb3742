"""Writes the handwritten digits of scikit-learn as the npz files of this folder.

    python make_digits.py [FOLDER]      needs numpy, scikit-learn, torch
"""
import os
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits


def write(folder, name, images, labels):
    """NAME-train.npz and NAME-test.npz; every fifth image, from the fifth, is a test image."""
    test = np.arange(len(labels)) % 5 == 4
    for part, rows in (("train", ~test), ("test", test)):
        path = os.path.join(folder, f"{name}-{part}.npz")
        np.savez_compressed(path, input=images[rows], labels=labels[rows])
        print(path, images[rows].shape, os.path.getsize(path), "bytes")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    digits = load_digits()
    small = (digits.images / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    large = torch.nn.functional.interpolate(torch.from_numpy(small)[:, None], size=(28, 28), mode="bilinear")
    large = (large * 256).round() / 256
    write(folder, "digits", small.reshape(-1, 64), labels)
    write(folder, "digits28", large.numpy(), labels)


if __name__ == "__main__":
    main()
