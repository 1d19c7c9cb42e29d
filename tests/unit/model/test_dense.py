import copy
import io
import itertools
import os
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from support.files import make_digits
from support.guarded_memory import SIDES, guarded_allocations, guarded_array

from job.compiled import machine_code
from job.errors import ModelInvalid
from job.model.dense import TILE_ROWS, DenseNetwork, DensePredictor, _panels, _softmax

LEVEL = machine_code._level()


def _network(*hidden):
    """Random layers with these numbers of hidden units."""
    random, layers = np.random.default_rng(4), []
    for number, (inputs, outputs) in enumerate(itertools.pairwise([784, *hidden, 10])):
        weights = random.normal(0, 2 / (1 if number else 255) / inputs**0.5, (inputs, outputs))
        layers.append((weights.astype(np.float32), random.normal(0, 0.1, outputs).astype(np.float32)))
    return DenseNetwork(tuple(layers))


def _expected(network, pixels):
    """The same probabilities by NumPy, in double precision."""
    values = pixels.astype(np.float64)
    for number, (weights, bias) in enumerate(network.layers):
        values = np.maximum(values, 0) if number else values
        values = values @ weights.astype(np.float64) + bias
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def network():
    return _network(128, 128, 128)


@pytest.fixture(scope="module")
def predictor(network):
    return DensePredictor(network.to_bytes(), "test")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(pixels=arrays(np.uint8, some.tuples(some.integers(0, 5), some.just(784)), fill=some.just(0)))
def test_probabilities_are_numpys(network, predictor, pixels):
    """For any pixels."""
    np.testing.assert_allclose(predictor.predict(pixels), _expected(network, pixels), atol=2e-6)


@pytest.mark.parametrize("side", SIDES)
def test_no_byte_around_pixels_weights_and_sums_is_touched(side, monkeypatch):
    """For layers of any width and any number of rows."""
    monkeypatch.setattr(
        "job.model.dense._panels", lambda *layer: [guarded_array(each, side) for each in _panels(*layer)]
    )
    for hidden in ((1,), (128,), (129, 5)):
        network = _network(*hidden)
        for rows in (0, 1, TILE_ROWS, TILE_ROWS + 1):
            pixels = guarded_array(make_digits(rows, seed=2).pixels, side)
            predictor = DensePredictor(network.to_bytes(), "test")
            with guarded_allocations(side):
                found = predictor.predict(pixels)
            np.testing.assert_allclose(found, _expected(network, pixels), atol=1e-5)


def test_each_pixel_meets_its_own_weights(network, predictor):
    """Also at the edges of the kernel's vectors."""
    for place in (0, 1, 55, 56, 63, 64, 111, 112, 720, 727, 728, 735, 782, 783):
        pixels = np.zeros((3, 784), np.uint8)
        pixels[1, place] = 200
        np.testing.assert_allclose(predictor.predict(pixels), _expected(network, pixels), atol=1e-6)


def test_each_hidden_unit_meets_its_own_weights():
    """A single active unit decides the class."""
    pixels = np.zeros((2, 784), np.uint8)
    pixels[1, 5] = 3
    for unit in (0, 1, 63, 64, 65, 127, 128, 199):
        first, last = np.zeros((784, 200), np.float32), np.zeros((200, 10), np.float32)
        first[5, unit] = last[unit, 3] = 1
        network = DenseNetwork(((first, np.full(200, -1, np.float32)), (last, np.zeros(10, np.float32))))
        found = DensePredictor(network.to_bytes(), "test").predict(pixels)
        np.testing.assert_allclose(found, _expected(network, pixels), atol=1e-7)


