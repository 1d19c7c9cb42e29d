import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.judge.parity import QUANTIZED, check_parity


@pytest.fixture
def answers():
    """Probabilities for fifty images."""
    random = np.random.default_rng(0).random((50, 10), np.float32)
    return random / random.sum(axis=1, keepdims=True)


def test_equal_answers_pass(answers):
    """The result says what was compared."""
    parity = check_parity(answers, answers.copy(), "model.onnx")
    assert parity.to_json() == {"rows": 50, "same_digits": 50, "max_difference": 0.0}


def test_rounding_is_allowed(answers):
    """Up to 1e-5."""
    assert 0 < check_parity(answers, answers + np.float32(5e-6), "model.onnx").max_difference <= 1e-5


def test_a_larger_difference_is_not(answers):
    """Even if the predictions agree."""
    with pytest.raises(ModelInvalid, match=r"for 50 of 50 images, with probabilities off by up to 0\.001"):
        check_parity(answers, answers + np.float32(1e-3), "model.onnx")


def test_another_prediction_is_not():
    """However similar the probabilities are."""
    near = np.full((2, 10), 0.1, np.float32)
    near[0, 1] += 1e-6
    other = near.copy()
    other[0, 2] += 2e-6
    with pytest.raises(ModelInvalid, match=r"the same digit as model\.keras for 1 of 2 images"):
        check_parity(near, other, "model.onnx")


def test_nan_is_not(answers):
    """It compares as neither near nor far."""
    with pytest.raises(ModelInvalid):
        check_parity(answers, np.where(answers > 0.15, np.nan, answers), "model.onnx")


@pytest.mark.parametrize(("others", "is_enough"), [(0, True), (2, True), (3, False), (200, False)])
def test_integers_may_differ_in_one_prediction_of_a_hundred(others, is_enough):
    """And by any amount in the other probabilities."""
    digits = np.arange(200) % 10
    floats = np.eye(10, dtype=np.float32)[digits]
    whole = np.eye(10, dtype=np.float32)[np.where(np.arange(200) < others, (digits + 1) % 10, digits)] / 2
    if is_enough:
        assert check_parity(floats, whole, "model.int8.tflite", QUANTIZED).same_digits == 200 - others
        return
    with pytest.raises(
        ModelInvalid, match=rf"for {200 - others} of 200 images.*expected at least 99 % of the images and at most 1"
    ):
        check_parity(floats, whole, "model.int8.tflite", QUANTIZED)
