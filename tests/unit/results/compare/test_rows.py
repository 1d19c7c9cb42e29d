import numpy as np
import pytest

from job.results.compare.rows import ChangedRows, Pair, side_by_side
from job.results.predicted import Predicted


def batch(digits, confidences=None):
    """Predictions without labels."""
    digits = np.array(digits, np.int8)
    confidences = np.zeros(len(digits)) if confidences is None else confidences
    return Predicted(digits, np.array(confidences, np.float32), np.full(len(digits), -1, np.int8))


def stream(*batches):
    return iter([batch(each) for each in batches])


def aligned(a, b):
    return [(first.predictions.tolist(), second.predictions.tolist()) for first, second in side_by_side(a, b)]


def test_streams_with_different_batches_are_aligned():
    """Pairs have equal lengths, whatever the batches; empty ones are skipped."""
    pairs = aligned(stream([0, 1, 2], [], [3]), stream([5], [6, 7, 8]))
    assert pairs == [([0], [5]), ([1, 2], [6, 7]), ([3], [8])]


@pytest.mark.parametrize(("a", "b"), [([[0], [1]], [[0]]), ([[0, 1]], [[0]])])
def test_the_rest_of_a_longer_stream_comes_last(a, b):
    """Beside no rows of the other."""
    assert aligned(stream(*a), stream(*b))[-1] == ([1], [])
    assert aligned(stream(*b), stream(*a))[-1] == ([], [1])


def test_empty_streams_have_no_pairs():
    """With or without empty batches."""
    assert aligned(stream([]), stream()) == []


def selected(most, order):
    """The changed rows of two batches of an input, as (row, digit of A)."""
    changed, labels = ChangedRows(most, order), np.full(3, -1, np.int8)
    changed.add(0, 0, Pair(batch([0, 1, 2], [0.5, 0.9, 0.8]), batch([0, 5, 5], [0.5, 0.6, 0.7]), labels))
    changed.add(0, 3, Pair(batch([3, -1, 4], [0.9, 0, 0.9]), batch([5, 5, 5], [0.7, 0.9, 0.9]), labels))
    return [(each["row"], each["prediction_a"]) for each in changed.documents(["a.csv"])]


def test_the_first_changed_rows_are_selected():
    """Rejected rows are not changed ones."""
    assert selected(10, "first") == [(1, 1), (2, 2), (3, 3), (5, 4)]
    assert selected(2, "first") == [(1, 1), (2, 2)]
    assert selected(0, "first") == []


def test_the_surest_changed_rows_are_selected():
    """By the lower confidence of the two; ties keep their order."""
    assert selected(10, "surest") == [(5, 4), (2, 2), (3, 3), (1, 1)]
    assert selected(2, "surest") == [(5, 4), (2, 2)]
