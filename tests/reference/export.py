"""Exports the digits models to ONNX with PyTorch's legacy and dynamo exporters, and describes the files.

    python export.py [describe]      needs torch, onnx, onnxscript; writes examples/digits and tests/reference
"""
import os
import sys
import warnings

import onnx
import torch

from models import BATCH, DIGITS, HERE, build, load

INPUT, OUTPUT = "input", "logits"


def export_legacy(model, example, path, dynamic):
    axes = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}} if dynamic else None
    torch.onnx.export(model, example, path, dynamo=False, opset_version=17, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.TRAINING, input_names=[INPUT], output_names=[OUTPUT],
                      dynamic_axes=axes)


def export_dynamo(model, example, path, external):
    torch.onnx.export(model, example, path, dynamo=True, opset_version=20, external_data=external,
                      input_names=[INPUT], output_names=[OUTPUT], verbose=False)


def forget_folders(path):
    """Stack traces in the metadata keep their file names and lose the folders of the exporting machine."""
    proto = onnx.load(path, load_external_data=False)
    for node in proto.graph.node:
        for entry in node.metadata_props:
            lines = entry.value.split("\n")
            entry.value = "\n".join('  File "' + os.path.basename(line.split('"')[1]) + '"' + line.split('"')[2]
                                    if line.strip().startswith('File "') else line for line in lines)
    with open(path, "wb") as file:
        file.write(proto.SerializeToString())


def shape(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def attribute(a):
    value = onnx.helper.get_attribute_value(a)
    return f"{a.name}={onnx.numpy_helper.to_array(value).tolist() if hasattr(value, 'dims') else value}"


def describe(path):
    proto = onnx.load(path, load_external_data=False)
    graph = proto.graph
    print(f"{os.path.relpath(path, os.path.join(HERE, '..', '..'))}: {os.path.getsize(path)} bytes, "
          f"{proto.producer_name} {proto.producer_version}, IR {proto.ir_version}, "
          f"opset {[(o.domain, o.version) for o in proto.opset_import]}, {len(graph.value_info)} value_info, "
          f"{len(proto.functions)} functions, metadata keys {sorted({e.key for n in graph.node for e in n.metadata_props})}")
    for kind, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            print(f"  {kind} {value.name} {shape(value)} type {value.type.tensor_type.elem_type}")
    for t in graph.initializer:
        where = {e.key: e.value for e in t.external_data} or ("raw" if t.raw_data else "typed")
        print(f"  initializer {t.name} {list(t.dims)} {onnx.TensorProto.DataType.Name(t.data_type)} {where}")
    for node in graph.node:
        print(f"  {node.op_type} '{node.name}' {list(node.input)} -> {list(node.output)} "
              + " ".join(attribute(a) for a in node.attribute))


def main():
    warnings.filterwarnings("ignore")
    paths = []
    for name in ("mlp", "lenet"):
        example = (load(name, "train")[0][:BATCH],)
        for folder, kind in ((DIGITS, "legacy"), (DIGITS, "legacy.dyn"), (DIGITS, "dynamo"), (HERE, "dynamo.external")):
            path = os.path.join(folder, f"{name}.{kind}.onnx")
            paths.append(path)
            if "describe" in sys.argv:
                continue
            if "legacy" in kind:
                export_legacy(build(name), example, path, "dyn" in kind)
            else:
                export_dynamo(build(name), example, path, "external" in kind)
            forget_folders(path)
            onnx.checker.check_model(path, full_check=True)
    for path in paths:
        describe(path)


if __name__ == "__main__":
    main()
