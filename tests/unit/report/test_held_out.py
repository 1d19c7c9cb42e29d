import json

import numpy as np
import pytest
from support.scored import scored_batch

from job.report.confidence_bins import DOUBTS
from job.report.held_out import HeldOut
from job.report.tally import Tally


def _held_out(rows=400):
    return HeldOut.of(Tally.of(scored_batch(np.random.default_rng(3), rows, has_labels=True)))


def test_it_has_the_labelled_rows_of_a_tally():
    """Right and wrong ones, by bin."""
    tally = Tally.of(scored_batch(np.random.default_rng(3), 400, has_labels=True))
    held_out = HeldOut.of(tally)
    assert held_out.rows == tally.labelled > 0
    assert held_out.right.sum() == tally.correct
    assert held_out.accuracy == tally.correct / tally.labelled
    assert HeldOut.of(Tally.zero()).accuracy is None


def test_it_survives_json():
    """The card has the bins with rows, and gives the same counts back."""
    held_out = _held_out()
    content = json.loads(json.dumps(held_out.to_json()))
    assert 0 not in (np.array(content["right"]) + np.array(content["wrong"]))
    found = HeldOut.from_json(content)
    np.testing.assert_array_equal(found.right, held_out.right)
    np.testing.assert_array_equal(found.wrong, held_out.wrong)
    assert HeldOut.from_json(HeldOut.of(Tally.zero()).to_json()).rows == 0


def test_rows_of_another_versions_bins_never_count_as_surer():
    """They get the bin that includes the highest doubt of theirs."""
    found = HeldOut.from_json({"doubts": [12, 999_999], "right": [3, 4], "wrong": [0, 2]})
    assert found.right[DOUBTS.index(13)] == 3
    assert found.wrong[DOUBTS.index(1_000_000)] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"doubts": [1, 1]},
        {"doubts": [2, 1]},
        {"doubts": [1]},
        {"doubts": [1, 1_000_001]},
        {"right": [1, -1]},
        {"right": [1, 0.5]},
        {"wrong": [True, 1]},
        {"wrong": None},
        {"wrong": [1, 1 << 53]},
    ],
)
def test_what_it_cannot_have_written_is_refused(change):
    """Counts of another shape, order or type."""
    content = {"doubts": [1, 5], "right": [4, 4], "wrong": [0, 1], **change}
    with pytest.raises(ValueError, match="its"):
        HeldOut.from_json(content)
    with pytest.raises(ValueError, match="whole numbers"):
        HeldOut.from_json([])
