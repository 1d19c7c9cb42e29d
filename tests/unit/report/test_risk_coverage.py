import numpy as np
import pytest
from support.scored import scored_batch

from job.contract import NO_LABEL, NO_PREDICTION
from job.report.confidence_bins import CONFIDENCE_BINS, DOUBTS, MILLION
from job.report.held_out import HeldOut
from job.report.risk_coverage import risk_coverage
from job.report.tally import Tally


@pytest.fixture(scope="module")
def rows():
    """Doubts and errors of labelled rows, and the rows counted."""
    batch = scored_batch(np.random.default_rng(1), 500, sharpness=0.05)
    is_counted = (batch.predictions != NO_PREDICTION) & (batch.labels != NO_LABEL)
    doubts = MILLION - np.rint(batch.confidences[is_counted].astype(float) * MILLION).astype(int)
    return doubts, (batch.predictions != batch.labels)[is_counted], HeldOut.of(Tally.of(batch))


def test_points_are_those_of_sorted_rows(rows):
    """Coverage and error of the rows of at least each threshold."""
    doubts, is_wrong, counted = rows
    found = risk_coverage(counted)
    assert len(found["points"]) <= CONFIDENCE_BINS
    for point in found["points"]:
        is_accepted = doubts <= round(MILLION - point["threshold"] * MILLION)
        assert point["coverage"] == is_accepted.mean()
        assert point["error"] == is_wrong[is_accepted].mean()
    assert found["points"][-1]["coverage"] == 1


def test_the_area_is_the_mean_error_of_all_rows_at_least_as_sure(rows):
    """Rows of one bin are accepted together."""
    doubts, is_wrong, counted = rows
    bins = np.searchsorted(DOUBTS, doubts)
    expected = np.mean([is_wrong[bins <= each].mean() for each in bins])
    assert risk_coverage(counted)["aurc"] == pytest.approx(expected)


def test_coverage_within_a_share_of_errors():
    """The laxest threshold that keeps it, also behind one that does not; none where no threshold does."""
    right, wrong = np.zeros((2, CONFIDENCE_BINS), np.int64)
    right[[3, 20, 60, 100]] = 500, 400, 90, 0
    wrong[[3, 100]] = 1, 9
    found = {each["error"]: each for each in risk_coverage(HeldOut(right, wrong))["coverage_at"]}
    assert found[0.001] == {"error": 0.001, "coverage": 0.0, "threshold": None}
    assert found[0.005]["coverage"] == 0.991
    assert found[0.005]["threshold"] == (MILLION - DOUBTS[60]) / MILLION
    assert found[0.01]["coverage"] == 1
    hopeless = HeldOut(right, right)
    assert {each["threshold"] for each in risk_coverage(hopeless)["coverage_at"]} == {None}
    assert {each["coverage"] for each in risk_coverage(hopeless)["coverage_at"]} == {0.0}


def test_there_is_no_curve_without_labels():
    """As of all figures that need them."""
    assert risk_coverage(HeldOut.of(Tally.zero())) is None
