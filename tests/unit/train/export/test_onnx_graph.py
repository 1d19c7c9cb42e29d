"""Rewritten ONNX graphs give the same answers, and the same network always has the same bytes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.files import make_digits
from support.models import dense_onnx, linear_onnx

from job.model.dense import DenseNetwork, DensePredictor
from job.model.onnx_predictor import OnnxPredictor
from job.train.export.onnx_graph import canonical, dense_layers, fold_rescaling


def _rescaled(scale=1 / 255, offset=0.0):
    """Pixels * scale + offset, then one dense layer, as tf2onnx writes a Rescaling layer."""
    weights = np.random.default_rng(0).normal(0, 0.1, (784, 10)).astype(np.float32)
    values = {"scale": np.float32(scale), "offset": np.float32(offset), "weights": weights}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["shifted"]),
            helper.make_node("MatMul", ["shifted", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "rescaled",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _branched(names, order):
    """Two dense branches of the same pixels, added: the same network under any names, nodes in any order."""
    a, b, left, right, total = names
    weights = [np.random.default_rng(seed).normal(0, 0.001, (784, 10)).astype(np.float32) for seed in (0, 1)]
    nodes = [
        helper.make_node("Cast", ["input:0"], [total], name=total, to=TensorProto.FLOAT),
        helper.make_node("MatMul", [total, a], [left], name=left),
        helper.make_node("MatMul", [total, b], [right], name=right),
        helper.make_node("Add", [left, right], ["Identity:0"], name="sum"),
    ]
    graph = helper.make_graph(
        [nodes[index] for index in order],
        "any",
        [helper.make_tensor_value_info("input:0", TensorProto.UINT8, ["unk__1", 784])],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, ["unk__2", 10])],
        [numpy_helper.from_array(value, name) for value, name in zip(weights, (a, b), strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8, producer_name="x")
    return model.SerializeToString()


def _changed(change):
    """A network of dense layers after a function changed its graph."""
    model = onnx.load_from_string(dense_onnx(128))
    change(model.graph)
    return model.SerializeToString()


def _operators(content):
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


@pytest.fixture
def pixels():
    return np.random.default_rng(2).integers(0, 256, (50, 784), np.uint8)


def test_rescaling_is_folded_into_the_weights(pixels):
    """The multiplication and the addition of 0 disappear; the answers change by rounding only."""
    before = _rescaled()
    after = fold_rescaling(before)
    assert _operators(after) == ["Cast", "MatMul", "Softmax"]
    expected, found = (OnnxPredictor(each, "test").predict(pixels) for each in (before, after))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.array_equal(expected[0], expected[1])


def test_rescaling_with_an_offset_is_not_folded():
    """It is more than a multiplication."""
    content = _rescaled(offset=-0.5)
    assert fold_rescaling(content) == content


def test_folding_twice_changes_nothing_more():
    """A network without rescaling is returned unchanged."""
    once = fold_rescaling(_rescaled())
    assert fold_rescaling(once) == once


def test_canonical_bytes_do_not_depend_on_names_and_order():
    """However an exporter has named and ordered the same network."""
    first = canonical(_branched("abcde", (0, 1, 2, 3)))
    second = canonical(_branched("vwxyz", (0, 2, 1, 3)))
    assert first == second
    assert canonical(first) == first


def test_the_canonical_network_gives_the_same_answers(pixels):
    """To the last bit."""
    content = _branched("abcde", (0, 1, 2, 3))
    before, after = (OnnxPredictor(each, "test").predict(pixels) for each in (content, canonical(content)))
    assert before.tobytes() == after.tobytes()


def test_input_and_output_have_canonical_names():
    """The documented ones, and the file is valid."""
    graph = onnx.load_from_string(canonical(_branched("abcde", (0, 1, 2, 3)))).graph
    assert ([each.name for each in graph.input], [each.name for each in graph.output]) == (
        ["pixels"],
        ["probabilities"],
    )
    onnx.checker.check_model(onnx.load_from_string(canonical(linear_onnx())))


def _without_bias(graph):
    graph.node[3].input[0] = graph.node[1].output[0]
    del graph.node[2]


def _with_a_scalar_bias(graph):
    graph.initializer[1].CopyFrom(numpy_helper.from_array(np.float32(1), "bias"))


@pytest.mark.parametrize("made_of", [64, 100, 128, 200, 300, _without_bias, _with_a_scalar_bias])
def test_dense_layers_give_the_answers_of_the_onnx(made_of):
    """Up to rounding, for hidden layers of any width, without bias, and with one number as the bias."""
    content = dense_onnx(made_of) if isinstance(made_of, int) else _changed(made_of)
    pixels = make_digits(700, seed=1).pixels
    np.testing.assert_allclose(
        DensePredictor(dense_layers(content), "test").predict(pixels),
        OnnxPredictor(content, "test").predict(pixels),
        atol=5e-6,
    )


def test_dense_layers_are_those_of_the_onnx():
    """Bit for bit, and in order."""
    content = dense_onnx(128)
    (weights, bias), (more, none) = DenseNetwork.from_bytes(dense_layers(content)).layers
    expected = [numpy_helper.to_array(each) for each in onnx.load_from_string(content).graph.initializer]
    for found, array in zip((weights, bias, more), expected, strict=True):
        np.testing.assert_array_equal(found, array)
    assert not none.any()
    assert dense_layers(content) == dense_layers(content)


def _with_tanh(graph):
    graph.node[3].op_type = "Tanh"


def _with_a_branch(graph):
    graph.node[4].input[0] = graph.node[2].output[0]


OTHERS = {
    "weights @ pixels": lambda graph: graph.node[1].input.reverse(),
    "another activation": _with_tanh,
    "a branch": _with_a_branch,
    "no cast": lambda graph: setattr(graph.node[0], "op_type", "Identity"),
    "no softmax": lambda graph: setattr(graph.node[-1], "op_type", "Sigmoid"),
    "no weights": lambda graph: graph.node[1].input.__setitem__(1, "elsewhere"),
    "no bias of its own": lambda graph: graph.node[2].input.__setitem__(1, "elsewhere"),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_other_networks_have_no_dense_layers(change):
    """Anything but pixels @ weights, ReLU, @ weights, ..., softmax is left to ONNX Runtime."""
    assert dense_layers(_changed(change)) is None


def test_a_network_without_hidden_layer_has_no_dense_layers():
    """There is nothing to gain."""
    assert dense_layers(linear_onnx()) is None
