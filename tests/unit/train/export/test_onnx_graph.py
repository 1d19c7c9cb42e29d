import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.models import linear_onnx

from job.model.onnx_predictor import OnnxPredictor
from job.train.export.onnx_graph import canonical


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


@pytest.fixture
def pixels():
    return np.random.default_rng(2).integers(0, 256, (20, 784), np.uint8)


def test_names_and_order_leave_no_trace():
    """The same network gives the same bytes, however its exporter named and ordered it."""
    first = canonical(_branched("abcde", (0, 1, 2, 3)))
    second = canonical(_branched("vwxyz", (0, 2, 1, 3)))
    assert first == second
    assert canonical(first) == first


def test_the_answers_stay_the_same(pixels):
    """To the last bit."""
    content = _branched("abcde", (0, 1, 2, 3))
    before, after = (OnnxPredictor(each, "test").predict(pixels) for each in (content, canonical(content)))
    assert before.tobytes() == after.tobytes()


def test_input_and_output_have_the_names_of_the_job():
    """As anyone who opens the file will look for them."""
    graph = onnx.load_from_string(canonical(_branched("abcde", (0, 1, 2, 3)))).graph
    assert ([each.name for each in graph.input], [each.name for each in graph.output]) == (
        ["pixels"],
        ["probabilities"],
    )
    onnx.checker.check_model(onnx.load_from_string(canonical(linear_onnx())))
