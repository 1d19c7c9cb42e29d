"""Small trained networks as people bring them: layers in NumPy, and from them ONNX files of every kind.

The layers are trained on the digits of scikit-learn that come with the package, in the given range of pixels.
"""

from functools import cache

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from job.model.input_range import InputRange
from job.normalize.reference_digits import reference_digits

_HIDDEN = 32
_STEPS = 40


@cache
def trained_layers(input_range=InputRange.UNIT):
    """Weights and biases of 784 -> 32 -> 10 with ReLU, as float32 arrays; treat as read-only."""
    if input_range is InputRange.BYTES:
        first, *others = trained_layers(InputRange.UNIT)
        return first / np.float32(255), *others
    random = np.random.default_rng(0)
    digits = reference_digits()
    # Every second one: what a network is judged by, it has not seen all of.
    inputs = input_range.apply(digits.pixels[::2])
    targets = np.eye(10)[digits.labels[::2]]
    layers = [
        random.normal(0, 0.05, (784, _HIDDEN)), np.zeros(_HIDDEN),
        random.normal(0, 0.2, (_HIDDEN, 10)), np.zeros(10),
    ]  # fmt: skip
    means, squares = ([np.zeros_like(each) for each in layers] for _ in range(2))
    for step in range(1, _STEPS + 1):  # Adam (Kingma and Ba 2014)
        hidden = np.maximum(inputs @ layers[0] + layers[1], 0)
        errors = (_softmax(hidden @ layers[2] + layers[3]) - targets) / len(targets)
        back = errors @ layers[2].T * (hidden > 0)
        slopes = [inputs.T @ back, back.sum(axis=0), hidden.T @ errors, errors.sum(axis=0)]
        for number, slope in enumerate(slopes):
            means[number] = 0.9 * means[number] + 0.1 * slope
            squares[number] = 0.999 * squares[number] + 0.001 * slope**2
            rate = 0.01 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            layers[number] = layers[number] - rate * means[number] / (np.sqrt(squares[number]) + 1e-8)
    return tuple(each.astype(np.float32) for each in layers)


def answers(layers, inputs):
    """The probabilities of the layers for inputs, (n, 784)."""
    hidden = np.maximum(inputs @ layers[0] + layers[1], 0)
    return _softmax(hidden @ layers[2] + layers[3])


def _softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def foreign_onnx(
    layers=None, *, shape=(784,), rows="batch", output="Softmax", dtype=TensorProto.FLOAT, extra=(), reshape=None
):
    """The bytes of an ONNX file of the layers, as PyTorch and others write it.

    output: the last operator; None: logits. extra: names of more outputs, each the digit. reshape: the constant shape
    of the flattened input, as PyTorch writes it for a fixed batch.
    """
    layers = trained_layers() if layers is None else layers
    flatten = helper.make_node("Flatten", ["floats"], ["flat"], axis=1)
    constants = dict(zip(("w0", "b0", "w1", "b1"), layers, strict=True))
    if reshape:
        flatten = helper.make_node("Reshape", ["floats", "shape"], ["flat"])
        constants["shape"] = np.array(reshape, np.int64)
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        flatten,
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "w1", "b1"], ["logits"]),
        *([helper.make_node(output, ["logits"], ["answer"])] if output else []),
        *(helper.make_node("ArgMax", ["logits"], [name], axis=1) for name in extra),
    ]
    classes = layers[3].size
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("image", dtype, [rows, *shape])],
        [
            helper.make_tensor_value_info("answer" if output else "logits", TensorProto.FLOAT, [rows, classes]),
            *(helper.make_tensor_value_info(name, TensorProto.INT64, [rows, 1]) for name in extra),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
