"""What the makers of models with a Scan share: leaky.py, steps.py, denoise.py."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def weights(seed, reads=lambda shape: shape[0]):
    """A function of name and shape: an initializer; reads: of the shape, how many numbers each result is made of."""
    draw = np.random.default_rng(seed)

    def weight(name, *shape):
        bound = (3 / reads(shape)) ** 0.5
        value = draw.uniform(-bound, bound, shape).astype(np.float32)
        return numpy_helper.from_array(value, name)

    return weight


def tensor(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def save(graph):
    """As tests/program/NAME.onnx, by the graph's name."""
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, f"tests/program/{graph.name}.onnx")
