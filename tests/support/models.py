"""Models that need no training: one in integer arithmetic for laws, one in ONNX for the whole command."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from job.model.bundle import KERAS_NAME, ONNX_NAME, Golden, write_card
from job.model.predictor import OnnxPredictor
from job.storage import LocalStorage


class IntegerPredictor:
    """Says of an image what integer sums over its pixels say: exact, and the same on every machine.

    `calls` counts the rows asked for, so that a test can see what was not scored again.
    """

    def __init__(self):
        self.calls = 0

    def predict(self, pixels):
        """uint8 (n, 784) -> float32 (n, 10)."""
        self.calls += len(pixels)
        shares = 1 + pixels.reshape(len(pixels), 2, 392).astype(np.int64)[:, 0, :390].reshape(-1, 10, 39).sum(axis=2)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def linear_onnx(seed=0):
    """The bytes of a one-layer network with random weights: uint8 (n, 784) -> float32 (n, 10)."""
    weights = np.random.default_rng(seed).normal(0, 0.002, (784, 10)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "linear",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def write_model(folder, seed=0):
    """A whole model folder around `linear_onnx`. Returns the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    content = linear_onnx(seed)
    (folder / ONNX_NAME).write_bytes(content)
    (folder / KERAS_NAME).write_bytes(b"not opened by the scorer")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 784), dtype=np.uint8)
    golden = Golden(pixels, OnnxPredictor(content, "test").predict(pixels))
    write_card(LocalStorage(), str(folder), {"name": f"linear-{seed}"}, golden)
    return folder
