import json

import numpy as np
import pytest
from support.files import make_digits

from job.errors import ModelInvalid
from job.model.bundle import open_bundle, predictor_of
from job.train.judge.gate import Gate


def probabilities(digits):
    """Float32 (n, 10) that name these digits."""
    return np.eye(10, dtype=np.float32)[digits]


@pytest.fixture
def labelled(model, storage):
    """A hundred images, what the model in the shared folder says of them, and labels of which it has 80 right."""
    pixels = make_digits(100).pixels
    bundle = open_bundle(storage, str(model))
    said = predictor_of(bundle).predict(pixels).argmax(axis=1).astype(np.int8)
    labels = np.where(np.arange(100) < 80, said, (said + 1) % 10).astype(np.int8)
    return pixels, labels


@pytest.mark.parametrize(("right", "is_blessed"), [(98, False), (99, True), (100, True)])
def test_an_accuracy_below_the_one_asked_for_is_a_shortfall(storage, right, is_blessed):
    """Just as much as was asked is enough."""
    labels = np.zeros(100, np.int8)
    said = probabilities(np.where(np.arange(100) < right, 0, 1))
    verdict = Gate(storage, 0.99, None).judge(said, np.zeros((100, 784), np.uint8), labels)
    assert verdict.is_blessed is is_blessed
    assert verdict.to_json()["verdict"] == ("blessed" if is_blessed else "not_blessed")
    assert verdict.shortfalls == (() if is_blessed else ("its accuracy is 98.00 %, below the 99 % asked for",))


def test_a_significantly_worse_model_falls_short(storage, model, labelled):
    """The reason says on how many images each was right alone."""
    pixels, labels = labelled
    said = probabilities(np.where(np.arange(100) < 70, labels, (labels + 2) % 10))
    verdict = Gate(storage, None, str(model)).judge(said, pixels, labels)
    assert not verdict.is_blessed
    assert verdict.shortfalls[0].startswith(f"it is significantly worse than {model}: of the images on which they")
    assert verdict.shortfalls[0].endswith("the other is right on 10 and this one on 0 (p = 0.00098)")
    assert verdict.to_json()["compared_to"]["accuracy"] == 0.8


@pytest.mark.parametrize("right", [77, 80, 100])
def test_a_model_that_is_not_significantly_worse_passes(storage, model, labelled, right):
    """A difference of chance, none, and a better model."""
    pixels, labels = labelled
    said = probabilities(np.where(np.arange(100) < right, labels, (labels + 2) % 10))
    assert Gate(storage, None, str(model)).judge(said, pixels, labels).is_blessed


def test_a_model_to_compare_with_is_opened_before_any_work(storage, tmp_path):
    """A folder that is no model is told at once, not after the training."""
    with pytest.raises(ModelInvalid, match="is not a model folder"):
        Gate(storage, None, str(tmp_path))


def test_where_nothing_is_asked_nothing_is_refused(storage, labelled):
    """Without a gate the card says so, instead of a blessing."""
    pixels, labels = labelled
    verdict = Gate(storage, None, None).judge(probabilities((labels + 1) % 10), pixels, labels)
    assert verdict.is_blessed
    assert json.loads(json.dumps(verdict.to_json()))["verdict"] == "not_gated"
