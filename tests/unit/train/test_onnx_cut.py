import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.files import make_digits
from support.models import dense_onnx, linear_onnx

from job.model.first_layer import CutNetwork
from job.model.predictor import OnnxPredictor, SparsePredictor
from job.train.onnx_cut import cut


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
def test_both_pieces_together_say_what_the_whole_says(content):
    """But for rounding, whatever the width of the layer."""
    pixels = make_digits(700, seed=1).pixels
    np.testing.assert_allclose(
        SparsePredictor(cut(content), "test").predict(pixels), OnnxPredictor(content, "test").predict(pixels), atol=5e-6
    )


def test_the_pieces_are_the_networks_own():
    """The first layer's arrays, and a network that begins at its activation."""
    content = dense_onnx(128)
    network = CutNetwork.from_bytes(cut(content))
    weights, bias, *_ = (numpy_helper.to_array(each) for each in onnx.load_from_string(content).graph.initializer)
    np.testing.assert_array_equal(network.weights, weights)
    np.testing.assert_array_equal(network.bias, bias)
    rest = onnx.load_from_string(network.rest)
    assert [node.op_type for node in rest.graph.node] == ["Relu", "MatMul", "Softmax"]
    assert cut(content) == cut(content)


@pytest.mark.parametrize(
    "content",
    [linear_onnx(), dense_onnx(32), _changed(lambda graph: graph.node[1].input.reverse())],
    ids=["one layer", "narrow", "weights @ pixels"],
)
def test_another_beginning_is_not_cut(content):
    """What is not pixels @ weights, or is too narrow to gain by it, runs whole."""
    assert cut(content) is None
