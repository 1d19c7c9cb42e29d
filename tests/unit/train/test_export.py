import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.model.bundle import open_bundle
from job.model.predictor import OnnxPredictor
from job.train.backend import fix_seed, import_keras
from job.train.export import convert, to_onnx
from job.train.network import dense
from job.train.origin import find_images


@pytest.fixture(scope="module")
def layers():
    fix_seed(1)
    return import_keras().layers


@pytest.fixture
def converted(storage, tmp_path):
    """Saves a stack of layers as a .keras file and converts it: the opened bundle."""

    def run(*stack):
        import_keras().Sequential(list(stack)).save(tmp_path / "mine.keras")
        convert(storage, str(tmp_path / "mine.keras"), str(tmp_path / "model"))
        return open_bundle(storage, str(tmp_path / "model"))

    return run


def _answers(bundle, pixels):
    return OnnxPredictor(bundle.onnx, "test").predict(pixels)


def test_exporting_twice_gives_the_same_bytes():
    """tf2onnx numbers its names on through the life of a process; what is saved does not show it."""
    model = dense((16,))
    assert to_onnx(model) == to_onnx(model)


def test_a_convolutional_network_is_converted(tmp_path, converted, layers):
    """28x28x1 floats in, as most notebooks have it: the bundle opens, checks, and says what it is."""
    bundle = converted(
        layers.Input((28, 28, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    )
    bundle.check(OnnxPredictor(bundle.onnx, "test"))
    assert (bundle.name, bundle.about["recipe"]) == ("mine", "converted")
    assert bundle.about["architecture"] == "Conv2D-MaxPooling2D-Flatten-Dense"
    assert bundle.about["export"]["onnx"]["same_digits"] == bundle.about["export"]["onnx"]["rows"] > 1797
    assert (tmp_path / "model/model.keras").read_bytes() == (tmp_path / "mine.keras").read_bytes()
    assert len(bundle.golden.pixels) == 16


@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_without_a_rescaling_layer_pixels_are_divided_by_255(converted, layers, caplog, shape):
    """As training code outside of the network would have done; the log says so."""
    caplog.set_level("INFO")
    stack = [layers.Input(shape), layers.Flatten(), layers.Dense(10, activation="softmax")]
    bundle = converted(*stack)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 784), np.uint8)
    expected = np.asarray(import_keras().Sequential(stack)(pixels.reshape(-1, *shape) / np.float32(255)))
    assert np.allclose(_answers(bundle, pixels), expected, atol=1e-5)
    assert "fed with pixels / 255" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_with_a_rescaling_layer_pixels_are_fed_as_they_are(converted, layers, caplog, dtype):
    """Also where it stands inside a network within the network."""
    caplog.set_level("INFO")
    inner = import_keras().Sequential([layers.Rescaling(1 / 255), layers.Dense(8, activation="relu")])
    stack = [layers.Input((784,), dtype=dtype), inner, layers.Dense(10, activation="softmax")]
    bundle = converted(*stack)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 784), np.uint8)
    expected = np.asarray(import_keras().Sequential(stack)(pixels.astype(dtype)))
    assert np.allclose(_answers(bundle, pixels), expected, atol=1e-5)
    assert "fed with pixels of 0-255" in caplog.text


def test_logits_become_probabilities(converted, layers):
    """A network trained with from_logits=True gets the softmax that it lacks."""
    bundle = converted(layers.Input((784,)), layers.Dense(10))
    answers = _answers(bundle, np.eye(3, 784, dtype=np.uint8) * 255)
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert answers.min() > 0


def test_the_source_of_truth_converts_to_the_same_answers(storage, tmp_path, trained):
    """A model.keras of a model folder, given by itself, answers like the folder."""
    folder = trained.result.path
    convert(storage, f"{folder}/model.keras", str(tmp_path / "model"))
    original, again = open_bundle(storage, folder), open_bundle(storage, str(tmp_path / "model"))
    pixels = find_images(storage, "digits").images.pixels
    assert np.allclose(_answers(original, pixels), _answers(again, pixels), atol=1e-5)


def test_another_process_converts_to_the_same_digest(storage, tmp_path, converted, layers):
    """So that pods that convert for themselves agree on the model."""
    here = converted(layers.Input((28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax"))
    code = f"""
from job.storage import LocalStorage
from job.train.export import convert
convert(LocalStorage(), {str(tmp_path / "mine.keras")!r}, {str(tmp_path / "there")!r})
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment)
    assert open_bundle(storage, str(tmp_path / "there")).digest == here.digest
    digest = hashlib.sha256((tmp_path / "there/model.onnx").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "model/model.json").read_text())["files"]["model.onnx"] == digest


def test_code_in_a_model_is_not_run(tmp_path, converted, layers):
    """A Lambda layer is refused, and nothing is written."""
    with pytest.raises(ModelInvalid, match=r"mine\.keras: Keras cannot load it safely .*Lambda"):
        converted(layers.Input((784,)), layers.Lambda(lambda x: x), layers.Dense(10, activation="softmax"))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("shape", "outputs", "found"),
    [((32, 32, 3), 10, r"takes \[\(32, 32, 3\)\]"), ((784,), 1, r"gives \[\(1,\)\]")],
)
def test_other_shapes_are_refused(converted, layers, shape, outputs, found):
    """With what was found and what was expected."""
    with pytest.raises(ModelInvalid, match=found + ".*expected one input of 784, 28x28 or 28x28x1"):
        converted(layers.Input(shape), layers.Flatten(), layers.Dense(outputs))


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n and so on"])
def test_another_kind_of_file_is_refused(storage, tmp_path, content):
    """Whatever it calls itself."""
    (tmp_path / "mine.keras").write_bytes(content)
    with pytest.raises(ModelInvalid, match=r"is no \.keras file"):
        convert(storage, str(tmp_path / "mine.keras"), str(tmp_path / "model"))


def test_no_file_is_refused(storage, tmp_path):
    """As an invalid model, which no retry will mend."""
    with pytest.raises(ModelInvalid, match="there is no such file"):
        convert(storage, str(tmp_path / "none.keras"), str(tmp_path / "model"))
