"""Rewrites of the ONNX graphs that tf2onnx writes, and the extraction of dense layers from them.

`fold_rescaling` makes scoring faster, `canonical` makes the same network always give the same bytes, and `dense_layers`
takes out what the scorer's own kernel runs. `formats` applies them in this order.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from job.contract import PIXELS
from job.model.dense import DenseNetwork
from job.train.fit.network import INPUT_NAME, OUTPUT_NAME

_MIN_LAYERS: Final = 2

_Array = npt.NDArray[Any]


def fold_rescaling(content: bytes) -> bytes:
    """Fold a multiplication by one number before the first matrix product into its weights.

    (pixels * c) @ W = pixels @ (c * W) saves a pass over a matrix of 784 floats per row; measured, scoring is a fifth
    faster. Probabilities change by rounding only, which the parity check limits to 1e-5. Takes any ONNX network with
    one input, and returns one of another shape unchanged.
    """
    model = onnx.load_from_string(content)
    chain = _chain_from_input(model.graph)
    constants = {each.name: each for each in model.graph.initializer}
    product = chain[-1] if chain and chain[-1].op_type == "MatMul" else None
    middle = chain[1:-1]
    if product is None or product.input[1] not in constants or chain[0].op_type != "Cast" or not middle:
        return content
    scale = _scale(middle, constants)
    if scale is None:
        return content
    weights = constants[product.input[1]]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights) * scale, weights.name))
    product.input[0] = chain[0].output[0]
    for node in middle:
        model.graph.node.remove(node)
    return bytes(model.SerializeToString())


def canonical(content: bytes) -> bytes:
    """The same one-input, one-output network with canonical names and order.

    tf2onnx numbers names with counters that run for the life of the process, so a second export of the same network
    would differ. Nodes are ordered as the output needs them, initializers by their first use. A network with control
    flow, whose inner graphs refer to outer names, is returned unchanged.
    """
    model = onnx.load_from_string(content)
    nodes = _sorted_nodes(model.graph)
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in nodes for attribute in node.attribute):
        return content
    names = _canonical_names(model.graph, nodes)
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        node.ClearField("doc_string")
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    return bytes(_rebuilt(model, nodes, names).SerializeToString(deterministic=True))


def dense_layers(content: bytes) -> bytes | None:
    """The network as a DenseNetwork's bytes; None if it has other layers, such as convolutions or tanh.

    Takes what `fold_rescaling` and `canonical` return: pixels cast to floats, matrix products with ReLU between them,
    and a softmax.
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
        weights, bias, node_count = layer
        layers.append((weights, bias))
        place += node_count
        inputs = len(bias)
        if nodes[place].op_type != ("Softmax" if place == len(nodes) - 1 else "Relu"):
            return None
        place += 1
    return DenseNetwork(tuple(layers)).to_bytes() if len(layers) >= _MIN_LAYERS else None


def _chain_from_input(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes from the input to the first matrix product, as far as each is the only user of the one before."""
    chain: list[onnx.NodeProto] = []
    value = graph.input[0].name
    while not chain or chain[-1].op_type != "MatMul":
        users = [node for node in graph.node if value in node.input]
        if len(users) != 1 or (chain and users[0].input[0] != value):
            break
        chain.append(users[0])
        value = users[0].output[0]
    return chain


def _scale(nodes: list[onnx.NodeProto], constants: dict[str, onnx.TensorProto]) -> np.float32 | None:
    """The number that the nodes multiply by; None if they do anything else."""
    scale = np.float32(1)
    for node in nodes:
        operand = constants.get(node.input[1]) if len(node.input) > 1 else None
        value = None if operand is None else numpy_helper.to_array(operand)
        if value is None or value.size != 1:
            return None
        if node.op_type == "Mul":
            scale *= np.float32(value.item())
        elif node.op_type != "Add" or value.item() != 0:
            return None
    return scale


def _sorted_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, each behind those that it depends on itself."""
    producers = {name: node for node in graph.node for name in node.output if name}
    ordered: dict[str, onnx.NodeProto] = {}
    stack = [producers[output.name] for output in reversed(graph.output)]
    while stack:
        node = stack[-1]
        needed = [producers[name] for name in node.input if name in producers]
        missing = [each for each in needed if each.output[0] not in ordered]
        if missing:
            stack.extend(reversed(missing))
        else:
            ordered.setdefault(node.output[0], stack.pop())
    return list(ordered.values())


def _canonical_names(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> dict[str, str]:
    # An empty name is an optional input that is not given.
    names = {"": "", graph.input[0].name: INPUT_NAME, graph.output[0].name: OUTPUT_NAME}
    for node in nodes:
        for name in (*node.input, *node.output):
            names.setdefault(name, f"value_{len(names)}")
    return names


def _rebuilt(model: onnx.ModelProto, nodes: list[onnx.NodeProto], names: dict[str, str]) -> onnx.ModelProto:
    graph = model.graph
    constants = {each.name: each for each in graph.initializer}
    initializers = [constants[name] for name in names if name in constants]
    for each in (*initializers, graph.input[0], graph.output[0]):
        each.name = names[each.name]
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "rows"
    rebuilt = onnx.helper.make_graph(nodes, "digits", [graph.input[0]], [graph.output[0]], initializers)
    return onnx.helper.make_model(
        rebuilt, opset_imports=model.opset_import, ir_version=model.ir_version, producer_name=model.producer_name
    )


def _is_chain(graph: onnx.GraphProto) -> bool:
    """Whether the first input of each node is the output of the one before, from the pixels to the end."""
    value = graph.input[0].name
    for node in graph.node:
        if node.input[0] != value:
            return False
        value = node.output[0]
    return bool(value == graph.output[0].name)


def _layer(
    nodes: Sequence[onnx.NodeProto], constants: dict[str, _Array], inputs: int
) -> tuple[_Array, _Array, int] | None:
    """Weights and bias of the dense layer that the nodes begin with, and its number of nodes; None if there is none."""
    weights = constants.get(nodes[0].input[1]) if nodes[0].op_type == "MatMul" else None
    if weights is None or weights.shape[:-1] != (inputs,):
        return None
    bias = np.zeros(weights.shape[-1], np.float32)
    # tf2onnx omits a bias of zeros, such as an untrained one.
    if nodes[1].op_type != "Add":
        return weights, bias, 1
    added = constants.get(nodes[1].input[1])
    return None if added is None else (weights, bias + added, 2)
