"""A network of dense layers taken out of ONNX, which the scorer then computes without the zeros between them."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from job.contract import PIXELS
from job.model.dense import DenseNetwork

_Array = npt.NDArray[Any]

_LEAST_LAYERS: Final = 2


def dense_layers(content: bytes) -> bytes | None:
    """The network as a DenseNetwork's bytes; None where it is anything else: convolutions, activations but ReLU.

    Takes what `onnx_graph.canonical` and `onnx_fold.fold_rescaling` give: pixels cast to floats, then matrix products.
    """
    model = onnx.load_from_string(content)
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    nodes = list(model.graph.node)
    if not nodes or not _is_chain(model.graph) or nodes[0].op_type != "Cast" or nodes[-1].op_type != "Softmax":
        return None
    layers = []
    place, inputs = 1, PIXELS
    while place < len(nodes):
        layer = _layer(nodes[place:], constants, inputs)
        if layer is None:
            return None
        place += layer[2]
        inputs = len(layer[1])
        layers.append(layer[:2])
        if nodes[place].op_type != ("Softmax" if place == len(nodes) - 1 else "Relu"):
            return None
        place += 1
    return DenseNetwork(tuple(layers)).to_bytes() if len(layers) >= _LEAST_LAYERS else None


def _is_chain(graph: onnx.GraphProto) -> bool:
    """Whether each node works on what the one before it gave, first among its inputs, from the pixels to the end."""
    value = graph.input[0].name
    for node in graph.node:
        if node.input[0] != value:
            return False
        value = node.output[0]
    return bool(value == graph.output[0].name)


def _layer(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, _Array], inputs: int
) -> tuple[_Array, _Array, int] | None:
    """Weights and bias of the layer that the first nodes are, and how many they are; None if they are none."""
    weights = constants.get(nodes[0].input[1]) if nodes[0].op_type == "MatMul" else None
    if weights is None or weights.shape[:-1] != (inputs,):
        return None
    bias = np.zeros(weights.shape[-1], np.float32)
    # An untrained bias is all zeros, and tf2onnx leaves it out.
    if nodes[1].op_type != "Add":
        return weights, bias, 1
    added = constants.get(nodes[1].input[1])
    return None if added is None else (weights, bias + added, 2)
