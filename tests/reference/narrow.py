#!/usr/bin/env python3
"""Writes codes.bin: what numpy, ml_dtypes and onnx make of numbers in narrow
types.  usage: narrow.py FOLDER   (needs the packages onnx and ml_dtypes)

A line `values N`, then N f32; for each type a line `type NAME`, N codes of 16
bits, and (types of a byte) the 256 f32 of all codes."""
import sys

import ml_dtypes
import numpy as np
from onnx.numpy_helper import to_float8e8m0

TYPES = {"bf16": ml_dtypes.bfloat16, "f16": np.float16,
         "f8e4m3": ml_dtypes.float8_e4m3fn,
         "f8e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
         "f8e5m2": ml_dtypes.float8_e5m2,
         "f8e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
         "f8e8m0": ml_dtypes.float8_e8m0fnu, "f4": ml_dtypes.float4_e2m1fn}


def values():
    rng = np.random.default_rng(3)
    some = [rng.integers(0, 2**32, 200, dtype=np.uint32).view(np.float32)]
    some.append((rng.normal(size=200) * 2.0 ** rng.integers(-30, 20, 200))
                .astype(np.float32))
    for kind in TYPES.values():  # numbers, and half way between them
        codes = np.arange(256, dtype=np.uint8).view(kind) if \
            np.dtype(kind).itemsize == 1 else \
            np.arange(0, 65536, 331, dtype=np.uint16).view(kind)
        x = np.unique(codes.astype(np.float64))
        x = x[np.isfinite(x)]
        half = ((x[1:] + x[:-1]) / 2).astype(np.float32)
        part = rng.permutation(len(half))[:50]
        some.append(half[part])
        some.append(np.nextafter(half[part], np.float32(np.inf)))
        some.append(x.astype(np.float32)[-2:] * np.float32(1.1))
    some.append(np.array([0, -0.0, np.inf, -np.inf, 1e-45, 3e38], np.float32))
    return np.concatenate(some).astype(np.float32)


def main(folder):
    x = values()
    x = x[~np.isnan(x)]
    np.seterr(all="ignore")
    with open(folder + "/codes.bin", "wb") as out:
        out.write(b"values %d\n" % len(x) + x.tobytes())
        for name, kind in TYPES.items():
            y = to_float8e8m0(x) if name == "f8e8m0" else x.astype(kind)
            wide = np.dtype(kind).itemsize == 2
            out.write(b"type %s\n" % name.encode())
            out.write(y.view(np.uint16 if wide else np.uint8)
                      .astype(np.uint16).tobytes())
            if not wide:
                out.write(np.arange(256, dtype=np.uint8).view(kind)
                          .astype(np.float32).tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