def test_any_shape():
    """More or fewer layers, wider or narrower than the kernel's panels."""
    pixels = make_digits(20, seed=1).pixels
    for hidden in ((1,), (127,), (129, 5), (256, 64), (300, 200, 100, 50, 25), (8, 600)):
        network = _network(*hidden)
        found = DensePredictor(network.to_bytes(), "test").predict(pixels)
        np.testing.assert_allclose(found, _expected(network, pixels), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(LEVEL == "generic", reason="levels are those of x86-64")
def test_every_processor_gives_the_same_bytes(predictor, monkeypatch):
    """With vectors of any width, with and without fused multiply-add."""
    pixels = make_digits(300, seed=8).pixels
    expected = predictor.predict(pixels).tobytes()
    levels = machine_code.levels()
    for level in levels[levels.index(LEVEL) :]:
        code = machine_code._compiled("job.model.dense_kernel", "run_layers", level)
        run = machine_code._callable(machine_code._load(code, "run_layers"))
        monkeypatch.setattr(predictor, "_run", run)
        assert predictor.predict(pixels).tobytes() == expected, level


_DIGEST = """
import hashlib, sys
import numpy as np
from job.model.dense import _softmax
logits = np.random.default_rng(1).normal(0, 30, (20_000, 10)).astype(np.float32)
print(hashlib.sha256(_softmax(logits).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_softmax_has_the_same_bytes_without_the_processors_vectors():
    """NumPy is told not to use what this processor has beyond the oldest ones."""
    features = np._core._multiarray_umath.__cpu_features__
    used = [name for name in np._core._multiarray_umath.__cpu_dispatch__ if features.get(name)]
    digests = set()
    for disabled in ([], used):
        settings = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled)}
        command = [sys.executable, "-c", _DIGEST]
        digests.add(subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout)
    assert len(digests) == 1


def test_the_softmax_is_exact_to_a_few_units_of_the_last_place():
    """Of each class by itself, from certain to hopeless."""
    logits = np.random.default_rng(1).normal(0, 12, (5000, 10)).astype(np.float32)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    expected = shares / shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(_softmax(logits), expected, rtol=1e-6, atol=1e-37)


def test_logits_that_overflow_are_no_probabilities():
    """They are not hidden behind a number."""
    with np.errstate(invalid="ignore"):
        found = _softmax(np.float32([[np.inf] + [0] * 9, [0] * 10]))
    assert np.isnan(found[0]).any()
    np.testing.assert_array_equal(found[1], np.full(10, 0.1, np.float32))


def test_a_row_depends_on_itself_only(predictor):
    """Every bit of its result is the same alone, among others, and at any position."""
    count = 10 * TILE_ROWS + 20
    pixels = make_digits(count, seed=5).pixels
    together = predictor.predict(pixels)
    assert together.shape == (count, 10)
    for row in (0, 1, TILE_ROWS - 1, TILE_ROWS, count - 1):
        np.testing.assert_array_equal(predictor.predict(pixels[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(predictor.predict(pixels[::-1])[::-1], together)


def test_the_same_network_gives_the_same_bytes(network):
    """And they give the network back."""
    content = network.to_bytes()
    assert content == network.to_bytes()
    for found, expected in zip(DenseNetwork.from_bytes(content).layers, network.layers, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def _archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_content_that_is_not_a_dense_network_is_refused(network):
    """With the file's name, before the kernel gets any address."""

    def changed(layer, change):
        layers = [*network.layers]
        layers[layer] = change(*layers[layer])
        return DenseNetwork(tuple(layers)).to_bytes()

    for content in (
        b"", b"PK\x03\x04", b"no archive", network.to_bytes()[:-40], _archive(), _archive(weights0=np.zeros(3)),
        DenseNetwork(network.layers[:1]).to_bytes(), DenseNetwork(network.layers[:2]).to_bytes(),
        changed(0, lambda weights, bias: (weights[:700], bias)),
        changed(1, lambda weights, bias: (weights, bias[:9])),
        changed(1, lambda weights, bias: (weights.T[:100].T, bias)), changed(2, lambda _, bias: (bias, bias)),
        changed(0, lambda weights, bias: (weights.astype(np.float64), bias)),
        changed(0, lambda weights, bias: (weights[:, :0], bias[:0])),
        changed(3, lambda weights, bias: (weights * np.float32("inf"), bias)),
        changed(3, lambda weights, bias: (weights[:, :9], bias[:9])),
    ):  # fmt: skip
        with pytest.raises(ModelInvalid, match=r"^m/model\.npz: is not a network of dense layers: "):
            DensePredictor(content, "m/model.npz")


def _peak_of(content):
    """The most memory that Python and NumPy hold while an archive is refused, in bytes, and the message."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r".+") as error:
            DenseNetwork.from_bytes(content)
        return tracemalloc.get_traced_memory()[1], str(error.value)
    finally:
        tracemalloc.stop()


def test_a_small_archive_of_a_large_network_takes_no_memory():
    """Zeros compress to a thousandth: 784 x 50,000 weights claim 157 MB."""
    content = io.BytesIO()
    sizes = {"weights0": (784, 50_000), "bias0": (50_000,), "weights1": (50_000, 10), "bias1": (10,)}
    np.savez_compressed(content, **{name: np.zeros(shape, np.float32) for name, shape in sizes.items()})
    peak, message = _peak_of(content.getvalue())
    assert message == "its arrays are compressed, expected them as they are"
    assert peak < 1 << 20


def test_members_that_share_their_bytes_are_refused():
    """A thousand names for the same megabyte."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("weights0.npy", bytes(1 << 20))
        first = archive.infolist()[0]
        for number in range(1, 1000):
            other = copy.copy(first)
            other.filename = f"weights{number}.npy"
            archive.filelist.append(other)
    peak, message = _peak_of(content.getvalue())
    assert message.startswith("its arrays claim 1,048,576,000 bytes, the file has ")
    assert peak < 4 << 20


def test_a_shape_that_the_bytes_do_not_fill_is_refused():
    """Also if the size in the archive is right."""
    header, content = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (784, 300_000)})
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("weights0.npy", header.getvalue() + bytes(100))
        archive.writestr("bias0.npy", b"")
    peak, message = _peak_of(content.getvalue())
    assert message.endswith("claims to have the shape (784, 300000) and the type float32")
    assert peak < 1 << 20
