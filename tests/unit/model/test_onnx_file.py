"""What an ONNX file claims is compared with what it holds before ONNX Runtime loads it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.models import dense_onnx, linear_onnx

from job.errors import ModelInvalid
from job.model.onnx_file import check_onnx, is_onnx
from job.model.onnx_predictor import OnnxPredictor


def _changed(change):
    """`linear_onnx` with a changed graph."""
    model = onnx.load_from_string(linear_onnx())
    change(model)
    return model.SerializeToString()


def _of_a_shape(operator, shape, *, is_constant=False):
    """A network that makes an array of a shape, and adds its largest value to the logits."""

    def change(model):
        graph = model.graph
        tensor = numpy_helper.from_array(np.array(shape, np.int64), "" if is_constant else "shape")
        if not is_constant:
            graph.initializer.append(tensor)
        inputs = ["shape"] if operator == "ConstantOfShape" else ["logits", "shape"]
        graph.node.insert(2, helper.make_node(operator, inputs, ["large"]))
        graph.node.insert(3, helper.make_node("ReduceMax", ["large"], ["largest"], keepdims=0))
        graph.node.insert(4, helper.make_node("Add", ["logits", "largest"], ["sums"]))
        graph.node[5].input[0] = "sums"
        if is_constant:
            graph.node.insert(0, helper.make_node("Constant", [], ["shape"], value=tensor))

    return _changed(change)


def _in_a_branch(model):
    """The same, hidden in a branch of an If."""
    large = helper.make_node("ConstantOfShape", ["shape"], ["large"])
    least = helper.make_node("ReduceMax", ["large"], ["number"], keepdims=0)
    shape = numpy_helper.from_array(np.array([300_000, 784]), "shape")
    output = [helper.make_tensor_value_info("number", TensorProto.FLOAT, [])]
    branch = helper.make_graph([large, least], "branch", [], output, [shape])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.insert(0, helper.make_node("If", ["yes"], ["x"], then_branch=branch, else_branch=branch))


def _sparse(model):
    values = numpy_helper.from_array(np.ones(1, np.float32), "weights")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    del model.graph.initializer[:]
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [784, 10]))


def _hollow(model):
    model.graph.initializer[0].dims[:] = [784, 3_000_000]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (_of_a_shape("ConstantOfShape", [300_000, 784]), "its operator ConstantOfShape makes 235,200,000 values"),
        (_of_a_shape("Expand", [300_000, 1, 784], is_constant=True), "its operator Expand makes 235,200,000 values"),
        (_changed(_in_a_branch), "its operator ConstantOfShape makes 235,200,000 values"),
        (_changed(_sparse), "it has sparse weights"),
        (_changed(_hollow), r"a tensor of 31,3\d\d bytes claims to have the shape \[784, 3000000\]"),
    ],
    ids=["ConstantOfShape", "Expand", "branch", "sparse", "hollow"],
)
def test_a_file_that_claims_more_than_it_holds_is_refused(content, found):
    """Also where the claim is in a branch or a Constant."""
    with pytest.raises(ModelInvalid, match=f"^m/model.onnx: .*{found}"):
        OnnxPredictor(content, "m/model.onnx")


def test_ordinary_networks_pass():
    """Shapes of an ordinary size, too."""
    for content in (linear_onnx(), dense_onnx(64), _of_a_shape("ConstantOfShape", [10])):
        assert check_onnx(content, "m").parameters > 7000
        assert is_onnx(content)


def test_more_weights_than_allowed(monkeypatch):
    """Their number is in the message."""
    monkeypatch.setattr("job.model.onnx_file.MAX_PARAMETERS", 7000)
    with pytest.raises(ModelInvalid, match=r"^m: has 7,840 weights, expected at most 7,000$"):
        check_onnx(linear_onnx(), "m")


def test_other_content_is_no_onnx_file():
    """Text, archives, and what only begins like one."""
    for content in (b"", b"PK\x03\x04", b"version https://git-lfs", b"\x08\x08", linear_onnx()[:3000], bytes(1000)):
        assert not is_onnx(content)


def test_more_fields_than_allowed(monkeypatch):
    """A file of many small fields would take minutes to read; neither function does."""
    monkeypatch.setattr("job.model.onnx_file._MAX_FIELDS", 5)
    with pytest.raises(ModelInvalid, match=r"^m: is not a usable ONNX file: it has more than 5 fields$"):
        check_onnx(linear_onnx(), "m")
    assert not is_onnx(linear_onnx())


def test_a_shape_of_many_dimensions():
    """ONNX Runtime would refuse it, but only after it has been read."""

    def change(model):
        model.graph.initializer[0].dims[:] = [1] * 9

    with pytest.raises(ModelInvalid, match="a shape has more than 8 dimensions"):
        check_onnx(_changed(change), "m")
