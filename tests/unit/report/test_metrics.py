import json

import numpy as np
import pytest

from job.contract import Reason, Reject, ScoredBatch
from job.report.metrics import (
    ConfusedPair,
    accuracy,
    calibration,
    confused_pairs,
    figures,
    macro_f1,
    per_class,
    wilson_interval,
)
from job.report.tally import Tally

KEYS = {
    "rows", "rejected_by_reason", "labelled", "correct", "accuracy", "accuracy_95", "classes", "confusion_matrix",
    "per_class", "macro_f1", "log_loss", "top2_accuracy", "calibration", "confidence_histogram", "predicted_counts",
    "mean_confidence",
}  # fmt: skip
NEED_LABELS = [
    "correct", "accuracy", "accuracy_95", "confusion_matrix", "per_class", "macro_f1", "log_loss", "top2_accuracy",
    "calibration", "averages",
]  # fmt: skip


def _scored(rows=2000, seed=0, *, digits=range(10), has_labels=True):
    """Rows as a network of moderate accuracy would score them; labels only from `digits`."""
    random = np.random.default_rng(seed)
    labels = random.choice(list(digits), rows)
    logits = random.normal(0, 1, (rows, 10)) + 2.5 * np.eye(10)[labels]
    shares = np.exp(logits)
    probabilities = np.round(shares / shares.sum(axis=1, keepdims=True), 6).astype(np.float32)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    return ScoredBatch(predictions, probabilities, labels.astype(np.int8) if has_labels else None, ())


@pytest.fixture(params=[range(10), [1, 7], [4]], ids=["all digits", "two digits", "one digit"])
def batch(request):
    return _scored(digits=request.param)


@pytest.fixture
def found(batch):
    return figures(Tally.of(batch))


def test_accuracy_is_scikit_learns(batch, found):
    """The share of correct predictions, and their number."""
    from sklearn.metrics import accuracy_score

    assert found["accuracy"] == accuracy_score(batch.labels, batch.predictions)
    assert found["correct"] == accuracy_score(batch.labels, batch.predictions, normalize=False)


def test_confusion_matrix_is_scikit_learns(batch, found):
    """True digits in rows, predictions in columns, all ten of each."""
    from sklearn.metrics import confusion_matrix

    expected = confusion_matrix(batch.labels, batch.predictions, labels=list(range(10)))
    assert found["confusion_matrix"] == expected.tolist()


def test_per_class_figures_are_scikit_learns(batch, found):
    """Precision, recall, F1 and support of each digit, 0 where undefined."""
    from sklearn.metrics import classification_report

    expected = classification_report(
        batch.labels, batch.predictions, labels=list(range(10)), output_dict=True, zero_division=0
    )
    for digit, row in found["per_class"].items():
        assert row["support"] == expected[digit]["support"]
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert row[ours] == pytest.approx(expected[digit][theirs], abs=1e-12)


def test_averages_are_scikit_learns(batch, found):
    """The means over the digits that occur, unweighted and by support."""
    from sklearn.metrics import classification_report

    expected = classification_report(batch.labels, batch.predictions, output_dict=True, zero_division=0)
    for name in ("macro", "weighted"):
        assert list(found["averages"][name]) == ["precision", "recall", "f1", "support"]
        found_row, expected_row = found["averages"][name].values(), expected[f"{name} avg"].values()
        assert list(found_row) == pytest.approx(list(expected_row), abs=1e-12)


def test_macro_f1_is_scikit_learns(batch, found):
    """The mean F1 of the digits that occur."""
    from sklearn.metrics import f1_score

    expected = f1_score(batch.labels, batch.predictions, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected, abs=1e-12)


def test_log_loss_is_scikit_learns(batch, found):
    """The mean of -ln of the label's probability, to a millionth."""
    from sklearn.metrics import log_loss

    exact = batch.probabilities.astype(np.float64)
    expected = log_loss(batch.labels, exact / exact.sum(axis=1, keepdims=True), labels=list(range(10)))
    assert found["log_loss"] == pytest.approx(expected, abs=1e-5)


def test_top_2_accuracy_is_scikit_learns(batch, found):
    """The share of labels among the two most probable digits."""
    from sklearn.metrics import top_k_accuracy_score

    expected = top_k_accuracy_score(batch.labels, batch.probabilities, k=2, labels=list(range(10)))
    assert found["top2_accuracy"] == pytest.approx(expected, abs=1e-12)


def test_ties_of_top_2_are_broken_like_scikit_learns():
    """Of equally probable digits the higher come first; most rounded probabilities are 0 and equal."""
    from sklearn.metrics import top_k_accuracy_score

    random = np.random.default_rng(0)
    probabilities = np.round(random.dirichlet(np.full(10, 0.5), 3000).astype(np.float32), 1)
    probabilities[:100] = np.eye(10)[random.integers(0, 10, 100)]
    labels = random.integers(0, 10, 3000).astype(np.int8)
    tally = Tally.of(ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, labels, ()))
    expected = top_k_accuracy_score(labels, probabilities, k=2, labels=list(range(10)), normalize=False)
    assert tally.top2_correct == expected


