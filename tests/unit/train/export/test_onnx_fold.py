import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from job.model.onnx_predictor import OnnxPredictor
from job.train.export.onnx_graph import fold_rescaling


def _network(scale=1 / 255, offset=0.0):
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


def _operators(content):
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


@pytest.fixture
def pixels():
    return np.random.default_rng(2).integers(0, 256, (50, 784), np.uint8)


def test_rescaling_goes_into_the_weights(pixels):
    """The multiplication and the empty addition are gone, and the answers the same but for rounding."""
    before = _network()
    after = fold_rescaling(before)
    assert _operators(after) == ["Cast", "MatMul", "Softmax"]
    expected, found = (OnnxPredictor(each, "test").predict(pixels) for each in (before, after))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.array_equal(expected[0], expected[1])


def test_an_offset_is_left_alone():
    """What is more than a multiplication is not folded."""
    content = _network(offset=-0.5)
    assert fold_rescaling(content) == content


def test_a_network_without_rescaling_is_left_alone():
    """To fold twice is to fold once."""
    once = fold_rescaling(_network())
    assert fold_rescaling(once) == once
