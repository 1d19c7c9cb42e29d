import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from support.files import make_digits

from job.errors import ModelInvalid
from job.model.dense import TILE_ROWS, DenseNetwork, DensePredictor

RANDOM = np.random.default_rng(4)


def _network(*hidden):
    """Random layers of so many hidden units."""
    widths = [784, *hidden, 10]
    return DenseNetwork(
        tuple(
            (
                RANDOM.normal(0, 2 / (255 if number == 0 else 1) / inputs**0.5, (inputs, outputs)).astype(np.float32),
                RANDOM.normal(0, 0.1, outputs).astype(np.float32),
            )
            for number, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        )
    )


def _expected(network, pixels):
    """The same by NumPy, in double precision."""
    values = pixels.astype(np.float64)
    for number, (weights, bias) in enumerate(network.layers):
        values = np.maximum(values, 0) if number else values
        values = values @ weights.astype(np.float64) + bias
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


NETWORK = _network(128, 128, 128)
PREDICTOR = DensePredictor(NETWORK.to_bytes(), "test")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(arrays(np.uint8, some.tuples(some.integers(0, 5), some.just(784)), fill=some.just(0)))
def test_it_is_the_network(pixels):
    """Whichever pixels are ink."""
    np.testing.assert_allclose(PREDICTOR.predict(pixels), _expected(NETWORK, pixels), atol=2e-6)


@pytest.mark.parametrize("place", [0, 1, 55, 56, 63, 64, 111, 112, 720, 727, 728, 735, 782, 783])
def test_each_pixel_meets_its_own_weights(place):
    """Also at the edges of what is looked at together."""
    pixels = np.zeros((3, 784), np.uint8)
    pixels[1, place] = 200
    np.testing.assert_allclose(PREDICTOR.predict(pixels), _expected(NETWORK, pixels), atol=1e-6)


@pytest.mark.parametrize("unit", [0, 1, 63, 64, 65, 127, 128, 199])
def test_each_hidden_unit_meets_its_own_weights(unit):
    """A single unit that is on decides the class."""
    first = np.zeros((784, 200), np.float32)
    first[5, unit] = 1
    last = np.zeros((200, 10), np.float32)
    last[unit, 3] = 1
    network = DenseNetwork(((first, np.full(200, -1, np.float32)), (last, np.zeros(10, np.float32))))
    pixels = np.zeros((2, 784), np.uint8)
    pixels[1, 5] = 3
    np.testing.assert_allclose(
        DensePredictor(network.to_bytes(), "test").predict(pixels), _expected(network, pixels), atol=1e-7
    )


@pytest.mark.parametrize("hidden", [(1,), (127,), (129, 5), (256, 64), (300, 200, 100, 50, 25), (8, 600)])
def test_any_shape(hidden):
    """More or fewer layers, wider or narrower than the kernel computes at once."""
    network, pixels = _network(*hidden), make_digits(20, seed=1).pixels
    found = DensePredictor(network.to_bytes(), "test").predict(pixels)
    np.testing.assert_allclose(found, _expected(network, pixels), atol=1e-5)


def test_a_row_depends_on_nothing_but_itself():
    """Every bit of a row's result is the same alone, among others, and wherever it stands."""
    count = 10 * TILE_ROWS + 20
    pixels = make_digits(count, seed=5).pixels
    together = PREDICTOR.predict(pixels)
    assert together.shape == (count, 10)
    for row in (0, 1, TILE_ROWS - 1, TILE_ROWS, count - 1):
        np.testing.assert_array_equal(PREDICTOR.predict(pixels[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(PREDICTOR.predict(pixels[::-1])[::-1], together)


def test_the_same_network_gives_the_same_bytes():
    """And they hold all of it."""
    content = NETWORK.to_bytes()
    assert content == NETWORK.to_bytes()
    for found, expected in zip(DenseNetwork.from_bytes(content).layers, NETWORK.layers, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def _changed(layer, change):
    layers = [*NETWORK.layers]
    layers[layer] = change(*layers[layer])
    return DenseNetwork(tuple(layers)).to_bytes()


def _archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"no archive", NETWORK.to_bytes()[:-40], _archive(), _archive(weights0=np.zeros(3)),
        DenseNetwork(NETWORK.layers[:1]).to_bytes(), DenseNetwork(NETWORK.layers[:2]).to_bytes(),
        _changed(0, lambda weights, bias: (weights[:700], bias)),
        _changed(1, lambda weights, bias: (weights, bias[:9])),
        _changed(1, lambda weights, bias: (weights.T[:100].T, bias)), _changed(2, lambda _, bias: (bias, bias)),
        _changed(0, lambda weights, bias: (weights.astype(np.float64), bias)),
        _changed(0, lambda weights, bias: (weights[:, :0], bias[:0])),
        _changed(3, lambda weights, bias: (weights * np.float32("inf"), bias)),
        _changed(3, lambda weights, bias: (weights[:, :9], bias[:9])),
    ],
)  # fmt: skip
def test_what_is_no_dense_network_is_refused(content):
    """With the file's name, before any of its addresses reaches the kernel."""
    with pytest.raises(ModelInvalid, match=r"^m/model\.npz: is no network of dense layers: "):
        DensePredictor(content, "m/model.npz")
