"""Models that need no training: one in integer arithmetic for laws, and ONNX networks for the whole command."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from job.model.bundle import CARD_NAME, DENSE_NAME, KERAS_NAME, ONNX_NAME, Golden, card_digest, write_card
from job.model.onnx_predictor import OnnxPredictor
from job.storage import LocalStorage
from job.train.export.onnx_graph import dense_layers
from support.digits import digit_onnx


class IntegerPredictor:
    """Computes probabilities from integer sums of pixels: exact, and the same on every machine.

    calls: how many rows it has predicted.
    """

    def __init__(self):
        self.calls = 0

    def predict(self, pixels):
        """uint8 (n, 784) -> float32 (n, 10)."""
        self.calls += len(pixels)
        shares = 1 + pixels.reshape(len(pixels), 2, 392).astype(np.int64)[:, 0, :390].reshape(-1, 10, 39).sum(axis=2)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def linear_onnx(seed=0, pixels=784, classes=10):
    """The bytes of a one-layer network with random weights: uint8 (n, pixels) -> float32 (n, classes)."""
    weights = np.random.default_rng(seed).normal(0, 0.002, (pixels, classes)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "linear",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", pixels])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def dense_onnx(hidden, seed=0):
    """The bytes of a network with one hidden layer, as training exports it: uint8 (n, 784) -> float32 (n, 10)."""
    random = np.random.default_rng(seed)
    constants = {
        "weights": random.normal(0, 0.0005, (784, hidden)), "bias": random.normal(0, 0.1, hidden),
        "more": random.normal(0, 0.5, (hidden, 10)),
    }  # fmt: skip
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["products"]),
            helper.make_node("Add", ["products", "bias"], ["sums"]),
            helper.make_node("Relu", ["sums"], ["hidden"]),
            helper.make_node("MatMul", ["hidden", "more"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "dense",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def change_card(folder, change):
    """Change a card by a function, drop the keys that it sets to `...`, and update the card's digest."""
    path = Path(folder, CARD_NAME)
    card = json.loads(path.read_text())
    change(card)
    card = {name: value for name, value in card.items() if value is not ...}
    path.write_text(json.dumps({**card, "sha256": card_digest(card)}, indent=2) + "\n")


def write_model(folder, seed=0):
    """Write a model folder with `linear_onnx`; returns the folder."""
    return write_network(folder, linear_onnx(seed), f"linear-{seed}")


def write_digit_model(folder):
    """Write a model folder with `digit_onnx`, which classifies drawn digits; returns the folder."""
    return write_network(folder, digit_onnx(), "digits")


def write_dense_model(folder, seed=0):
    """Write a model folder with `dense_onnx` and its layers, which the scorer runs; returns the folder."""
    return write_network(folder, dense_onnx(64, seed), f"dense-{seed}")


def write_network(folder, content, name):
    folder = Path(folder)
    folder.mkdir(parents=True)
    (folder / ONNX_NAME).write_bytes(content)
    (folder / KERAS_NAME).write_bytes(f"{name}, not opened by the scorer".encode())
    if layers := dense_layers(content):
        (folder / DENSE_NAME).write_bytes(layers)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 784), dtype=np.uint8)
    golden = Golden(pixels, OnnxPredictor(content, "test").predict(pixels))
    write_card(LocalStorage(), str(folder), {"name": name}, golden)
    return folder
