import json

import numpy as np
import pytest
from support.files import make_digits

from job.errors import ModelInvalid
from job.model.bundle import open_bundle, predictor_of
from job.train.judge.gate import Gate


def _probabilities(digits):
    """Float32 (n, 10) that predict these digits."""
    return np.eye(10, dtype=np.float32)[digits]


@pytest.fixture
def labelled(model, storage):
    """A hundred images, and labels of which the model in the shared folder predicts 80 correctly."""
    pixels = make_digits(100).pixels
    bundle = open_bundle(storage, str(model))
    predictions = predictor_of(bundle).predict(pixels).argmax(axis=1).astype(np.int8)
    labels = np.where(np.arange(100) < 80, predictions, (predictions + 1) % 10).astype(np.int8)
    return pixels, labels


@pytest.mark.parametrize(("right", "is_blessed"), [(98, False), (99, True), (100, True)])
def test_an_accuracy_below_the_required_one_is_a_shortfall(storage, right, is_blessed):
    """Exactly the required one is enough."""
    labels = np.zeros(100, np.int8)
    answers = _probabilities(np.where(np.arange(100) < right, 0, 1))
    verdict = Gate(storage, 0.99, None).judge(answers, np.zeros((100, 784), np.uint8), labels)
    assert verdict.is_blessed is is_blessed
    assert verdict.to_json()["verdict"] == ("blessed" if is_blessed else "not_blessed")
    assert verdict.shortfalls == (() if is_blessed else ("its accuracy is 98.00 %, below the required 99 %",))


def test_a_significantly_worse_model_fails(storage, model, labelled):
    """The reason says how many images each model alone classifies correctly."""
    pixels, labels = labelled
    answers = _probabilities(np.where(np.arange(100) < 70, labels, (labels + 2) % 10))
    verdict = Gate(storage, None, str(model)).judge(answers, pixels, labels)
    assert not verdict.is_blessed
    assert verdict.shortfalls[0].startswith(
        f"it is significantly worse than {model}: 10 images are classified correctly"
    )
    assert verdict.shortfalls[0].endswith("by the other model alone, 0 by this one alone (p = 0.00098)")
    assert verdict.to_json()["compared_to"]["accuracy"] == 0.8


@pytest.mark.parametrize("right", [77, 80, 100])
def test_a_model_that_is_not_significantly_worse_passes(storage, model, labelled, right):
    """With a difference by chance, with none, and with a higher accuracy."""
    pixels, labels = labelled
    answers = _probabilities(np.where(np.arange(100) < right, labels, (labels + 2) % 10))
    assert Gate(storage, None, str(model)).judge(answers, pixels, labels).is_blessed


def test_a_model_to_compare_with_is_opened_before_any_work(storage, tmp_path):
    """A folder that is not a model is refused at once, not after training."""
    with pytest.raises(ModelInvalid, match="is an empty folder"):
        Gate(storage, None, str(tmp_path))


def test_without_requirements_every_model_passes(storage, labelled):
    """As not gated instead of blessed."""
    pixels, labels = labelled
    verdict = Gate(storage, None, None).judge(_probabilities((labels + 1) % 10), pixels, labels)
    assert verdict.is_blessed
    assert json.loads(json.dumps(verdict.to_json()))["verdict"] == "not_gated"
