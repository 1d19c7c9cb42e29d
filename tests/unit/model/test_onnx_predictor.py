import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.files import make_digits
from support.models import linear_onnx

from job.errors import ModelInvalid
from job.model.onnx_predictor import BATCH_ROWS, OnnxPredictor


@pytest.fixture(scope="module")
def predictor():
    return OnnxPredictor(linear_onnx(), "model.onnx")


@pytest.fixture(scope="module")
def pixels():
    return make_digits(BATCH_ROWS + 88).pixels


def _network(*, input_type=TensorProto.UINT8, rows="n", pixels=(784,), classes=10, output_type=TensorProto.FLOAT):
    """A model with a constant output."""
    size = int(np.prod(pixels))
    weights = np.zeros((size, classes), np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["in"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["floats"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["product"]),
            helper.make_node("Cast", ["product"], ["out"], to=output_type),
        ],
        "constant",
        [helper.make_tensor_value_info("in", input_type, [rows, *pixels])],
        [helper.make_tensor_value_info("out", output_type, [rows, classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def test_any_number_of_rows(predictor, pixels):
    """A row of pixels gives a row of ten probabilities that sum to 1."""
    for rows in (0, 1, 2, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, BATCH_ROWS + 88):
        probabilities = predictor.predict(pixels[:rows])
        assert (probabilities.shape, probabilities.dtype) == ((rows, 10), np.float32)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_probabilities_are_the_models(predictor, pixels):
    """Here, the softmax of pixels times weights."""
    [weights] = [numpy_helper.to_array(each) for each in onnx.load_from_string(linear_onnx()).graph.initializer]
    logits = pixels[:20].astype(np.float64) @ weights
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predict(pixels[:20]), expected, atol=1e-5)


def test_a_row_does_not_depend_on_the_rows_around_it(predictor, pixels):
    """However rows are split into calls, each gets the same probabilities, to the last bit."""
    whole = predictor.predict(pixels)
    for size in (1, 2, 3, 100, BATCH_ROWS, BATCH_ROWS + 1):
        starts = range(0, len(pixels), size) if size > 3 else range(0, 60, size)
        for start in starts:
            part = predictor.predict(pixels[start : start + size])
            np.testing.assert_array_equal(part, whole[start : start + size])


def _row_counting_network():
    """A model whose outputs are the number of rows it was run on."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["in"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["zeros"]),
            helper.make_node("Shape", ["in"], ["rows"], start=0, end=1),
            helper.make_node("Cast", ["rows"], ["count"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["zeros", "count"], ["out"]),
        ],
        "rows",
        [helper.make_tensor_value_info("in", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.zeros((784, 10), np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def test_the_model_always_runs_on_the_same_number_of_rows(pixels):
    """Even a model that counts its rows gives each row the same output in any call."""
    predictor = OnnxPredictor(_row_counting_network(), "model.onnx")
    for rows in (1, 2, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1):
        assert np.unique(predictor.predict(pixels[:rows])).tolist() == [BATCH_ROWS]


def test_pixels_need_not_be_writeable(predictor, pixels):
    """Such as pixels from a file's bytes, which are not changed."""
    frozen = np.frombuffer(pixels.tobytes(), np.uint8).reshape(-1, 784)
    np.testing.assert_array_equal(predictor.predict(frozen), predictor.predict(pixels))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"input_type": TensorProto.FLOAT}, "[('tensor(float)', ['n', 784]), ('tensor(float)', ['n', 10])]"),
        ({"pixels": (783,)}, "[('tensor(uint8)', ['n', 783]), ('tensor(float)', ['n', 10])]"),
        ({"pixels": (28, 28)}, "[('tensor(uint8)', ['n', 28, 28]), ('tensor(float)', ['n', 10])]"),
        ({"classes": 9}, "[('tensor(uint8)', ['n', 784]), ('tensor(float)', ['n', 9])]"),
        ({"output_type": TensorProto.DOUBLE}, "[('tensor(uint8)', ['n', 784]), ('tensor(double)', ['n', 10])]"),
    ],
    ids=["float pixels", "783", "28x28", "9 classes", "double"],
)
def test_models_of_another_shape(change, found):
    """A model that does not take 784 bytes and return ten floats is refused, with its inputs and outputs."""
    with pytest.raises(ModelInvalid) as error:
        OnnxPredictor(_network(**change), "m/model.onnx")
    expected = "[('tensor(uint8)', ['n', 784]), ('tensor(float)', ['n', 10])]"
    assert str(error.value) == f"m/model.onnx: has inputs and outputs {found}, expected {expected}"


def test_a_model_of_a_fixed_number_of_rows():
    """It is refused when it is loaded, not when it is run."""
    for rows in (1, 32):
        with pytest.raises(ModelInvalid, match=r"^m/model.onnx: "):
            OnnxPredictor(_network(rows=rows), "m/model.onnx")


def test_content_that_is_not_a_model():
    """Empty, rubbish, or truncated: refused in one line that names the file."""
    message = r"^m/model.onnx: (is not a usable ONNX file|ONNX Runtime cannot load it): .+"
    for content in (b"", b"rubbish", linear_onnx()[:-100]):
        with pytest.raises(ModelInvalid, match=message) as error:
            OnnxPredictor(content, "m/model.onnx")
        assert "\n" not in str(error.value)
