"""A plain .keras file becomes a model folder; the e2e tests check that every process gives it the same digest."""

import numpy as np
import pytest

from job.errors import ModelInvalid
from job.model.bundle import open_bundle, predictor_of
from job.model.input_range import InputRange
from job.model.model_kind import find_model
from job.train.card.foreign_model import convert


def test_a_convolutional_network_is_converted(tmp_path, converted, layers):
    """With an input of 28x28x1 floats, as in most notebooks; the model folder opens, checks and names its layers."""
    bundle = converted(
        layers.Input((28, 28, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
        input_range=InputRange.UNIT,
    )
    bundle.check(predictor_of(bundle))
    assert (bundle.name, bundle.about["recipe"]) == ("mine", "converted")
    assert bundle.about["architecture"] == "Conv2D-MaxPooling2D-Flatten-Dense"
    assert bundle.about["export"]["model.onnx"]["same_digits"] == bundle.about["export"]["model.onnx"]["rows"] > 1797
    assert (tmp_path / "model/model.keras").read_bytes() == (tmp_path / "mine.keras").read_bytes()
    assert len(bundle.golden.pixels) == 16


def test_the_network_of_a_model_folder_converts_to_the_same_answers(storage, tmp_path, trained, optdigits):
    """Its model.keras, converted on its own."""
    folder = trained.result.path
    convert(storage, find_model(storage, f"{folder}/model.keras"), str(tmp_path / "model"))
    original, again = open_bundle(storage, folder), open_bundle(storage, str(tmp_path / "model"))
    first, second = (predictor_of(each).predict(optdigits.pixels) for each in (original, again))
    assert np.allclose(first, second, atol=1e-5)


def test_a_missing_file_is_refused(storage, tmp_path):
    """As an invalid model, because a retry cannot help."""
    with pytest.raises(ModelInvalid, match="no such file"):
        find_model(storage, str(tmp_path / "none.keras"))
