from dataclasses import replace

import numpy as np
import pytest
from support.files import write_csv

from job.errors import DataError
from job.train.data import dataset
from job.train.data.optdigits import optdigits
from job.train.judge.model_evaluation import evaluate_model, is_evaluation
from job.train.phases import Phases
from job.train.train_settings import EvaluateSettings


def test_the_test_images_of_the_model_s_own_data_are_taken(storage, trained):
    """The figures are those of the card; all test images of so small a set are corrupted in training, too."""
    found = evaluate_model(storage, EvaluateSettings(trained.result.path, seed=3), trained.result.path, Phases())
    card = trained.result.card
    assert found["test"]["accuracy"] == card["metrics"]["test"]["accuracy"]
    assert found["robustness"] == card["robustness"]
    assert found["data"] == {"name": "digits", "sources": ["digits"], "rows": 360}
    assert found["model"]["digest"] == trained.result.digest


def test_images_to_test_with_are_taken_of_data_that_has_such(storage, trained, tmp_path, balanced):
    """As in training; of other data, all."""
    for name, rows in (("a_train.csv", slice(0, 150)), ("a_test.csv", slice(150, 200))):
        write_csv(tmp_path / name, balanced[rows])
    for data, rows in ((tmp_path, 50), (tmp_path / "a_train.csv", 150)):
        settings = EvaluateSettings(trained.result.path, (str(data),), sample=1)
        assert evaluate_model(storage, settings, trained.result.path, Phases())["data"]["rows"] == rows


def test_data_that_has_changed_is_refused(storage, trained, monkeypatch):
    """The accuracy would be that of images that the model was trained on."""
    monkeypatch.setattr(dataset, "find_images", lambda *_args, **_named: [swapped(optdigits())])
    with pytest.raises(DataError, match="has changed since"):
        evaluate_model(storage, EvaluateSettings(trained.result.path), trained.result.path, Phases())


def swapped(found):
    """The same images in another order."""
    return replace(found, images=found.images.rows(np.arange(len(found.images))[::-1]))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b'{\n  "digit_job": "0.1.0",\n  "model": {', True),
        (b'{\n  "digit_job": "0.1.0",\n  "a": {', False),
        (b"label,pixel0", False),
    ],
)
def test_an_evaluation_is_known_by_its_beginning(start, expected):
    """A comparison is another document."""
    assert is_evaluation(start) is expected
