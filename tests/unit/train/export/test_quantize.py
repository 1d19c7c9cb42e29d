import subprocess
import sys

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.backend import fix_seed, import_keras
from job.train.data.origin import find_images
from job.train.export.tflite import MOST_IMAGES, TflitePredictor, calibration_images, to_int8
from job.train.fit.network import dense
from job.train.judge.parity import predict


@pytest.fixture(scope="module")
def images():
    from job.storage import LocalStorage

    return find_images(LocalStorage(), "digits").images


@pytest.fixture(scope="module")
def network(images):
    """One that knows digits a little: an untrained one hesitates over every image."""
    fix_seed(1)
    model = dense((32,), dropout=0.1)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images.pixels, images.labels, epochs=5, verbose=0)
    return model


@pytest.fixture(scope="module")
def content(network, images):
    return to_int8(network, images.pixels)


def test_it_names_the_digits_that_the_network_names(network, content, images):
    """Nearly all, with probabilities that are near."""
    said, expected = TflitePredictor(content).predict(images.pixels), predict(network, images.pixels)
    assert (said.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    assert np.abs(said - expected).max() < 0.1


def test_bytes_go_in_as_they_are_and_bytes_come_out(content):
    """A step of a pixel is one grey level, and a step of a probability 1/256; nothing between is a float."""
    predictor = TflitePredictor(content)
    assert predictor.signature == {
        "input": {"dtype": "uint8", "shape": [784], "scale": 1.0, "zero_point": 0, "range": [0, 255]},
        "output": {"dtype": "uint8", "shape": [10], "scale": 1 / 256, "zero_point": 0},
    }
    assert not predictor.has_floats


def test_it_is_smaller_than_half(network, content):
    """A weight takes a byte instead of four."""
    from job.train.export.tflite import to_tflite

    assert len(content) < len(to_tflite(network)) / 2


def test_the_same_images_give_the_same_bytes(network, content, images):
    """So that the same training gives a model of the same digest."""
    assert to_int8(network, images.pixels) == content


def test_the_network_itself_stays_as_it_was(network, content, images):
    """It shares its layers with the one that is converted."""
    assert content
    assert [layer.name for layer in network.layers] == [
        "pixels", "rescaling", "hidden_1", "dropout_1", "probabilities",
    ]  # fmt: skip
    assert network.input.dtype == "uint8"
    again = import_keras().Model.from_config(network.get_config())
    again.set_weights(network.get_weights())
    assert np.array_equal(predict(again, images.pixels), predict(network, images.pixels))


@pytest.mark.parametrize("rows", [1, 7, MOST_IMAGES, 2001])
def test_ranges_are_measured_on_images_from_all_over(rows):
    """Files may be sorted by digit. The one corner pixel of full ink is in a copy."""
    pixels = np.repeat(np.arange(rows) % 200, 784).astype(np.uint8).reshape(-1, 784)
    chosen = calibration_images(pixels)
    assert len(chosen) == min(rows, MOST_IMAGES)
    assert np.array_equal(chosen[[0, -1], 2:], pixels[[0, -1], 2:])
    assert (chosen.min(), chosen.max(), pixels.max()) == (0, 255, min(rows, 200) - 1)


def test_dim_images_leave_a_step_of_a_pixel_at_one_grey_level(network, images):
    """Bytes must go in as they are, whatever ink the training images had."""
    content = to_int8(network, images.pixels // 4)
    assert TflitePredictor(content).signature["input"]["scale"] == 1


def test_converting_and_running_are_silent():
    """Neither deprecations nor what the converter has to say of itself, on either stream."""
    code = """
import numpy as np
from job.train.network import dense
from job.train.quantize import to_int8
from job.train.tflite import TflitePredictor
pixels = np.zeros((3, 784), np.uint8)
TflitePredictor(to_int8(dense((8,)), pixels)).predict(pixels)
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_network_that_needs_floats_is_refused(images):
    """A file that is said to be of integers holds nothing else."""
    with pytest.raises(ModelInvalid, match="dense: TFLite cannot compute it in integers alone"):
        to_int8(dense((8,), activation="elu"), images.pixels)
