import json
import pickle

import numpy as np
import pytest

from job.contract import Reason, Reject, ScoredBatch
from job.report.confidence_bins import DOUBTS, MILLION, RIGHT, TWENTIETHS, UNLABELLED, WRONG, in_twentieths
from job.report.tally import Tally


def _batch(rows, seed=0, *, has_labels=True, rejects=()):
    """Random rows; rejected ones have no prediction, as in the contract."""
    random = np.random.default_rng(seed)
    probabilities = np.round(random.dirichlet(np.full(10, 0.2), rows), 6).astype(np.float32)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    labels = random.integers(-1, 10, rows, dtype=np.int8) if has_labels else None
    for reject in rejects:
        if reject.reason.is_fatal:
            predictions[reject.row], probabilities[reject.row] = -1, 0
    return ScoredBatch(predictions, probabilities, labels, tuple(rejects))


def _one(probabilities, label=None, rejects=()):
    """A batch of one row with some probabilities, by digit."""
    row = np.zeros((1, 10), np.float32)
    for digit, probability in probabilities.items():
        row[0, digit] = probability
    labels = None if label is None else np.array([label], np.int8)
    return ScoredBatch(row.argmax(axis=1).astype(np.int8), row, labels, rejects)


def _slice(batch, start, stop):
    rejects = tuple(each.shifted(-start, 0) for each in batch.rejects if start <= each.row < stop)
    labels = None if batch.labels is None else batch.labels[start:stop]
    return ScoredBatch(batch.predictions[start:stop], batch.probabilities[start:stop], labels, rejects)


REJECTS = (
    Reject(3, Reason.TOO_FEW_FIELDS, ""),
    Reject(50, Reason.BAD_LABEL, ""),
    Reject(51, Reason.TOO_FEW_FIELDS, ""),
    Reject(199, Reason.OUT_OF_RANGE, ""),
)


def test_rows_add_up():
    """Every record is read, and either scored or rejected; a bad label rejects none."""
    tally = Tally.of(_batch(200, rejects=REJECTS))
    assert (tally.read, tally.scored, tally.rejected) == (200, 197, 3)
    assert tally.by_reason == {Reason.TOO_FEW_FIELDS: 2, Reason.OUT_OF_RANGE: 1, Reason.BAD_LABEL: 1}


def test_every_reason_has_its_count():
    """Each reason code is counted on its own."""
    rejects = [Reject(row, reason, "") for row, reason in enumerate(Reason)]
    tally = Tally.of(_batch(len(rejects), rejects=rejects))
    assert tally.by_reason == dict.fromkeys(Reason, 1)
    assert tally.skipped == sum(reason.is_skipped for reason in Reason) == 2
    assert tally.rejected + tally.skipped == sum(reason.is_fatal for reason in Reason)


def test_counts_are_those_of_the_rows():
    """Labels, correct rows, matrix, histogram and predictions are what loops over the rows count."""
    batch = _batch(300, rejects=REJECTS)
    tally = Tally.of(batch)
    scored = [row for row in range(300) if batch.predictions[row] >= 0]
    labelled = [row for row in scored if batch.labels[row] >= 0]
    confusion = np.zeros((10, 10), int)
    for row in labelled:
        confusion[batch.labels[row], batch.predictions[row]] += 1
    second = [np.argsort(-batch.probabilities[row], kind="stable")[:2] for row in labelled]
    assert tally.labelled == len(labelled)
    assert tally.correct == sum(batch.labels[row] == batch.predictions[row] for row in labelled)
    assert tally.top2_correct == sum(batch.labels[row] in best for row, best in zip(labelled, second, strict=True))
    np.testing.assert_array_equal(tally.confusion, confusion)
    np.testing.assert_array_equal(tally.predicted, np.bincount(batch.predictions[scored], minlength=10))
    is_right = {row: batch.labels[row] == batch.predictions[row] for row in labelled}
    expected = np.zeros((len(DOUBTS), 3), int)
    for row in scored:
        doubt = MILLION - round(float(batch.confidences[row]) * MILLION)
        outcome = UNLABELLED if row not in is_right else RIGHT if is_right[row] else WRONG
        expected[next(place for place, highest in enumerate(DOUBTS) if doubt <= highest), outcome] += 1
    np.testing.assert_array_equal(tally.confidence, expected)
    assert tally.confidence_sum == pytest.approx(batch.confidences[scored].astype(float).sum(), abs=1e-4)


def test_labels_of_rejected_rows_do_not_count():
    """A record without a prediction is neither correct nor misclassified."""
    rejected = ScoredBatch(
        np.array([-1], np.int8),
        np.zeros((1, 10), np.float32),
        np.array([3], np.int8),
        (Reject(0, Reason.NOT_A_NUMBER, ""),),
    )
    tally = Tally.of(rejected)
    assert (tally.read, tally.scored, tally.labelled) == (1, 0, 0)
    assert not tally.confusion.any()
    assert not tally.predicted.any()


