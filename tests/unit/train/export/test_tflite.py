"""TFLite in float32 and in 8-bit integers; test_backend checks that converting and running print nothing."""

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.backend import fix_seed, import_keras, predict
from job.train.export.tflite import MAX_IMAGES, TflitePredictor, calibration_images, to_int8, to_tflite
from job.train.fit.network import dense


@pytest.fixture(scope="module")
def network():
    fix_seed(1)
    return dense((16, 8))


@pytest.fixture(scope="module")
def content(network):
    return to_tflite(network)


@pytest.mark.parametrize("rows", [0, 1, 3, 1024, 1500])
def test_it_gives_the_answers_of_the_network(network, content, rows):
    """For any number of images."""
    pixels = np.random.default_rng(rows).integers(0, 256, (rows, 784), np.uint8)
    answers = TflitePredictor(content).predict(pixels)
    assert (answers.shape, answers.dtype) == ((rows, 10), np.float32)
    if rows:
        assert np.allclose(answers, predict(network, pixels), atol=1e-5)


def test_the_number_of_images_may_change_between_calls(network, content):
    """And back: no call depends on an earlier one."""
    predictor = TflitePredictor(content)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 784), np.uint8)
    expected = predict(network, pixels)
    for rows in (40, 3, 40, 1):
        assert np.allclose(predictor.predict(pixels[:rows]), expected[:rows], atol=1e-5)


def test_it_takes_bytes_and_returns_probabilities(content):
    """Rescaling is inside, as in every format."""
    assert TflitePredictor(content).signature == {
        "input": {"dtype": "uint8", "shape": [784], "range": [0, 255]},
        "output": {"dtype": "float32", "shape": [10]},
    }


def test_converting_twice_gives_the_same_bytes(network, content):
    """The same training gives a model of the same digest."""
    assert to_tflite(network) == content


def test_operators_that_only_tensorflow_has_are_refused():
    """A file that needs them runs on few devices."""
    keras = import_keras()
    pixels = keras.Input((784,), dtype="uint8")
    values = keras.ops.erfinv(keras.ops.cast(pixels, "float32") / 256)
    network = keras.Model(pixels, keras.layers.Dense(10, activation="softmax")(values), name="odd")
    with pytest.raises(ModelInvalid, match="odd: cannot be exported to TFLite: "):
        to_tflite(network)


@pytest.fixture(scope="module")
def trained_network(optdigits):
    """A network that knows digits a little: an untrained one is undecided about every image."""
    fix_seed(1)
    model = dense((32,), dropout=0.1)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(optdigits.pixels, optdigits.labels, epochs=5, verbose=0)
    return model


@pytest.fixture(scope="module")
def int8_content(trained_network, optdigits):
    return to_int8(trained_network, optdigits.pixels)


def test_integers_predict_the_digits_of_the_network(trained_network, int8_content, optdigits):
    """Nearly all of them, with similar probabilities."""
    answers, expected = (
        TflitePredictor(int8_content).predict(optdigits.pixels),
        predict(trained_network, optdigits.pixels),
    )
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99
    assert np.abs(answers - expected).max() < 0.1


def test_integers_take_and_return_bytes(int8_content):
    """A step of a pixel is one grey level, a step of a probability 1/256; no tensor is a float."""
    predictor = TflitePredictor(int8_content)
    assert predictor.signature == {
        "input": {"dtype": "uint8", "shape": [784], "scale": 1.0, "zero_point": 0, "range": [0, 255]},
        "output": {"dtype": "uint8", "shape": [10], "scale": 1 / 256, "zero_point": 0},
    }
    assert not predictor.has_floats


def test_integers_take_less_than_half_the_space(trained_network, int8_content):
    """A weight takes one byte instead of four."""
    assert len(int8_content) < len(to_tflite(trained_network)) / 2


def test_quantizing_by_the_same_images_gives_the_same_bytes(trained_network, int8_content, optdigits):
    """The same training gives a model of the same digest."""
    assert to_int8(trained_network, optdigits.pixels) == int8_content


def test_quantizing_leaves_the_network_unchanged(trained_network, int8_content, optdigits):
    """Although it shares its layers with the one that is converted."""
    assert int8_content
    assert [layer.name for layer in trained_network.layers] == [
        "pixels", "rescaling", "hidden_1", "dropout_1", "probabilities",
    ]  # fmt: skip
    assert trained_network.input.dtype == "uint8"
    again = import_keras().Model.from_config(trained_network.get_config())
    again.set_weights(trained_network.get_weights())
    assert np.array_equal(predict(again, optdigits.pixels), predict(trained_network, optdigits.pixels))


@pytest.mark.parametrize("rows", [1, 7, MAX_IMAGES, 2001])
def test_calibration_images_are_evenly_spaced(rows):
    """Files may be sorted by digit. Only a copy gets the corner pixel of full ink."""
    pixels = np.repeat(np.arange(rows) % 200, 784).astype(np.uint8).reshape(-1, 784)
    chosen = calibration_images(pixels)
    assert len(chosen) == min(rows, MAX_IMAGES)
    assert np.array_equal(chosen[[0, -1], 2:], pixels[[0, -1], 2:])
    assert (chosen.min(), chosen.max(), pixels.max()) == (0, 255, min(rows, 200) - 1)


def test_dim_images_keep_the_step_of_a_pixel_at_one_grey_level(trained_network, optdigits):
    """The input is bytes, whatever ink the training images have."""
    content = to_int8(trained_network, optdigits.pixels // 4)
    assert TflitePredictor(content).signature["input"]["scale"] == 1


def test_a_network_that_needs_floats_is_refused(optdigits):
    """A quantized file has no float operators."""
    with pytest.raises(ModelInvalid, match="dense: TFLite cannot compute it in integers only"):
        to_int8(dense((8,), activation="elu"), optdigits.pixels)
