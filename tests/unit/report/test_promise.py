"""What a promise says about a run: what is accepted, how that went, and when nothing is promised after all."""

from dataclasses import replace

import numpy as np
import pytest
from support.scored import scored_batch

from job.contract import ScoredBatch
from job.report.appearance import Appearance
from job.report.confidence_bins import confidence_of
from job.report.drift import Distribution
from job.report.held_out import HeldOut
from job.report.promise import Promise
from job.report.selective import threshold_for
from job.report.tally import Tally

ROWS = 6000


def _batch(rows=ROWS, seed=0, *, error=0.9, has_labels=True):
    """Rows without rejects; a row is wrong with `error` of the probability that it gives to other digits."""
    random = np.random.default_rng(seed)
    batch = scored_batch(random, rows, sharpness=0.01, rejected=0)
    is_wrong = random.random(rows) < error * (1 - batch.confidences)
    labels = np.where(is_wrong, (batch.predictions + 1) % 10, batch.predictions).astype(np.int8)
    return replace(batch, labels=labels if has_labels else None)


def _appearance(rows, *, ink=(0, 1, 4, 6, 4, 1)):
    """Images of such a distribution of ink."""
    counts = np.zeros(16, np.int64)
    counts[: len(ink)] = np.array(ink) * (rows // sum(ink))
    counts[2] += rows - counts.sum()
    return Appearance(np.array([600, 60, 40, 40, 44], np.int64) * rows, counts)


@pytest.fixture(scope="module")
def promise():
    """Of 1 % errors, by rows like those of `_batch`."""
    tally = Tally.of(_batch(seed=1))
    held_out = HeldOut.of(tally)
    reference = Distribution(_appearance(ROWS), tally.predicted)
    return Promise(0.01, threshold_for(held_out, 0.01), held_out, "the 6,000 rows of mine.json", reference)


def _figures(promise, batch, appearance=None, *, is_withheld=False):
    tally = Tally.of(batch)
    seen = appearance or _appearance(tally.scored)
    return promise.figures([("a.csv", tally)], seen, is_withheld=is_withheld)


def test_it_counts_what_the_decision_column_has(promise):
    """Accepted rows are those with at least the threshold's confidence, also where confidences lie on it."""
    batch = _batch(seed=2)
    probabilities = batch.probabilities.copy()
    probabilities[0] = 0
    probabilities[0, batch.predictions[0]] = confidence_of(promise.threshold.doubt)
    probabilities[1] = 0
    probabilities[1, batch.predictions[1]] = confidence_of(promise.threshold.doubt + 1)
    batch = ScoredBatch(batch.predictions, probabilities, batch.labels, ())
    found = _figures(promise, batch)
    is_accepted = batch.confidences >= promise.accepted_from
    assert is_accepted[:2].tolist() == [True, False]
    assert (found["accepted"], found["review"]) == (is_accepted.sum(), (~is_accepted).sum())
    assert found["coverage"] == is_accepted.mean()
    is_wrong = batch.predictions != batch.labels
    assert (found["labelled"], found["wrong"]) == (is_accepted.sum(), (is_accepted & is_wrong).sum())
    assert found["error"] == found["wrong"] / found["labelled"]
    assert found["error_95"][0] < found["error"] < found["error_95"][1]


def test_rows_like_the_held_out_ones_keep_it(promise):
    """The text is the promise, with its limit, threshold and source."""
    found = _figures(promise, _batch(seed=2))
    assert not found["is_withdrawn"]
    assert found["reasons"] == []
    assert found["text"] == (
        f"Of the rows accepted, those with a confidence of {found['threshold']:.6f} or more, at most 1 % are wrong, "
        "with 95 % certainty, for data like the 6,000 rows of mine.json."
    )
    assert found["calibration"]["rows"] == ROWS
    assert found["calibration"]["bound"] <= 0.01
    assert max(found["drift"].values()) < 0.05


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"appearance": _appearance(ROWS, ink=(6, 4, 1, 1, 1, 1))}, "large shift of ink"),
        ({"batch": scored_batch(np.random.default_rng(0), ROWS, sharpness=0.2, has_labels=False)}, "of confidence"),
        (
            {"batch": replace(_batch(seed=2, has_labels=False), predictions=np.full(ROWS, 3, np.int8))},
            "of predicted digits",
        ),
    ],
    ids=["ink", "confidence", "digits"],
)
def test_data_unlike_the_held_out_rows_withdraws_it(promise, change, reason):
    """In words; nothing in the text claims the limit any more."""
    batch = change.get("batch", _batch(seed=2, has_labels=False))
    found = _figures(promise, batch, change.get("appearance"))
    assert found["is_withdrawn"]
    assert reason in found["reasons"][0]
    assert "is withdrawn: the input is unlike the 6,000 rows of mine.json" in found["text"]
    assert found["text"].endswith("Nothing is promised about this data.")
    assert "certainty" not in found["text"]


