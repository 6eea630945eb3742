#!/usr/bin/env python3
"""Writes the cases of tests/attention in the form of operators.py: attention,
rotary positions and operators that carry a state. The results of forms that
the suite leaves out are those of the onnx reference evaluator.
usage: attention_operators.py FOLDER   (needs onnx, ml_dtypes and numpy)"""
import sys

import ml_dtypes
import numpy as np

import operators as base

base.OPERATORS = """Attention CausalConvWithState FlexAttention LinearAttention
RotaryEmbedding""".split()
base.CONSTANT = {}
base.TYPES.update({np.dtype(np.float16): "f16",
                   np.dtype(ml_dtypes.bfloat16): "bf16"})


def older():
    """Forms that the suite leaves out."""
    rng = np.random.default_rng(13)

    def f(*shape, dtype=np.float32):
        return rng.normal(size=shape).astype(dtype)

    def lengths(*values):
        return np.array(values, np.int64)

    one, double = base.one, np.float64
    q, k, v = f(2, 4, 3, 5), f(2, 2, 4, 5), f(2, 2, 4, 6)
    some = rng.random((2, 1, 3, 7)) > 0.4
    yield "attention_all", one(
        "Attention", 23, [q, k, v, some, f(2, 2, 3, 5), f(2, 2, 3, 6)], 4,
        is_causal=1, softcap=1.5, scale=0.7, qk_matmul_output_mode=2,
        softmax_precision=11)
    yield "attention_double", one(
        "Attention", 23, [f(1, 2, 3, 4, dtype=double),
                          f(1, 2, 3, 4, dtype=double),
                          f(1, 2, 3, 4, dtype=double)], is_causal=1)
    yield "attention_windows_lengths", one(
        "Attention", 25, [q, k, v, None, None, None, lengths(2, 4)], 1,
        left_window_size=1, right_window_size=0)
    yield "attention_short_mask", one(
        "Attention", 24, [q, k, v, f(4, 3, 2)], 1)
    yield "attention_short_bool", one(
        "Attention", 24, [q, k, v, rng.random((3, 3)) > 0.5], 1)
    yield "attention_3d_lengths", one(
        "Attention", 24, [f(2, 3, 8), f(2, 5, 4), f(2, 5, 6), None, None, None,
                          lengths(5, 1)], 1, q_num_heads=4, kv_num_heads=2)
    yield "attention_one_head_mask", one(
        "Attention", 23, [q, k, v, np.array([True, False, True, True])], 1)
    yield "rotary_3d_part_interleaved", one(
        "RotaryEmbedding", 23, [f(2, 3, 24), f(2, 3, 3), f(2, 3, 3)],
        num_heads=3, rotary_embedding_dim=6, interleaved=1)
    yield "rotary_double", one(
        "RotaryEmbedding", 23, [f(2, 2, 3, 4, dtype=double),
                                f(9, 2, dtype=double), f(9, 2, dtype=double),
                                rng.integers(0, 9, (2, 3))])
    yield "linear_gqa_state_scaled", one(
        "LinearAttention", 27, [f(2, 5, 12), f(2, 5, 6), f(2, 5, 8),
                                f(2, 2, 3, 4), f(2, 5, 2), f(2, 5, 1)], 2,
        q_num_heads=4, kv_num_heads=2, scale=1.25)
    yield "causal_conv_all", one(
        "CausalConvWithState", 27, [f(2, 3, 2), f(3, 1, 4), f(3), f(2, 3, 3)],
        2, activation="silu")


base.older = older
if __name__ == "__main__":
    base.main(sys.argv[1])
