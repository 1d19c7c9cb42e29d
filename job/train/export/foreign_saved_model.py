"""SavedModels from elsewhere as Keras networks. A SavedModel is a program of TensorFlow's operators, and so is checked.

Only its signature `serving_default` is run. Every operator that this reaches must be one that computes; those that read
or write files, call Python, or keep a state are refused before anything is loaded. `foreign` loads Keras's own files.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from job.errors import ModelInvalid
from job.model.bounds import MAX_FILE_BYTES, MAX_PARAMETERS
from job.storage import Storage, join, relative_to
from job.train.backend import import_keras, without_notices
from job.train.damage import damage_of
from job.train.export.foreign import check_shapes
from job.train.export.saved_model import GRAPH_NAME
from job.train.scratch import scratch_folder

if TYPE_CHECKING:
    import keras


_SIGNATURE: Final = "serving_default"
# The weights, and two values of an optimizer for each.
_COPIES: Final = 3
_OPERATORS: Final = frozenset({
    "Abs", "Add", "AddN", "AddV2", "All", "Any", "ArgMax", "ArgMin", "AvgPool", "AvgPool3D", "BatchMatMul",
    "BatchMatMulV2", "BatchMatMulV3", "BatchToSpaceND", "BiasAdd", "BroadcastArgs", "BroadcastTo", "Cast", "Ceil",
    "ClipByValue", "Concat", "ConcatV2", "Const", "Conv2D", "Conv3D", "Cumprod", "Cumsum", "DepthwiseConv2dNative",
    "DisableCopyOnRead", "Div", "DivNoNan", "Einsum", "Elu", "EnsureShape", "Equal", "Erf", "Exp", "ExpandDims",
    "Expm1", "Fill", "Floor", "FloorDiv", "FloorMod", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3",
    "Gather", "GatherNd", "GatherV2", "Greater", "GreaterEqual", "Identity", "IdentityN", "If", "Inv", "IsFinite",
    "IsInf", "IsNan", "L2Loss", "LeakyRelu", "Less", "LessEqual", "Log", "Log1p", "LogSoftmax", "LogicalAnd",
    "LogicalNot", "LogicalOr", "MatMul", "Max", "MaxPool", "MaxPoolV2", "Maximum", "Mean", "Min", "Minimum",
    "MirrorPad", "Mul", "MulNoNan", "Neg", "NoOp", "NotEqual", "OneHot", "OnesLike", "Pack", "Pad", "PadV2",
    "PartitionedCall", "Placeholder", "Pow", "PreventGradient", "Prod", "Range", "Rank", "ReadVariableOp", "RealDiv",
    "Reciprocal", "Relu", "Relu6", "Reshape", "ResizeBilinear", "ResizeNearestNeighbor", "ReverseV2", "Round",
    "Rsqrt", "Select", "SelectV2", "Selu", "Shape", "ShapeN", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Softmax",
    "Softplus", "Softsign", "SpaceToBatchND", "SpaceToDepth", "Split", "SplitV", "Sqrt", "Square",
    "SquaredDifference", "Squeeze", "StatefulPartitionedCall", "StatelessIf", "StatelessWhile", "StopGradient",
    "StridedSlice", "Sub", "Sum", "Tanh", "TensorListFromTensor", "TensorListGetItem", "TensorListLength",
    "TensorListReserve", "TensorListSetItem", "TensorListStack", "Tile", "TopKV2", "Transpose", "Unpack", "Where",
    "While", "Xdivy", "ZerosLike",
})  # fmt: skip


def load_saved_model(storage: Storage, folder: str) -> "keras.Model":
    """The network of the signature `serving_default`. Raises ModelInvalid, as `foreign.load_foreign` does."""
    files = storage.find(folder)
    size = sum(each.size for each in files)
    if size > MAX_FILE_BYTES:
        raise ModelInvalid(f"{folder}: has {size:,} bytes, expected at most {MAX_FILE_BYTES:,}")
    _check_graph(storage.read(join(folder, GRAPH_NAME)), folder)
    with scratch_folder(size) as local:
        for each in files:
            target = local / relative_to(folder, each.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(storage.read(each.path))
        model = _loaded(local, folder)
    check_shapes(model, folder)
    return model


def _loaded(local: Path, folder: str) -> "keras.Model":
    keras = import_keras()
    with damage_of(folder, lambda error: f"{folder}: TensorFlow cannot load it: {error!s:.200}; save the model again"):
        with without_notices():
            layer = keras.layers.TFSMLayer(str(local), call_endpoint=_SIGNATURE)
            import tensorflow as tf

            signature = tf.saved_model.load(str(local)).signatures[_SIGNATURE]
        _, inputs = signature.structured_input_signature
        (spec,) = _only(inputs, "inputs", folder)
        entry = keras.Input(tuple(spec.shape)[1:], dtype=spec.dtype.name)
        (output,) = _only(layer(entry), "outputs", folder)
        return keras.Model(entry, output, name="saved_model")


def _only(values: dict[str, Any], what: str, folder: str) -> list[Any]:
    """The values of a signature, of which there must be one."""
    if len(values) != 1:
        raise ModelInvalid(f"{folder}: its signature {_SIGNATURE} has {len(values)} {what}, expected one")
    return list(values.values())


def _check_graph(content: bytes, folder: str) -> None:
    """Raise ModelInvalid unless what a SavedModel's signature runs only computes, from variables of its own."""
    import_keras()
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    # Protocol Buffers' errors have classes that no declared dependency has.
    with damage_of(folder, lambda _error: f"{folder}: its {GRAPH_NAME} is damaged or cut off; save the model again"):
        saved.ParseFromString(content)
    graphs = [each for each in saved.meta_graphs if "serve" in each.meta_info_def.tags]
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def") or _SIGNATURE not in graphs[0].signature_def:
        raise ModelInvalid(
            f"{folder}: has no signature {_SIGNATURE} of TensorFlow 2; save it with model.export of Keras 3"
        )
    (graph,) = graphs
    nodes = graph.object_graph_def.nodes
    if any(each.WhichOneof("kind") in {"resource", "asset"} for each in nodes):
        raise ModelInvalid(f"{folder}: needs tables or files to be loaded; expected standard layers")
    parameters = sum(
        math.prod(max(size.size, 0) for size in each.variable.shape.dim)
        for each in nodes
        if each.WhichOneof("kind") == "variable"
    )
    if parameters > _COPIES * MAX_PARAMETERS:
        raise ModelInvalid(f"{folder}: has {parameters:,} parameters, expected at most {MAX_PARAMETERS:,}")
    foreign = sorted(set(_operators_run(graph)) - _OPERATORS)
    if foreign:
        raise ModelInvalid(
            f"{folder}: runs the operator {foreign[0]!r:.50}, which does more than compute; expected standard layers"
        )


def _operators_run(graph: Any) -> Iterator[str]:
    """The operators that the signature reaches, through all functions that it calls."""
    functions = {each.signature.name: each for each in graph.graph_def.library.function}
    nodes = graph.object_graph_def.nodes
    # Without the signature in the graph of objects, TensorFlow would not find it, either.
    waiting = [
        nodes[child.node_id].bare_concrete_function.concrete_function_name
        for each in nodes
        for child in each.children
        if child.local_name == _SIGNATURE
    ]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in functions[name].node_def:
            yield node.op
            if node.op in functions:
                waiting.append(node.op)
            for value in node.attr.values():
                waiting += [value.func.name, *(each.name for each in value.list.func)]
    if not seen:
        yield f"no function {_SIGNATURE}"