def test_one_file_of_many_that_is_far_less_sure_withdraws_it(promise):
    """Though all rows together hide it; one that is as sure, but of a single digit, does not."""
    usual = Tally.of(_batch(20 * ROWS, seed=2, has_labels=False))
    unsure = Tally.of(scored_batch(np.random.default_rng(0), 300, sharpness=0.3, rejected=0, has_labels=False))
    same = Tally.of(replace(_batch(300, seed=4, has_labels=False), predictions=np.full(300, 3, np.int8)))
    seen = _appearance(20 * ROWS + 600)
    kept = promise.figures([("usual", usual), ("threes", same)], seen, is_withheld=False)
    assert kept["reasons"] == []
    found = promise.figures([("usual", usual), ("odd.csv", unsure), ("threes", same)], seen, is_withheld=False)
    assert found["drift"]["confidence"] < 0.1
    assert found["reasons"] == ["1 file is far less sure than the 6,000 rows of mine.json: odd.csv"]


def test_labels_that_contradict_it_withdraw_it(promise):
    """More wrong rows than chance makes in one of a thousand runs; drift sees nothing."""
    batch = _batch(seed=2)
    labels = batch.labels.copy()
    labels[::40] = (batch.predictions[::40] + 1) % 10
    found = _figures(promise, replace(batch, labels=labels))
    assert found["is_withdrawn"]
    assert found["reasons"] == [
        f"the labels contradict it: {found['wrong']:,} of {found['labelled']:,} accepted rows are wrong"
    ]


def test_a_few_more_errors_than_promised_may_be_chance(promise):
    """Of 100 rows, 3 wrong ones are no evidence against 1 %."""
    batch = _batch(100, seed=3, error=0)
    labels = batch.labels.copy()
    labels[np.flatnonzero(batch.confidences >= promise.accepted_from)[:3]] ^= 1
    found = _figures(promise, replace(batch, labels=labels))
    assert found["wrong"] == 3
    assert not any("labels" in each for each in found["reasons"])


def test_labels_that_may_mean_something_else_measure_nothing(promise):
    """As for all figures that need their meaning."""
    found = _figures(promise, _batch(seed=2), is_withheld=True)
    assert (found["labelled"], found["wrong"], found["error"], found["error_95"]) == (0, None, None, None)
    assert found["accepted"] > 0


def test_without_labels_or_rows(promise):
    """What needs them is null."""
    unlabelled = _figures(promise, _batch(seed=2, has_labels=False))
    assert (unlabelled["labelled"], unlabelled["error"]) == (0, None)
    assert unlabelled["accepted"] > 0
    none = _figures(promise, _batch(0), Appearance.zero())
    assert (none["accepted"], none["coverage"], none["is_withdrawn"]) == (0, None, False)
    assert set(none["drift"].values()) == {None}


def test_a_card_without_distribution_is_compared_by_confidence(promise):
    """That of a network from elsewhere."""
    found = _figures(replace(promise, reference=None), _batch(seed=2))
    assert found["drift"]["confidence"] is not None
    assert (found["drift"]["ink"], found["drift"]["predicted"]) == (None, None)


def test_its_identity_is_all_that_the_report_says_of_it(promise):
    """Another limit, source, group or held-out row makes another run."""
    held_out = HeldOut.of(Tally.of(_batch(seed=7)))
    others = [
        replace(promise, max_error=0.02), replace(promise, source="others"), replace(promise, groups=7),
        replace(promise, held_out=held_out), replace(promise, reference=None),
        replace(promise, held_out=replace(promise.held_out, design_effect=1.5)),
    ]  # fmt: skip
    assert len({str(each.identity) for each in [promise, *others]}) == 7
    assert str(replace(promise).identity) == str(promise.identity)
