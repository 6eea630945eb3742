"""tests/program/leaky.onnx: a Scan of 16 steps over two layers of leaky neurons
that see a digit come to light; the logits are the mean of what all steps
leave."""
import numpy as np
from loops import save, tensor, weights
from onnx import helper, numpy_helper

BATCH, STEPS, IN, WIDE, OUT, KEPT = 32, 16, 64, 64, 10, 0.5


def main():
    weight = weights(3)

    def constant(x):
        return numpy_helper.from_array(x.astype(np.float32))

    node = helper.make_node
    body = helper.make_graph(
        [
            node("Mul", ["input", "share"], ["x"], name="light"),
            node("MatMul", ["x", "w0"], ["r1"], name="read1"),
            node("Mul", ["v1", "kept"], ["k1"], name="leak1"),
            node("Add", ["k1", "r1"], ["v1_next"], name="charge1"),
            node("Sigmoid", ["v1_next"], ["s1"], name="fire1"),
            node("MatMul", ["s1", "w1"], ["r2"], name="read2"),
            node("Mul", ["v2", "kept"], ["k2"], name="leak2"),
            node("Add", ["k2", "r2"], ["v2_next"], name="charge2"),
            node("Sigmoid", ["v2_next"], ["s2"], name="fire2"),
            node("MatMul", ["s2", "w2"], ["y"], name="tell"),
        ],
        "step",
        [tensor("v1", BATCH, WIDE), tensor("v2", BATCH, WIDE),
         tensor("share", 1)],
        [tensor("v1_next", BATCH, WIDE), tensor("v2_next", BATCH, WIDE),
         tensor("y", BATCH, OUT)],
    )
    graph = helper.make_graph(
        [
            node("Constant", [], ["zero"], name="zero",
                 value=constant(np.zeros((BATCH, WIDE)))),
            node("Constant", [], ["shares"], name="shares",
                 value=constant(np.linspace(0.5, 1, STEPS)[:, None])),
            node("Scan", ["zero", "zero", "shares"], ["last1", "last2", "all"],
                 name="scan", body=body, num_scan_inputs=1),
            node("ReduceMean", ["all"], ["logits"], name="mean", axes=[0],
                 keepdims=0),
        ],
        "leaky",
        [tensor("input", BATCH, IN)],
        [tensor("logits", BATCH, OUT)],
        [
            weight("w0", IN, WIDE), weight("w1", WIDE, WIDE),
            weight("w2", WIDE, OUT),
            numpy_helper.from_array(np.float32(KEPT), "kept"),
        ],
    )
    save(graph)


main()
