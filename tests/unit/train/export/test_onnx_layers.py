import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.files import make_digits
from support.models import dense_onnx, linear_onnx

from job.model.dense import DenseNetwork, DensePredictor
from job.model.onnx_predictor import OnnxPredictor
from job.train.export.onnx_graph import dense_layers


def _changed(change):
    model = onnx.load_from_string(dense_onnx(128))
    change(model.graph)
    return model.SerializeToString()


def _without_bias(graph):
    graph.node[3].input[0] = graph.node[1].output[0]
    del graph.node[2]


WHOLE = {
    **{f"{hidden} wide": dense_onnx(hidden) for hidden in (64, 100, 128, 200, 300)},
    "no bias": _changed(_without_bias),
    "one bias for all": _changed(
        lambda graph: graph.initializer[1].CopyFrom(numpy_helper.from_array(np.float32(1), "bias"))
    ),
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_the_layers_say_what_the_whole_says(content):
    """But for rounding, whatever the width of the hidden layer."""
    pixels = make_digits(700, seed=1).pixels
    np.testing.assert_allclose(
        DensePredictor(dense_layers(content), "test").predict(pixels),
        OnnxPredictor(content, "test").predict(pixels),
        atol=5e-6,
    )


def test_the_layers_are_the_networks_own():
    """Bit for bit, and in order."""
    content = dense_onnx(128)
    (weights, bias), (more, none) = DenseNetwork.from_bytes(dense_layers(content)).layers
    expected = [numpy_helper.to_array(each) for each in onnx.load_from_string(content).graph.initializer]
    for found, array in zip((weights, bias, more), expected, strict=True):
        np.testing.assert_array_equal(found, array)
    assert not none.any()
    assert dense_layers(content) == dense_layers(content)


def _with_another_activation(graph):
    graph.node[3].op_type = "Tanh"


def _with_a_branch(graph):
    graph.node[4].input[0] = graph.node[2].output[0]


OTHERS = {
    "one layer": linear_onnx(),
    "weights @ pixels": _changed(lambda graph: graph.node[1].input.reverse()),
    "another activation": _changed(_with_another_activation),
    "a branch": _changed(_with_a_branch),
    "no cast": _changed(lambda graph: setattr(graph.node[0], "op_type", "Identity")),
    "no softmax": _changed(lambda graph: setattr(graph.node[-1], "op_type", "Sigmoid")),
    "no weights": _changed(lambda graph: graph.node[1].input.__setitem__(1, "elsewhere")),
    "no bias of its own": _changed(lambda graph: graph.node[2].input.__setitem__(1, "elsewhere")),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_another_network_is_left_to_onnx_runtime(content):
    """What is not pixels @ weights, ReLU, @ weights ... softmax, or has no hidden layer."""
    assert dense_layers(content) is None