def test_input_without_labels():
    """Counts that need labels are 0."""
    tally = Tally.of(_batch(50, has_labels=False))
    assert (tally.scored, tally.labelled, tally.correct, tally.log_loss_sum) == (50, 0, 0, 0)
    assert not tally.confidence[:, :UNLABELLED].any()
    assert tally.confidence[:, UNLABELLED].sum() == 50


def _twentieth(confidence):
    return in_twentieths(Tally.of(_one({0: confidence})).confidence.sum(axis=1)).tolist().index(1)


def test_a_twentieth_of_confidence_includes_its_lower_edge():
    """A confidence on an edge belongs to the twentieth above it, one millionth less to the one below; 1 to the last."""
    for index in range(1, TWENTIETHS):
        assert _twentieth(index / TWENTIETHS) == index
        assert _twentieth(index / TWENTIETHS - 1e-6) == index - 1
    assert _twentieth(1) == TWENTIETHS - 1


@pytest.mark.parametrize(
    ("probabilities", "label", "is_top2"),
    [
        ({1: 0.6, 2: 0.4}, 1, True),
        ({1: 0.6, 2: 0.4}, 2, True),
        ({1: 0.5, 2: 0.3, 3: 0.2}, 3, False),
        ({1: 0.5, 2: 0.25, 3: 0.25}, 3, True),
    ],
    ids=["first", "second", "third", "shared second"],
)
def test_top_2(probabilities, label, is_top2):
    """A label counts as among the two most probable digits if fewer than two are more probable."""
    assert Tally.of(_one(probabilities, label)).top2_correct == is_top2


def test_log_loss_of_a_row():
    """The loss is -ln of the label's probability, clipped to float32's resolution."""
    for probability, loss in ((1, 0), (0.5, 0.693147), (0.000001, 13.815511), (0, 15.942385)):
        tally = Tally.of(_one({5: probability, 6: 1 - probability}, 5))
        assert tally.log_loss_sum == pytest.approx(loss, abs=1e-6)


def test_tally_does_not_depend_on_the_batches():
    """The sum over batches is the tally of all rows at once, exactly, in any order."""
    batch = _batch(300, rejects=REJECTS)
    for size in (1, 7, 64, 300):
        tallies = [Tally.of(_slice(batch, start, start + size)) for start in range(0, 300, size)]
        assert sum(tallies, Tally.zero()) == Tally.of(batch)
        assert sum(reversed(tallies), Tally.zero()) == Tally.of(batch)


def test_addition_is_associative_and_has_a_zero():
    """Tallies may be added in any order and grouping, and zero changes none."""
    first, second, third = (Tally.of(_batch(40, seed)) for seed in range(3))
    assert (first + second) + third == first + (second + third)
    assert first + second == second + first
    assert first + Tally.zero() == Tally.zero() + first == first


def test_adding_changes_neither_side():
    """A sum is a new tally."""
    first, second = Tally.of(_batch(40)), Tally.of(_batch(40, 1))
    before = first.to_json(), second.to_json()
    assert (first + second).read == 80
    assert (first.to_json(), second.to_json()) == before


def test_empty_batch_counts_nothing():
    """A batch of no rows is zero."""
    assert Tally.of(_batch(0)) == Tally.zero()
    assert Tally.of(_batch(0, has_labels=False)) == Tally.zero()


def test_tallies_that_differ_are_not_equal():
    """One row more makes another tally; a tally equals no value of another type."""
    assert Tally.of(_batch(40)) != Tally.of(_batch(41))
    assert Tally.zero() != Tally.zero().to_json()


def test_tally_survives_json_and_pickling():
    """A part's file holds its tally as integers, and gives the same tally back."""
    tally = Tally.of(_batch(200, rejects=REJECTS))
    text = json.dumps(tally.to_json())
    assert "." not in text
    assert Tally.from_json(json.loads(text)) == tally
    assert pickle.loads(pickle.dumps(tally)) == tally  # noqa: S301  # our own bytes


def test_large_counts_add_up():
    """Sums of millionths over 2**40 rows are exact."""
    tally = Tally.of(_one({5: 0.5}, 5))
    for _ in range(40):
        tally = tally + tally
    assert tally.read == 2**40
    assert tally.log_loss_sum == 2**40 * 693147 / 1_000_000


def test_the_loss_of_no_probability_depends_on_the_processor():
    """Logarithms differ in their last digit; each of a probability of six decimals is far from where rounding turns."""
    probabilities = np.arange(1, 1_000_001, dtype=np.float32) / np.float32(1e6)
    millionths = -np.log(probabilities.astype(np.float64)) * 1e6
    distance = np.abs(millionths - np.floor(millionths) - 0.5).min()
    assert distance > 10 * np.spacing(millionths.max())
