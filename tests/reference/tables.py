"""tables.py: makes tests/program/tables.onnx: two embeddings, one of them read
twice, and a layer behind them. Needs torch."""

import os
import warnings

import torch

ROWS, WIDTH, WORDS, BATCH, CLASSES = 600, 8, 5, 8, 4
HERE = os.path.dirname(os.path.abspath(__file__))


class Tables(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.words = torch.nn.Embedding(ROWS, WIDTH)
        self.first = torch.nn.Embedding(ROWS, WIDTH)
        self.out = torch.nn.Linear(WIDTH, CLASSES)

    def forward(self, words):
        each = self.words(words).sum(1) + self.words(ROWS - 1 - words[:, 0])
        return self.out(torch.tanh(each + self.first(words[:, 0])))


def main():
    torch.manual_seed(7)
    warnings.simplefilter("ignore")
    torch.onnx.export(Tables(), (torch.zeros(BATCH, WORDS, dtype=torch.long),),
                      os.path.join(HERE, "..", "program", "tables.onnx"),
                      input_names=["words"], output_names=["logits"],
                      training=torch.onnx.TrainingMode.TRAINING,
                      do_constant_folding=False, dynamo=False)


if __name__ == "__main__":
    main()
