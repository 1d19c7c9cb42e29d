import numpy as np
import pytest

from job.errors import ModelInvalid
from job.train.judge.parity import QUANTIZED, check_parity


@pytest.fixture
def said():
    random = np.random.default_rng(0).random((50, 10), np.float32)
    return random / random.sum(axis=1, keepdims=True)


def test_equal_answers_are_at_par(said):
    """With what was compared."""
    parity = check_parity(said, said.copy(), "model.onnx")
    assert parity.to_json() == {"rows": 50, "same_digits": 50, "max_difference": 0.0}


def test_rounding_is_allowed(said):
    """Up to 1e-5."""
    assert 0 < check_parity(said, said + np.float32(5e-6), "model.onnx").max_difference <= 1e-5


def test_a_larger_difference_is_not(said):
    """Even where the digits agree."""
    with pytest.raises(ModelInvalid, match=r"for 50 of 50 images, with probabilities off by up to 0\.001"):
        check_parity(said, said + np.float32(1e-3), "model.onnx")


def test_one_other_digit_is_not():
    """However close the probabilities are."""
    near = np.full((2, 10), 0.1, np.float32)
    near[0, 1] += 1e-6
    other = near.copy()
    other[0, 2] += 2e-6
    with pytest.raises(ModelInvalid, match=r"the same digit as model\.keras for 1 of 2 images"):
        check_parity(near, other, "model.onnx")


def test_nan_is_not(said):
    """Not a number is never near enough."""
    with pytest.raises(ModelInvalid):
        check_parity(said, np.where(said > 0.15, np.nan, said), "model.onnx")


@pytest.mark.parametrize(("others", "is_enough"), [(0, True), (2, True), (3, False), (200, False)])
def test_whole_numbers_may_name_one_digit_in_a_hundred_otherwise(others, is_enough):
    """And be as far off as they like in the probabilities of the rest."""
    digits = np.arange(200) % 10
    floats = np.eye(10, dtype=np.float32)[digits]
    whole = np.eye(10, dtype=np.float32)[np.where(np.arange(200) < others, (digits + 1) % 10, digits)] / 2
    if is_enough:
        assert check_parity(floats, whole, "model.int8.tflite", QUANTIZED).same_digits == 200 - others
        return
    with pytest.raises(ModelInvalid, match=rf"for {200 - others} of 200 images.*expected 99 % of them, and 1 at most"):
        check_parity(floats, whole, "model.int8.tflite", QUANTIZED)
