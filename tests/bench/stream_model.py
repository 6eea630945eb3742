"""A small GPT as Snug's text: stream_model.py LAYERS WIDTH HEADS TOKENS VOCABULARY [BATCH] [HEADS OF KEYS]

RMS norms, GELU, no biases, no positions but the order that causal attention sees; heads of keys may be shared. Nothing but Python is needed.
"""
import sys


def main():
    layers, d, heads, t, v = map(int, sys.argv[1:6])
    b = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    groups = int(sys.argv[7]) if len(sys.argv) > 7 else heads
    each = d // heads
    stores, nodes = [], []

    def store(name, shape, spread):
        stores.append(f"param %{name} : f32[{','.join(map(str, shape))}] = random {len(stores) + 1} {spread:.4g}")

    def node(line, *shape):
        nodes.append(f"f %{line} : f32[{','.join(map(str, shape))}]")

    def norm(name, x):
        store(f"{name}.gain", [d], 1)
        node(f"{name}.square = square %{x}", b, t, d)
        node(f"{name}.sum = reduce %{name}.square op=\"sum\" axes=[2]", b, t, 1)
        node(f"{name}.scale = map %{name}.sum \"1/sqrt(a*{1 / d!r}+1e-6)\"", b, t, 1)
        node(f"{name}.unit = mul %{x}, %{name}.scale", b, t, d)
        node(f"{name} = mul %{name}.unit, %{name}.gain", b, t, d)
        return name

    def product(name, x, n, k):
        store(f"{name}.weight", [n, k], (1 / k) ** 0.5)
        node(f"{name} = contract %{x}, %{name}.weight labels=\"Amk,nk->Amn\" split=1", b, t, n)
        return name

    def split(name, x, h):
        node(f"{name}.rows = view %{x}", b, t, h, each)
        node(f"{name} = transpose %{name}.rows perm=[0,2,1,3]", b, h, t, each)
        return name

    store("token", [v, d], 0.1)
    node("x = gather %token, %input axis=0", b, t, d)
    x = "x"
    for i in range(layers):
        n = norm(f"l{i}.norm1", x)
        q = split(f"l{i}.qh", product(f"l{i}.q", n, d, d), heads)
        k = split(f"l{i}.kh", product(f"l{i}.k", n, groups * each, d), groups)
        w = split(f"l{i}.vh", product(f"l{i}.v", n, groups * each, d), groups)
        nodes.append(f"f %l{i}.y, %l{i}.stats = attention %{q}, %{k}, %{w} scale={each ** -0.5!r} causal=1"
                     f" : f32[{b},{heads},{t},{each}], f32[{b},{heads},{t}]")
        node(f"l{i}.yt = transpose %l{i}.y perm=[0,2,1,3]", b, t, heads, each)
        node(f"l{i}.yr = view %l{i}.yt", b, t, d)
        node(f"l{i}.mid = add %{x}, %{product(f'l{i}.out', f'l{i}.yr', d, d)}", b, t, d)
        n = norm(f"l{i}.norm2", f"l{i}.mid")
        node(f"l{i}.act = gelu %{product(f'l{i}.wide', n, 4 * d, d)}", b, t, 4 * d)
        node(f"l{i}.end = add %l{i}.mid, %{product(f'l{i}.narrow', f'l{i}.act', d, 4 * d)}", b, t, d)
        x = f"l{i}.end"
    n = norm("norm", x)
    node(f"logits = contract %{n}, %token labels=\"Amk,nk->Amn\" split=1", b, t, v)
    print("snug 1 stage=model\nmodule \"gpt\"")
    print("\n".join(stores))
    print(f"graph forward {{\ninput %input : i64[{b},{t}]")
    print("\n".join(nodes))
    print("output %logits\n}")


main()
