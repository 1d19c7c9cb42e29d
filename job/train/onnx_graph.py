"""An ONNX graph with names and order of its own making, so that the same network always gives the same bytes.

tf2onnx numbers names with counters that run for the life of the process: a second export of the same network differs.
"""

import onnx

from job.train.network import INPUT_NAME, OUTPUT_NAME


def canonical(content: bytes) -> bytes:
    """The same one-input, one-output network with canonical names.

    Nodes stand in the order in which the output needs them, initializers in the order of their first use.
    A network with control flow, whose inner graphs refer to outer names, is returned as it is.
    """
    model = onnx.load_from_string(content)
    nodes = _in_order_of_need(model.graph)
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in nodes for attribute in node.attribute):
        return content
    names = _new_names(model.graph, nodes)
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        node.ClearField("doc_string")
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    return bytes(_rebuilt(model, nodes, names).SerializeToString(deterministic=True))


def _in_order_of_need(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, each after those it depends on itself."""
    producers = {name: node for node in graph.node for name in node.output if name}
    ordered: dict[str, onnx.NodeProto] = {}
    waiting = [producers[output.name] for output in reversed(graph.output)]
    while waiting:
        node = waiting[-1]
        needed = [producers[name] for name in node.input if name in producers]
        missing = [each for each in needed if each.output[0] not in ordered]
        if missing:
            waiting.extend(reversed(missing))
        else:
            ordered.setdefault(node.output[0], waiting.pop())
    return list(ordered.values())


def _new_names(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> dict[str, str]:
    # An empty name stands for an optional input that is not given.
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
