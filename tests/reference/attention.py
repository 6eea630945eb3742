"""What PyTorch computes for attentions in f64: python attention.py > ../attention_test_torch.inc

Operand p (q, k, v, g, bias: 0 to 4) has sin(0.7 * i + p) as its element i.
"""
import torch
from torch.nn import functional as F

# batch, heads, heads of keys, queries, keys, depth, width, causal, shape of the bias
FORMS = [
    (1, 2, 2, 4, 4, 3, 3, True, None),
    (1, 2, 1, 3, 5, 4, 2, False, None),
    (2, 4, 2, 2, 3, 2, 2, False, (2, 3)),
]


def wave(operand, *shape):
    n = 1
    for size in shape:
        n *= size
    return torch.sin(0.7 * torch.arange(n, dtype=torch.float64) + operand).reshape(shape)


def row(name, tensor):
    print(f"    /* {name} */")
    numbers = [f"{x!r}," for x in tensor.flatten().tolist()]
    for i in range(0, len(numbers), 3):
        print("    " + " ".join(numbers[i : i + 3]))


print("/* attention_test_torch.inc: PyTorch's results in f64 for `torch_forms`, one")
print("   after the other: y, dq, dk, dv; made by tests/reference/attention.py. */")
print("/* clang-format off */")
for b, h, g, s, t, d, e, causal, bias in FORMS:
    q, k, v = wave(0, b, h, s, d), wave(1, b, g, t, d), wave(2, b, g, t, e)
    for x in (q, k, v):
        x.requires_grad_()
    y = F.scaled_dot_product_attention(
        q, k.repeat_interleave(h // g, 1), v.repeat_interleave(h // g, 1),
        attn_mask=None if bias is None else wave(4, *bias), is_causal=causal, scale=0.5)
    y.backward(wave(3, b, h, s, e))
    for name, x in (("y", y.detach()), ("dq", q.grad), ("dk", k.grad), ("dv", v.grad)):
        row(name, x)
print("/* clang-format on */")
