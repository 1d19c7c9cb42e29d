"""What an ONNX file claims to hold, read without loading it: no library that scoring has can do that.

ONNX is a Protocol Buffers message (https://protobuf.dev/programming-guides/encoding/, onnx/onnx.proto). Only the few
fields that decide about memory, other files and what can be stopped are read here; ONNX Runtime checks the rest, in a
process of its own (`trial`). Loops are allowed: Keras's GRU and SimpleRNN become some.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from job.errors import ModelInvalid
from job.model.bounds import MAX_LAYER_VALUES, MAX_PARAMETERS

# Numbers of fields, by message.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 5, 15, 7, 10
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_INT64S, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 7, 8, 9
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_INT64: Final = 7
_CONSTANT: Final = "Constant"
# The smallest types pack four values in a byte.
_VALUES_PER_BYTE: Final = 4
# Operators whose output is as large as a constant input says.
_ENLARGING: Final = frozenset({"ConstantOfShape", "Expand", "Tile", "Resize", "Upsample", "Pad", "Range", "OneHot"})
# Shapes have few dimensions; a longer tensor of integers is none.
_MAX_DIMENSIONS: Final = 8
_MAX_DEPTH: Final = 16
# A network of a thousand layers has some 50,000, a forest of a hundred trees some millions.
_MAX_FIELDS: Final = 16 << 20
# Those of the ONNX standard, and ONNX Runtime's own, which its optimizer and quantizer write.
_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
_LENGTH_DELIMITED: Final = 2
# The bit of a byte of an integer that says that more bytes follow.
_MORE: Final = 128

_Value = int | memoryview


@dataclass(frozen=True)
class OnnxContent:
    """What `check_onnx` finds. parameters: the number of weights. has_subgraphs: whether it loops or branches."""

    parameters: int
    has_subgraphs: bool


@dataclass
class _Claims:
    """What the graphs of a file hold: values of all tensors, and the integers that may be shapes, by name.

    fields: how many have been read. domains: those that its own functions define. foreign: operators of others.
    """

    fields: int = 0
    values: int = 0
    has_subgraphs: bool = False
    domains: set[str] = field(default_factory=set)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    shape_inputs: list[tuple[str, str]] = field(default_factory=list)


def check_onnx(content: bytes, where: str) -> OnnxContent:
    """Raise ModelInvalid unless an ONNX file's weights are in the file, and no more than `bounds` allows.

    Its operators are those of the standard, of ONNX Runtime or made of these; every loop and branch has some, between
    which ONNX Runtime can be stopped. where: the file's path, for errors.
    """
    claims = _Claims()
    try:
        for number, value in _fields(memoryview(content), claims):
            if number in {_MODEL_GRAPH, _MODEL_FUNCTIONS}:
                nodes = _GRAPH_NODE if number == _MODEL_GRAPH else _FUNCTION_NODE
                _read_graph(_message(value), claims, nodes=nodes, depth=0)
    except ValueError as error:
        raise ModelInvalid(f"{where}: is not a usable ONNX file: {error}") from error
    if claims.values > MAX_PARAMETERS:
        raise ModelInvalid(f"{where}: has {claims.values:,} weights, expected at most {MAX_PARAMETERS:,}")
    for operator, domain in claims.foreign:
        if domain not in claims.domains:
            raise ModelInvalid(
                f"{where}: its operator {operator!r:.50} is of {domain!r:.50}, which ONNX Runtime does not know; "
                "export it with standard operators"
            )
    for operator, name in claims.shape_inputs:
        size = math.prod(max(1, each) for each in claims.shapes.get(name, ()))
        if size > MAX_LAYER_VALUES:
            raise ModelInvalid(
                f"{where}: its operator {operator} makes {size:,} values, expected at most {MAX_LAYER_VALUES:,}"
            )
    return OnnxContent(claims.values, claims.has_subgraphs)


def is_onnx(content: bytes) -> bool:
    """Whether bytes are a message with a graph of operators."""
    claims = _Claims()
    try:
        graphs = _messages(memoryview(content), _MODEL_GRAPH, claims)
        nodes = (node for graph in graphs for node in _messages(graph, _GRAPH_NODE, claims))
        return any(number == _NODE_OP for node in nodes for number, _ in _fields(node, claims))
    except ValueError:
        return False


def _read_graph(graph: memoryview, claims: _Claims, *, nodes: int, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("its graphs are nested too deeply")
    is_idle = True
    for number, value in _fields(graph, claims):
        if number == nodes:
            is_idle &= _read_node(_message(value), claims, depth) == _CONSTANT
        elif nodes == _FUNCTION_NODE and number == _FUNCTION_DOMAIN:
            claims.domains.add(_text(value))
        elif nodes == _GRAPH_NODE and number == _GRAPH_INITIALIZER:
            _read_tensor(_message(value), claims)
        elif nodes == _GRAPH_NODE and number == _GRAPH_SPARSE:
            raise ValueError("it has sparse weights, expected dense ones")
    if depth and is_idle:
        raise ValueError("it has a loop or a branch that computes nothing")


def _read_node(node: memoryview, claims: _Claims, depth: int) -> str:
    """Returns the operator's name."""
    found = list(_fields(node, claims))
    inputs, outputs = (
        [_text(value) for number, value in found if number == wanted] for wanted in (_NODE_INPUT, _NODE_OUTPUT)
    )
    operator, domain = (
        next((_text(value) for number, value in found if number == wanted), "") for wanted in (_NODE_OP, _NODE_DOMAIN)
    )
    if domain not in _DOMAINS:
        claims.foreign.append((operator, domain))
    if operator in _ENLARGING:
        # The first input is the data, unless it is the shape.
        sizes = inputs if operator in {"ConstantOfShape", "Range", "OneHot"} else inputs[1:]
        claims.shape_inputs += [(operator, name) for name in sizes]
    for number, value in found:
        if number == _NODE_ATTRIBUTE:
            _read_attribute(_message(value), claims, depth, output=outputs[0] if outputs else "")
    return operator


