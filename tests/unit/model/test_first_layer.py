import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from support.files import make_digits
from support.models import dense_onnx

from job.errors import ModelInvalid
from job.model.first_layer import CutNetwork, FirstLayer
from job.model.predictor import SparsePredictor
from job.train.onnx_cut import cut

RANDOM = np.random.default_rng(4)
WEIGHTS = RANDOM.normal(0, 0.01, (784, 128)).astype(np.float32)
BIAS = RANDOM.normal(0, 1, 128).astype(np.float32)
LAYER = FirstLayer(WEIGHTS, BIAS)


def _expected(pixels):
    return pixels.astype(np.float64) @ WEIGHTS.astype(np.float64) + BIAS


@settings(max_examples=200, deadline=None, derandomize=True)
@given(arrays(np.uint8, some.tuples(some.integers(0, 5), some.just(784)), fill=some.just(0)))
def test_it_is_a_matrix_product(pixels):
    """Whichever pixels are ink."""
    np.testing.assert_allclose(LAYER.apply(pixels), _expected(pixels), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("place", [0, 1, 55, 56, 63, 64, 111, 112, 720, 727, 728, 735, 782, 783])
def test_each_pixel_meets_its_own_weights(place):
    """Also at the edges of what is looked at together; one product has no rounding but its own."""
    pixels = np.zeros((3, 784), np.uint8)
    pixels[1, place] = 200
    found = LAYER.apply(pixels)
    np.testing.assert_array_equal(found[[0, 2]], [BIAS, BIAS])
    np.testing.assert_allclose(found[1], _expected(pixels)[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("hidden", [1, 127, 129, 256, 300])
def test_any_width(hidden):
    """More or fewer outputs than the kernel computes at once."""
    weights, bias = RANDOM.normal(size=(784, hidden)).astype(np.float32), np.arange(hidden, dtype=np.float32)
    pixels = make_digits(20, seed=hidden).pixels
    expected = pixels.astype(np.float64) @ weights.astype(np.float64) + bias
    np.testing.assert_allclose(FirstLayer(weights, bias).apply(pixels), expected, rtol=1e-4, atol=0.05)


def test_a_row_depends_on_nothing_but_itself():
    """Every bit of a row's result is the same alone, among others, and wherever it stands."""
    predictor = SparsePredictor(cut(dense_onnx(128)), "test")
    pixels = make_digits(1300, seed=5).pixels
    together = predictor.predict(pixels)
    for row in (0, 1, 511, 512, 1299):
        np.testing.assert_array_equal(predictor.predict(pixels[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(predictor.predict(pixels[::-1])[::-1], together)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"no archive", cut(dense_onnx(128))[:-40],
        CutNetwork(WEIGHTS[:700], BIAS, b"").to_bytes(), CutNetwork(WEIGHTS, BIAS[:10], b"").to_bytes(),
        CutNetwork(WEIGHTS.astype(np.float64), BIAS, b"").to_bytes(), CutNetwork(WEIGHTS, BIAS, b"").to_bytes(),
        CutNetwork(WEIGHTS, BIAS, dense_onnx(128)).to_bytes(),
    ],
)  # fmt: skip
def test_what_is_no_cut_network_is_refused(content):
    """With the file's name."""
    with pytest.raises(ModelInvalid, match=r"^m/model\.npz: "):
        SparsePredictor(content, "m/model.npz")
