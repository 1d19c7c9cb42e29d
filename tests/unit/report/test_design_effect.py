import numpy as np
import pytest

from job.report.confidence_bins import CONFIDENCE_BINS
from job.report.design_effect import design_effect


def _rows(groups, each, *, within, seed=0):
    """Rows of writers: with probability `within` a writer's errors are all the same, otherwise each row errs alone."""
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(groups), each)
    alone = random.random(groups * each) < 0.1
    together = np.repeat(random.random(groups) < 0.1, each)
    is_alike = np.repeat(random.random(groups) < within, each)
    bins = np.full(groups * each, CONFIDENCE_BINS - 1)
    return numbers, bins, np.where(is_alike, together, alone)


def test_independent_rows_have_hardly_any():
    """About 1, and never less."""
    assert 1 <= design_effect(*_rows(500, 10, within=0.0)) < 1.25


def test_rows_of_a_group_that_are_all_alike_count_as_one():
    """The effect is the size of a group."""
    assert design_effect(*_rows(500, 10, within=1.0)) == pytest.approx(10, rel=0.15)


def test_more_alike_is_a_larger_effect():
    """Between the two."""
    found = [design_effect(*_rows(800, 10, within=share)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert found == sorted(found)


@pytest.mark.parametrize(("groups", "each"), [(5, 100), (300, 2)])
def test_where_it_cannot_be_measured_a_group_counts_as_one_row(groups, each):
    """With few groups, or hardly an error."""
    numbers, bins, is_wrong = _rows(groups, each, within=0.0)
    is_wrong = is_wrong if groups == 5 else np.zeros_like(is_wrong)
    assert design_effect(numbers, bins, is_wrong) == each


def test_the_threshold_with_the_largest_effect_counts():
    """Errors of sure rows may cluster where those of unsure ones do not."""
    numbers, _, is_alone = _rows(500, 10, within=0.0, seed=1)
    _, _, is_together = _rows(500, 10, within=1.0, seed=2)
    sure = design_effect(numbers, np.zeros(5000, int), is_together)
    bins = np.concatenate([np.zeros(5000, int), np.full(5000, CONFIDENCE_BINS - 1)])
    both = design_effect(np.concatenate([numbers, numbers + 500]), bins, np.concatenate([is_together, is_alone]))
    assert both == pytest.approx(sure, rel=0.01)


def test_no_rows_and_only_errors():
    """There is nothing to divide by."""
    none = np.zeros(0, np.int64)
    assert design_effect(none, none, none.astype(bool)) == 1
    ones = np.arange(30)
    assert design_effect(ones, np.zeros(30, int), np.ones(30, bool)) == 1
