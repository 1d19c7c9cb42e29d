"""Drawn digits in MNIST's form and out of it, and a network that classifies them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from job.normalize.mnist_form import to_mnist_form
from job.normalize.reference_digits import reference_digits
from support.files import Digits


def drawn_digits(step=7):
    """Every `step`th of the reference digits, so that there are some of each, in MNIST's form."""
    found = reference_digits()
    return Digits(to_mnist_form(found.pixels[::step]), found.labels[::step])


def filling(pixels):
    """Each digit's ink, resized to fill the image, as people do who know nothing of MNIST's form: uint8 (n, 784)."""
    images = []
    for image in pixels.reshape(-1, 28, 28):
        lines, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        crop = Image.fromarray(image[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1])
        width, height = (max(1, round(28 * side / max(crop.size))) for side in crop.size)
        images.append(np.pad(np.asarray(crop.resize((width, height))), ((0, 28 - height), (0, 28 - width))))
    return np.stack(images).reshape(-1, 784)


def digit_onnx():
    """The bytes of a linear network that classifies such digits, fitted by ridge regression."""
    digits = drawn_digits(1)
    inputs = np.column_stack([digits.pixels / 255.0, np.ones(len(digits))])
    targets = np.eye(10)[digits.labels] * 2 - 1
    weights = np.linalg.solve(inputs.T @ inputs + 3 * np.eye(785), inputs.T @ targets) * 4
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [
            numpy_helper.from_array((weights[:784] / 255).astype(np.float32), "weights"),
            numpy_helper.from_array(weights[784].astype(np.float32), "bias"),
        ],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
