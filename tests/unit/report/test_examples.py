"""Selecting rows to show. How selections add up is in tests/property/test_examples_add_up.py."""

import numpy as np

from job.report.examples import MAX_OF_PAIR, least_sure, mistakes_of, surest_mistakes
from job.report.metrics import ConfusedPair


def test_surest_mistakes_are_sorted_by_confidence_and_row():
    """Rows without a label and correct rows are left out; of equal confidences the first row comes first."""
    labels = np.array([3, -1, 3, 5, 7, 2], np.int8)
    predictions = np.array([3, 8, 8, 8, 1, 7], np.int8)
    confidences = np.array([0.9, 0.99, 0.5, 0.7, 0.7, 0.2])
    assert surest_mistakes(labels, predictions, confidences).tolist() == [3, 4, 2, 5]
    assert surest_mistakes(labels[:2], predictions[:2], confidences[:2]).tolist() == []


def test_mistakes_of_a_pair_are_its_first_four():
    """In the order of the mistakes that were passed in."""
    labels, predictions = np.full(7, 4, np.int8), np.array([9, 9, 7, 9, 9, 9, 9], np.int8)
    rows = mistakes_of(ConfusedPair(4, 9, 6), np.arange(7)[::-1], labels, predictions)
    assert rows.tolist() == [6, 5, 4, 3]
    assert len(rows) == MAX_OF_PAIR


def test_least_sure_rows_are_those_of_a_stable_sort():
    """Whether there are more rows than the limit or fewer, and whichever confidences are equal."""
    random = np.random.default_rng(0)
    for rows in (0, 1, 39, 40, 41, 1000):
        confidences = np.round(random.random(rows), 1)
        for limit in (24, 40):
            expected = np.argsort(confidences, kind="stable")[:limit]
            assert least_sure(confidences, limit).tolist() == expected.tolist()
