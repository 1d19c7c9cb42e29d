import numpy as np
import pytest

from job.report.label_census import LabelCensus
from job.report.label_convention import InputLabels, label_doubt, withheld

PERMUTED = (3, 5, 1, 9, 0, 2, 8, 4, 7, 6)


def _doubt(truth, predicted, label_of):
    """The doubt about rows whose labels are written as `label_of` says."""
    confusion, texts = np.zeros((10, 10), np.int64), {}
    for digit, prediction in zip(truth.tolist(), predicted.tolist(), strict=True):
        label = str(label_of(digit))
        own = confusion[int(label)] if label in map(str, range(10)) else texts.setdefault(label, np.zeros(10, np.int64))
        own[prediction] += 1
    return label_doubt(confusion, LabelCensus(None, texts))


def _predictions(accuracy, rows=200, seed=0):
    """Digits, and predictions of a model with this accuracy; half of its mistakes are the same for each digit."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 10, rows)
    usual = np.array([8, 7, 8, 8, 4, 3, 5, 1, 3, 4])[truth]
    wrong = np.where(random.random(rows) < 0.5, usual, random.integers(0, 10, rows))
    return truth, np.where(random.random(rows) < accuracy, truth, wrong)


@pytest.mark.parametrize("rows", [20, 200, 5000])
@pytest.mark.parametrize(
    ("label_of", "words"),
    [
        (lambda digit: digit + 1, "counted from 1"),
        (lambda digit: digit - 1, "counted from -1"),
        (lambda digit: 9 - digit, "counted backwards from 9"),
    ],
)
def test_a_known_convention_is_recognised(label_of, words, rows):
    """From a few rows on."""
    assert words in _doubt(*_predictions(0.97, rows), label_of)


def test_counting_from_1_is_seen_without_nines():
    """So that no label is unreadable."""
    truth, predicted = _predictions(0.97)
    assert "counted from 1" in _doubt(truth[truth < 9], predicted[truth < 9], lambda digit: digit + 1)


def test_ten_for_zero_is_recognised():
    """Nine in ten labels agree as they stand, but there is none of 0."""
    doubt = _doubt(*_predictions(0.97), lambda digit: digit or 10)
    assert doubt.startswith("like ten for zero: no label is 0, and ")


def test_some_unreadable_labels_among_zeros_are_no_convention():
    """Where 0 is written as 0, a 10 is a mistake."""
    truth, predicted = _predictions(0.97, 1000)
    labels = iter(np.where((truth == 0) & (np.arange(1000) % 20 == 0), 10, truth).tolist())
    assert _doubt(truth, predicted, lambda _: next(labels)) is None


def test_other_words_are_recognised_by_their_predictions():
    """Those of another language, say."""
    words = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    assert "'eins' for 1" in _doubt(*_predictions(0.97), lambda digit: words[digit])


def test_a_permutation_is_recognised():
    """Whatever it is."""
    assert "a permutation of the digits" in _doubt(*_predictions(0.97), lambda digit: PERMUTED[digit])


@pytest.mark.parametrize("accuracy", [0.0, 0.1, 0.2, 0.37, 0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("rows", [20, 200, 5000])
def test_a_poor_model_or_foreign_images_raise_no_doubt(accuracy, rows):
    """It agrees with no other convention either; nor with random labels."""
    for seed in range(10):
        truth, predicted = _predictions(accuracy, rows, seed)
        assert _doubt(truth, predicted, lambda digit: digit) is None
        shuffled = np.random.default_rng(seed).permutation(truth)
        assert _doubt(shuffled, predicted, lambda digit: digit) is None


def test_a_few_rows_say_nothing():
    """Nor does a file of one digit, which a model may misread as a whole."""
    truth = np.arange(9)
    assert _doubt(truth, truth, lambda digit: digit + 1) is None
    ones = np.ones(500, int)
    assert _doubt(ones, ones * 7, lambda digit: digit) is None


def test_unreadable_labels_that_follow_no_digit_raise_no_doubt():
    """They are unreadable, and that is said elsewhere."""
    assert _doubt(*_predictions(0.97), lambda _: "cat") is None


FLAG = "; say what they mean with --label-map FILE"


def _withheld(doubts, total, agreed=()):
    """What `withheld` says about inputs a, b, c, ... with these doubts; agreed: those whose labels are right."""
    return withheld([InputLabels(name, doubt, name in agreed) for name, doubt in doubts.items()], total)


def test_labels_in_doubt_are_named():
    """Those of an input by its name, unless all are."""
    assert _withheld({"a": None, "b": None}, None) == (None, [False, False])
    assert _withheld({"a": None, "b": "odd"}, None, "a") == (f"labels of b look odd{FLAG}", [False, True])
    assert _withheld({"a": None, "b": "odd", "c": "odd"}, "all odd", "a") == (
        f"labels of b and 1 other input look odd{FLAG}", [False, True, True],
    )  # fmt: skip
    assert _withheld({"a": "odd", "b": "odd"}, None) == (f"labels look odd{FLAG}", [True, True])


def test_a_doubt_about_all_labels_explains_those_about_single_inputs():
    """Files may be sorted by label, where each by itself says little, or something else."""
    assert _withheld({"a": None, "b": None}, "all odd") == (f"labels look all odd{FLAG}", [True, True])
    assert _withheld({"a": None, "b": "like ten for nine"}, "all odd") == (f"labels look all odd{FLAG}", [True, True])
