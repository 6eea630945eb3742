"""What the machine can do, measured like a peer: a "step" is a round of f32 products of 2048^3 by MKL and OpenBLAS and a large copy.

    python bench_yard.py [--threads N]      needs torch and numpy

A line N on stdin answers with {"product_gflops", "copy_gbytes"}: the best library's and the copy's median of N rounds.
"""
import argparse
import json
import os
import statistics
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402

from serve import rename, timed  # noqa: E402

SIDE, COPIED = 2048, 1 << 26
torch.set_num_threads(options.threads)
a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
c, p, q, r = torch.empty_like(a), a.numpy(), b.numpy(), np.empty((SIDE, SIDE), np.float32)
x, y = torch.ones(COPIED), torch.zeros(COPIED)
WAYS = {"MKL": lambda: torch.mm(a, b, out=c), "OpenBLAS": lambda: np.matmul(p, q, out=r), "copy": lambda: y.copy_(x)}

for way in WAYS.values():
    way()
rename("peer")
print(json.dumps(dict(idle_bytes=0, compile_seconds=0)), flush=True)
for line in sys.stdin:
    seconds = {name: statistics.median(timed(way) for _ in range(int(line))) for name, way in WAYS.items()}
    best = min(("MKL", "OpenBLAS"), key=seconds.get)
    print(json.dumps(dict(product_gflops=2e-9 * SIDE ** 3 / seconds[best], library=best,
                          copy_gbytes=2 * 4e-9 * COPIED / seconds["copy"])), flush=True)
