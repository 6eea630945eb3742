"""JAX's training step (XLA on the CPU, optax's AdamW), served as serve.py says.

    python bench_jax.py MODEL FOLDER [--threads N] [--once]     MODEL: mlp, gpt_mini, gpt2_t512, gpt2_t1024

The nets are written out below in JAX; the batch is that of FOLDER/MODEL.npz. The threads are those that the process may run on.
"""
import argparse
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from serve import memory, serve

IDLE = memory("VmRSS")
LAYERS = {"gpt_mini": (256, 256, 4, 256, 4), "gpt2_t512": (50257, 1024, 12, 768, 12),
          "gpt2_t1024": (50257, 1024, 12, 768, 12)}  # words, positions, layers, width, heads


class Draw:
    """Parameters from one generator."""

    def __init__(self):
        self.source = np.random.default_rng(0)

    def weight(self, *shape):
        return jnp.asarray(self.source.normal(0, 0.02, shape), jnp.float32)

    def linear(self, rows, columns):
        return {"w": self.weight(rows, columns), "b": jnp.zeros(columns)}


def linear(p, x):
    return x @ p["w"] + p["b"]


def norm(p, x):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p["w"] + p["b"]


def mlp(draw):
    def forward(layers, x):
        for layer in layers[:-1]:
            x = jax.nn.relu(linear(layer, x))
        return linear(layers[-1], x)
    return [draw.linear(*size) for size in ((64, 256), (256, 256), (256, 10))], forward


def block(p, x, heads):
    q, k, v = (t.reshape(*x.shape[:2], heads, -1) for t in jnp.split(linear(p["qkv"], norm(p["norm1"], x)), 3, -1))
    x = x + linear(p["proj"], jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape))
    return x + linear(p["narrow"], jax.nn.gelu(linear(p["wide"], norm(p["norm2"], x)), approximate=True))


def gpt(draw, words, positions, layers, width, heads):
    def scale():
        return {"w": jnp.ones(width), "b": jnp.zeros(width)}

    blocks = [{"norm1": scale(), "qkv": draw.linear(width, 3 * width), "proj": draw.linear(width, width), "norm2": scale(),
               "wide": draw.linear(width, 4 * width), "narrow": draw.linear(4 * width, width)} for _ in range(layers)]

    def forward(p, tokens):
        x = p["word"][tokens] + p["position"][:tokens.shape[1]]
        for one in p["blocks"]:
            x = block(one, x, heads)
        return norm(p["norm"], x) @ p["word"].T
    return {"word": draw.weight(words, width), "position": draw.weight(positions, width), "norm": scale(), "blocks": blocks}, forward


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=("mlp", *LAYERS))
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])
    with np.load(os.path.join(options.folder, options.model + ".npz")) as data:
        inputs, labels = (jnp.asarray(next(data[n] for n in data.files if n != "labels")), jnp.asarray(data["labels"]))
    weights, forward = mlp(Draw()) if options.model == "mlp" else gpt(Draw(), *LAYERS[options.model])
    rule = optax.adamw(1e-4)

    def step(weights, state, inputs, labels):
        def loss(p):
            return optax.softmax_cross_entropy_with_integer_labels(forward(p, inputs), labels).mean()
        value, gradient = jax.value_and_grad(loss)(weights)
        change, state = rule.update(gradient, state, weights)
        return optax.apply_updates(weights, change), state, value

    held = [weights, rule.init(weights)]
    start = time.perf_counter()
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*held, inputs, labels).compile()
    took = time.perf_counter() - start
    del weights

    def once():
        *held[:], loss = compiled(*held, inputs, labels)
        jax.block_until_ready((held, loss))

    serve(once, IDLE, options.once, compile_seconds=took)


if __name__ == "__main__":
    main()
