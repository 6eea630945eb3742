#!/usr/bin/env python3
"""Writes models with many bytes of weights, as sparse files that take no room:
  external.onnx, external.data   16 products of 8 GiB of weights in all
  inline.onnx                    7 products of 1.9 GB in the file itself
usage: large_models.py FOLDER   (needs the package onnx)

Then, for the figures of docs/import.md:
  /usr/bin/time -v snug compile FOLDER/external.onnx --loss mse -o FOLDER/train
  /usr/bin/time -v snug opt --passes= FOLDER/inline.onnx -o /dev/null"""
import sys

from onnx import TensorProto, helper


def varint(x):
    out = b""
    while x > 127:
        out += bytes([x & 127 | 128])
        x >>= 7
    return out + bytes([x])


def head(field, length):
    return varint(field << 3 | 2) + varint(length)


def parts(layers, size):
    """The graph without initializers, and these without data."""
    nodes, tensors = [], []
    for i in range(layers):
        nodes.append(helper.make_node(
            "Gemm", ["x" if i == 0 else "h%d" % i, "w%d" % i],
            ["y" if i == layers - 1 else "h%d" % (i + 1)], "gemm%d" % i))
        tensors.append(TensorProto(name="w%d" % i, dims=[size, size],
                                   data_type=TensorProto.FLOAT))
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size])
             for n in ("x", "y")]
    return helper.make_graph(nodes, "large", value[:1], value[1:]), tensors


def model():
    return helper.make_model(
        helper.make_graph([], "", [], []), ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)])


def external(folder, layers, size):
    graph, tensors = parts(layers, size)
    each = 4 * size * size
    for i, t in enumerate(tensors):
        t.data_location = TensorProto.EXTERNAL
        for key, text in (("location", "external.data"),
                          ("offset", str(i * each)), ("length", str(each))):
            t.external_data.add(key=key, value=text)
    graph.initializer.extend(tensors)
    whole = model()
    whole.graph.CopyFrom(graph)
    with open(folder + "/external.onnx", "wb") as out:
        out.write(whole.SerializeToString())
    with open(folder + "/external.data", "wb") as out:
        out.truncate(layers * each)


def inline(folder, layers, size):
    graph, tensors = parts(layers, size)
    each = 4 * size * size
    inner = [t.SerializeToString() + head(9, each) for t in tensors]
    rest = graph.SerializeToString()
    heads = [head(5, len(t) + each) for t in inner]
    length = len(rest) + sum(map(len, inner + heads)) + layers * each
    bare = model()
    bare.ClearField("graph")
    with open(folder + "/inline.onnx", "wb") as out:
        out.write(bare.SerializeToString() + head(7, length) + rest)
        for before, t in zip(heads, inner):
            out.write(before + t)
            out.seek(each, 1)
        out.truncate()


if __name__ == "__main__":
    external(sys.argv[1], 16, 11586)
    inline(sys.argv[1], 7, 8237)