def test_calibration_is_the_papers(batch):
    """The error is the mean gap between confidence and accuracy, weighted by each bin's rows (Guo et al.)."""
    result = calibration(Tally.of(batch))
    confidences = batch.confidences.astype(np.float64)
    is_right = batch.labels == batch.predictions
    bins = np.minimum((np.round(confidences, 6) * 20 + 1e-9).astype(int), 19)
    expected = 0
    for index in range(20):
        inside = bins == index
        row = result["bins"][index]
        assert (row["from"], row["to"], row["count"]) == (index / 20, (index + 1) / 20, inside.sum())
        if not inside.any():
            assert (row["confidence"], row["accuracy"]) == (None, None)
            continue
        assert row["confidence"] == pytest.approx(confidences[inside].mean(), abs=1e-6)
        assert row["accuracy"] == pytest.approx(is_right[inside].mean(), abs=1e-12)
        expected += inside.mean() * abs(confidences[inside].mean() - is_right[inside].mean())
    assert result["ece"] == pytest.approx(expected, abs=1e-6)


def test_mean_confidence(batch, found):
    """Also where there are no labels."""
    assert found["mean_confidence"] == pytest.approx(batch.confidences.astype(float).mean(), abs=1e-6)


def test_wilson_interval():
    """As in published tables; never outside 0 to 1."""
    for successes, trials, interval in (
        (0, 10, [0.0, 0.2775]),
        (10, 10, [0.7225, 1.0]),
        (50, 100, [0.4038, 0.5962]),
        (9930, 10_000, [0.9912, 0.9945]),
        (1, 1, [0.2065, 1.0]),
    ):
        assert wilson_interval(successes, trials) == pytest.approx(interval, abs=5e-5)


def test_wilson_interval_is_scipys():
    """For every proportion of a small sample."""
    from scipy.stats import binomtest

    for trials in (1, 2, 17, 100):
        for successes in range(trials + 1):
            expected = binomtest(successes, trials).proportion_ci(method="wilson")
            assert wilson_interval(successes, trials) == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_confused_pairs_are_sorted_by_count_then_digits():
    """Correct predictions do not count, pairs that do not occur are left out, and the matrix may be a list."""
    confusion = np.zeros((10, 10), np.int64)
    confusion[4, 9], confusion[9, 4], confusion[4, 8], confusion[3, 3] = 12, 30, 12, 99
    pairs = [ConfusedPair(9, 4, 30), ConfusedPair(4, 8, 12), ConfusedPair(4, 9, 12)]
    assert confused_pairs(confusion) == confused_pairs(confusion.tolist()) == pairs
    assert confused_pairs(confusion, limit=1) == pairs[:1]
    assert len(confused_pairs(np.ones((10, 10), np.int64))) == 5


def test_figures_have_all_keys(found):
    """Whatever the data, and as JSON without NaN."""
    assert set(found) >= KEYS
    json.dumps(found, allow_nan=False)


def test_figures_that_need_labels_are_none_without():
    """Without labels, or without rows, a figure that needs them is None rather than 0."""
    for batch in (_scored(50, has_labels=False), _scored(0)):
        found = figures(Tally.of(batch))
        assert [found[key] for key in NEED_LABELS] == [None] * len(NEED_LABELS)


def test_no_rows_at_all():
    """All counts are 0 and all ratios None."""
    found = figures(Tally.zero())
    assert found["rows"] == {"read": 0, "scored": 0, "rejected": 0, "skipped": 0}
    assert found["mean_confidence"] is None
    assert found["predicted_counts"] == [0] * 10
    assert (accuracy(Tally.zero()), macro_f1(Tally.zero())) == (None, None)
    assert set(per_class(Tally.zero())) == set(map(str, range(10)))
    json.dumps(found, allow_nan=False)


def test_rejects_by_reason():
    """Rejected records are counted by reason; bad labels, whose records are scored, and skipped lines separately."""
    reasons = [Reason.NOT_A_NUMBER, Reason.BAD_LABEL, Reason.NOT_A_NUMBER, Reason.REPEATED_HEADER]
    rejects = tuple(Reject(row, reason, "") for row, reason in enumerate(reasons))
    predictions, labels = np.array([-1, 3, -1, -1], np.int8), np.full(4, -1, np.int8)
    probabilities = np.zeros((4, 10), np.float32)
    probabilities[1, 3] = 1
    found = figures(Tally.of(ScoredBatch(predictions, probabilities, labels, rejects)))
    assert found["rows"] == {"read": 4, "scored": 1, "rejected": 2, "skipped": 1}
    assert found["skipped_by_reason"] == {"repeated_header": 1}
    assert found["rejected_by_reason"] == {"not_a_number": 2}
    assert found["bad_labels"] == 1
    assert found["accuracy"] is None