def _read_attribute(attribute: memoryview, claims: _Claims, depth: int, *, output: str) -> None:
    """output: the name that a tensor gets, which is that of its Constant node's output."""
    for number, value in _fields(attribute, claims):
        if number in _ATTRIBUTE_TENSORS:
            _read_tensor(_message(value), claims, name=output)
        elif number in _ATTRIBUTE_GRAPHS:
            claims.has_subgraphs = True
            _read_graph(_message(value), claims, nodes=_GRAPH_NODE, depth=depth + 1)
        elif number in _ATTRIBUTE_SPARSE:
            raise ValueError("it has sparse weights, expected dense ones")


def _read_tensor(tensor: memoryview, claims: _Claims, name: str = "") -> None:
    found = list(_fields(tensor, claims))
    if any(number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == 1) for number, value in found):
        raise ValueError(
            "its weights are in another file; save it as one file: onnx.save(onnx.load('model.onnx'), 'one.onnx')"
        )
    dimensions = _integers([value for number, value in found if number == _TENSOR_DIMS])
    count = math.prod(dimensions)
    if any(each < 0 for each in dimensions) or count > _VALUES_PER_BYTE * len(tensor):
        raise ValueError(f"a tensor of {len(tensor):,} bytes claims to have the shape {dimensions}")
    claims.values += count
    name = next((_text(value) for number, value in found if number == _TENSOR_NAME), "") or name
    if count <= _MAX_DIMENSIONS and (_TENSOR_TYPE, _INT64) in found:
        raw = b"".join(bytes(_message(value)[: 8 * count]) for number, value in found if number == _TENSOR_RAW)
        values = _integers([value for number, value in found if number == _TENSOR_INT64S])
        values += [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
        claims.shapes[name] = values


def _messages(message: memoryview, wanted: int, claims: _Claims) -> Iterator[memoryview]:
    """The messages in a message that have one number. Raises ValueError for damage."""
    return (_message(value) for number, value in _fields(message, claims) if number == wanted)


def _fields(message: memoryview, claims: _Claims) -> Iterator[tuple[int, _Value]]:
    """The fields of a message, in order: their numbers, and integers or bytes. Raises ValueError for damage."""
    at = 0
    while at < len(message):
        claims.fields += 1
        if claims.fields > _MAX_FIELDS:
            raise ValueError(f"it has more than {_MAX_FIELDS:,} fields")
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH_DELIMITED:
            size, at = _varint(message, at)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("it is damaged, or no Protocol Buffers message")
        if not number or at + size > len(message):
            raise ValueError("it is cut off or damaged")
        if kind == _LENGTH_DELIMITED:
            yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and the place behind it."""
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < _MORE:
            return value, at + shift + 1
    raise ValueError("it is cut off or damaged")


def _integers(values: list[_Value]) -> list[int]:
    """Repeated int64 values, packed or not."""
    unsigned: list[int] = []
    for value in values:
        if isinstance(value, int):
            unsigned.append(value)
            continue
        at = 0
        while at < len(value) and len(unsigned) <= _MAX_DIMENSIONS:
            one, at = _varint(value, at)
            unsigned.append(one)
    if len(unsigned) > _MAX_DIMENSIONS:
        raise ValueError(f"a shape has more than {_MAX_DIMENSIONS} dimensions")
    return [each - (1 << 64) if each >> 63 else each for each in unsigned]


def _message(value: _Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is damaged, or no ONNX file")  # noqa: TRY004  # one error for every kind of damage
    return value


def _text(value: _Value) -> str:
    return bytes(_message(value)).decode(errors="replace")
