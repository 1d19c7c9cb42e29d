from contextlib import contextmanager

import numpy as np
import pytest
from support.models import IntegerPredictor
from support.networks import answers, trained_layers

from job.normalize.reference_digits import reference_digits
from job.train.data.split import Split
from job.train.judge.corruptions.catalog import CORRUPTIONS, corrupted
from job.train.judge.robustness import RobustnessPlan, drawn, robustness

PLAN = RobustnessPlan(seed=2, max_corrupted=40, trained_on="mnist")


@pytest.fixture
def images():
    """Sixty digits of two writers, one of them unknown for the last."""
    digits = reference_digits()
    rows = np.arange(0, 480, 8)
    groups = np.array(["one", "two"] * 30)
    groups[-1] = ""
    return Split(digits.pixels[rows], digits.labels[rows], groups)


def _measured(images, plan=PLAN, **named):
    predict = IntegerPredictor().predict
    return robustness(predict, images, predict(images.pixels), plan, **named)


def test_each_corruption_is_judged_on_the_same_images(images):
    """Those that the seed draws; the same figures again."""
    found, rows, predict = _measured(images), drawn(60, 40, 2), IntegerPredictor().predict
    assert list(found["corruptions"]) == list(CORRUPTIONS)
    assert {each["rows"] for each in found["corruptions"].values()} == {found["clean"]["rows"]} == {40}
    found_answers = predict(corrupted(images.pixels[rows], "zigzag", 2))
    zigzag = found["corruptions"]["zigzag"]
    assert zigzag["accuracy"] == (found_answers.argmax(axis=1) == images.labels[rows]).mean() == zigzag["correct"] / 40
    assert zigzag["confidence"] == pytest.approx(found_answers.max(axis=1).mean())
    assert found == _measured(images)


def test_the_mean_error_is_relative_to_the_images_as_they_are(images):
    """Over all corruptions, each with the same weight."""
    found = _measured(images)
    errors = [1 - each["accuracy"] for each in found["corruptions"].values()]
    assert found["mean_error"] == pytest.approx(sum(errors) / 15)
    assert found["relative_error"] == pytest.approx(found["mean_error"] / (1 - found["clean"]["accuracy"]))


def test_images_are_also_judged_as_score_takes_them():
    """Moved digits are brought back to the middle, unless the network was trained on images in another form."""
    digits, layers = reference_digits(), trained_layers()
    images = Split(digits.pixels[::4], digits.labels[::4])

    def predict(pixels):
        return answers(layers, pixels / 255).astype(np.float32)

    found = robustness(predict, images, predict(images.pixels), RobustnessPlan(1, 200, "mnist", in_form=1.0))
    moved, clean = found["corruptions"]["translate"], found["clean"]
    assert (moved["form"], clean["form"]) == ("brought to MNIST's form", "as stored")
    assert moved["accuracy"] < 0.2
    assert moved["scored_accuracy"] > 0.9
    assert (clean["scored_accuracy"], clean["scored_confidence"]) == (clean["accuracy"], clean["confidence"])
    assert found["scored_mean_error"] < found["mean_error"]
    other = robustness(predict, images, predict(images.pixels), RobustnessPlan(1, 200, "mnist", in_form=0.2))
    assert {each["form"] for each in other["corruptions"].values()} == {"as stored"}
    assert other["scored_mean_error"] == other["mean_error"]


def test_a_perfect_network_has_no_relative_error(images):
    """Nothing is divided by 0."""
    perfect = np.eye(10, dtype=np.float32)[images.labels]
    found = robustness(lambda pixels: perfect[: len(pixels)], images, perfect, RobustnessPlan(2, 60, "digits"))
    assert (found["mean_error"], found["relative_error"]) == (0, None)


def test_groups_are_of_all_test_images(images):
    """Also of those that are not corrupted."""
    found = _measured(images)["groups"]
    assert (found["name"], found["groups"], found["rows"]) == ("writer", 2, 59)
    assert _measured(Split(images.pixels, images.labels))["groups"] is None


@pytest.mark.parametrize("trained_on", ["digits", "mnist, digits"])
def test_digits_that_it_was_trained_on_say_nothing(images, trained_on):
    """They are left out, and a note says why."""
    found = _measured(images, RobustnessPlan(2, 40, trained_on))
    assert found["optdigits"] is None
    assert any("trained on scikit-learn's digits" in each for each in found["notes"])
    other = _measured(images)
    assert other["optdigits"]["rows"] == 1797
    assert not any("scikit-learn" in each for each in other["notes"])


def test_notes_say_what_limits_the_figures(images):
    """A sample of the test images, and few of them."""
    assert _measured(images)["notes"] == [
        "40 of 60 test images were corrupted, drawn at random",
        "there are only 40 test images, so that all figures are rough",
    ]


def test_a_caller_learns_what_is_going_on(images):
    """The name of each corruption, for as long as it takes."""
    names = []

    @contextmanager
    def during(name):
        yield
        names.append(name)

    _measured(images, during=during)
    assert names == list(CORRUPTIONS)


def test_rows_are_drawn_in_order_and_once():
    """All of them where there are few."""
    assert drawn(5, 5, 1).tolist() == [0, 1, 2, 3, 4]
    rows = drawn(1000, 50, 1)
    assert len(set(rows.tolist())) == 50
    assert rows.tolist() == sorted(rows.tolist())
