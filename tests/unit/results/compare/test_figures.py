import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from job.report.metrics import wilson_interval
from job.results.compare.figures import comparison
from job.results.compare.pair_tally import PairTally

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 10, 500).astype(np.int8)
A = np.where(RANDOM.random(500) < 0.9, TRUTH, RANDOM.integers(0, 10, 500)).astype(np.int8)
B = np.where(RANDOM.random(500) < 0.8, TRUTH, RANDOM.integers(0, 10, 500)).astype(np.int8)


def compared(a, b, labels=None):
    """The figures of two lists of predictions and one of labels, -1 where there is none."""
    labels = [-1] * len(a) if labels is None else labels
    return comparison(PairTally.of(*(np.array(each, np.int8) for each in (a, b, labels))))


def test_figures_are_scikit_learns():
    """Agreement, accuracies and the counts of changed digits."""
    found = compared(A, B, TRUTH)
    assert found["agreement"] == accuracy_score(A, B)
    assert found["accuracy"] == {"a": accuracy_score(TRUTH, A), "b": accuracy_score(TRUTH, B)}
    changes = confusion_matrix(A, B, labels=range(10))
    np.fill_diagonal(changes, 0)
    assert {(each["from"], each["to"]): each["count"] for each in found["changes"]} == {
        (a, b): changes[a, b] for a, b in zip(*changes.nonzero(), strict=True)
    }
    assert found["rows"]["changed"] == changes.sum() == (A != B).sum()
    assert found["accuracy_95"]["a"] == wilson_interval(int((A == TRUTH).sum()), 500)


def test_figures_of_a_small_case_by_hand():
    """Of ten rows, A classifies six correctly and B eight; four only B, two only A."""
    truth = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    found = compared([0, 1, 2, 3, 4, 5, 0, 0, 0, 0], [0, 1, 2, 3, 0, 0, 6, 7, 8, 9], truth)
    assert found["right"] == {"both": 4, "only_a": 2, "only_b": 4, "neither": 0}
    assert found["accuracy"] == {"a": 0.6, "b": 0.8}
    assert found["difference"] == pytest.approx(0.2)
    # Bonett and Price: (4 + 1) / 12 - (2 + 1) / 12, and the standard error of that.
    centre, error = 2 / 12, math.sqrt((8 / 12 - (2 / 12) ** 2) / 12)
    assert found["difference_95"] == pytest.approx([centre - 1.959964 * error, centre + 1.959964 * error])
    # Of six rows two or fewer, or four or more: 2 * (1 + 6 + 15) / 64.
    assert found["mcnemar"] == {"only_a": 2, "only_b": 4, "method": "exact", "statistic": None, "p_value": 44 / 64}
    assert found["verdict"]["outcome"] == "no_difference"
    assert "of the 6 rows that only one of them classifies correctly, A has 2 and B 4" in found["verdict"]["text"]
    assert found["changes"][0] == {"from": 0, "to": 6, "count": 1}


def test_changes_are_listed_most_frequent_first_then_by_digit():
    """From A's digit to B's."""
    found = compared([4, 4, 4, 9, 1, 1, 7], [9, 9, 9, 4, 7, 7, 7])
    assert [tuple(each.values()) for each in found["changes"]] == [(4, 9, 3), (1, 7, 2), (9, 4, 1)]


def test_rows_that_one_run_rejected_are_counted_but_not_compared():
    """Both accuracies are on the same rows."""
    found = compared([1, -1, 1, -1, 2], [1, 1, -1, -1, 2], [1, 2, 1, 1, 3])
    assert found["rows"] == {
        "read": 5, "compared": 2, "same": 2, "changed": 0,
        "rejected_by_both": 1, "rejected_by_a": 1, "rejected_by_b": 1,
    }  # fmt: skip
    assert found["labelled"] == 2
    assert found["accuracy"] == {"a": 0.5, "b": 0.5}
    assert found["verdict"] == {"outcome": "same", "text": "A and B agree on all 2 rows scored by both"}


@pytest.mark.parametrize(
    ("a", "b", "labels", "outcome", "text"),
    [
        ([], [], [], "no_rows", "nothing to compare"),
        ([-1], [3], [3], "no_rows", "nothing to compare"),
        ([1, 2], [1, 2], [3, 3], "same", "A and B agree on all 2 rows"),
        ([1, 2], [1, 3], [-1, -1], "no_labels", "differ on 1 of 2 rows; without labels, neither is known to be better"),
        ([1, 2], [1, 3], [1, 4], "no_difference", "no labelled row is classified correctly by only one of them"),
        ([1] * 5, [2] * 5, [1] * 5, "no_difference", "A has 5 and B 0 (McNemar's test, p = 0.062)"),
        (
            [1] * 6,
            [2] * 6,
            [1] * 6,
            "a_better",
            "A is better: of the 6 rows that only one of them classifies",
        ),
        ([2] * 6, [1] * 6, [1] * 6, "b_better", "B is better: "),
    ],
)
def test_the_verdict_and_its_text(a, b, labels, outcome, text):
    """A run is better only if labels show it with p < 0.05."""
    verdict = compared(a, b, labels)["verdict"]
    assert verdict["outcome"] == outcome
    assert text in verdict["text"]


@pytest.mark.parametrize("figure", ["accuracy_95", "accuracy"])
def test_figures_that_need_labels_are_none_without_them(figure):
    """Accuracies, intervals and the test."""
    found = compared([1, 2], [1, 3])
    assert found[figure] == {"a": None, "b": None}
    assert all(found[name] is None for name in ("right", "difference", "difference_95", "mcnemar"))
    assert found["agreement"] == 0.5
