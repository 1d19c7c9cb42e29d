import subprocess
import sys

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.backend import fix_seed, import_keras
from job.train.export.tflite import TflitePredictor, to_tflite
from job.train.fit.network import dense
from job.train.judge.parity import predict


@pytest.fixture(scope="module")
def network():
    fix_seed(1)
    return dense((16, 8))


@pytest.fixture(scope="module")
def content(network):
    return to_tflite(network)


@pytest.mark.parametrize("rows", [0, 1, 3, 1024, 1500])
def test_it_says_what_the_network_says(network, content, rows):
    """For any number of images."""
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, 784), np.uint8)
    said = TflitePredictor(content).predict(pixels)
    assert (said.shape, said.dtype) == ((rows, 10), np.float32)
    if rows:
        assert np.allclose(said, predict(network, pixels), atol=1e-5)


def test_numbers_of_images_may_change_from_call_to_call(network, content):
    """And back: nothing is left of an earlier call."""
    predictor = TflitePredictor(content)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 784), np.uint8)
    expected = predict(network, pixels)
    for rows in (40, 3, 40, 1):
        assert np.allclose(predictor.predict(pixels[:rows]), expected[:rows], atol=1e-5)


def test_it_takes_bytes_and_gives_probabilities(content):
    """Rescaling is inside, as in every format."""
    assert TflitePredictor(content).signature == {
        "input": {"dtype": "uint8", "shape": [784], "range": [0, 255]},
        "output": {"dtype": "float32", "shape": [10]},
    }


def test_converting_twice_gives_the_same_bytes(network, content):
    """So that the same training gives a model of the same digest."""
    assert to_tflite(network) == content


def test_converting_and_running_are_silent():
    """Neither deprecations nor what TFLite has to say of itself, on either stream."""
    code = """
import numpy as np
from job.train.network import dense
from job.train.tflite import TflitePredictor, to_tflite
TflitePredictor(to_tflite(dense((8,)))).predict(np.zeros((3, 784), np.uint8))
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_what_only_tensorflow_has_an_operator_for_is_refused():
    """A file that needs more than TFLite's own operators runs on few devices."""
    keras = import_keras()
    pixels = keras.Input((784,), dtype="uint8")
    values = keras.ops.erfinv(keras.ops.cast(pixels, "float32") / 256)
    network = keras.Model(pixels, keras.layers.Dense(10, activation="softmax")(values), name="odd")
    with pytest.raises(ModelInvalid, match="odd: cannot be exported to TFLite: "):
        to_tflite(network)
