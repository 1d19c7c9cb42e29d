"""A network whose confidences are right by construction, and digits for it: for promises about errors."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from job.contract import PixelBatch
from job.model.bundle import open_bundle, predictor_of
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.tally import Tally
from job.score.part import predict
from job.storage import LocalStorage
from support.files import Digits
from support.models import change_card, write_network

# Each digit has 78 pixels of its own, scattered so that no image looks like a turned digit. A logit is their sum,
# scaled.
_OWN = 78
_PLACES = np.random.default_rng(0).permutation(784)[: 10 * _OWN]
_SCALE = 0.0012


def block_onnx():
    """The bytes of a network that adds up the ink in the pixels of each digit."""
    weights = np.zeros((784, 10), np.float32)
    for digit in range(10):
        weights[_PLACES[digit * _OWN : (digit + 1) * _OWN], digit] = _SCALE
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "blocks",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def calibrated_digits(rows, seed=0, *, sureness=0.75):
    """Images of which the network is as often right as it is sure, to a good approximation.

    sureness: higher gives fewer rows that it is unsure about.
    """
    random = np.random.default_rng(seed)
    first = random.integers(0, 10, rows)
    second = (first + random.integers(1, 10, rows)) % 10
    margin = 1 - random.random(rows) ** (1 / (1 - sureness)) if sureness < 1 else np.ones(rows)
    pixels = np.zeros((rows, 10, _OWN), np.uint8)
    pixels[np.arange(rows), first] = 250
    pixels[np.arange(rows), second] = np.round(250 * (1 - margin))[:, None]
    flat = np.zeros((rows, 784), np.uint8)
    flat[:, _PLACES] = pixels.reshape(rows, -1)
    logit = _SCALE * _OWN * (250 - np.round(250 * (1 - margin)))
    is_first = random.random(rows) < 1 / (1 + np.exp(-logit))
    return Digits(flat, np.where(is_first, first, second).astype(np.int8))


def write_promising_model(folder, rows=6000, seed=1, **more):
    """Write a model folder with `block_onnx`, whose card has the confidences of held-out rows; returns the folder."""
    folder = write_network(folder, block_onnx(), "blocks")
    add_held_out(folder, calibrated_digits(rows, seed, **more))
    return Path(folder)


def add_held_out(folder, digits):
    """Put the confidences of labelled digits into a model's card, and what such digits look like."""
    section = {"split": "validation", "rows": len(digits), "is_by_writer": False}
    distribution = Distribution.of_labelled(digits.pixels, digits.labels).to_json()
    counts = held_out_of(folder, digits).to_json()
    change_card(folder, lambda card: card.update(held_out={**section, **counts}, data={"distribution": distribution}))


def held_out_of(folder, digits):
    """The confidences of a model on labelled digits, as a run counts them."""
    predictor = predictor_of(open_bundle(LocalStorage(), str(folder)))
    return HeldOut.of(Tally.of(predict(PixelBatch(digits.pixels, digits.labels), predictor)))
