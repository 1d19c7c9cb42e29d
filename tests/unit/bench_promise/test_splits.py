import numpy as np
import pytest
from bench_promise.splits import Rows, outcome, random_splits

from job.report.confidence_bins import CONFIDENCE_BINS


def _rows(number, *, error=0.5, groups=None, seed=0):
    """Rows whose share of errors rises to `error` with their doubt."""
    random = np.random.default_rng(seed)
    bins = np.minimum(random.geometric(0.04, number) - 1, CONFIDENCE_BINS - 1)
    is_wrong = random.random(number) < error * (bins / CONFIDENCE_BINS) ** 3
    return Rows(bins, is_wrong, None if groups is None else np.arange(number) % groups)


def test_promises_by_random_rows_are_kept():
    """On the other rows, in nearly all splits; and they accept most rows."""
    found = random_splits(_rows(16_000), 6_000, 0.01, 40)
    assert sum(each.is_violation(0.01) for each in found) <= 2
    assert np.mean([each.coverage for each in found]) > 0.5
    assert found == random_splits(_rows(16_000), 6_000, 0.01, 40)


def test_a_refused_promise_breaks_nothing():
    """Ten rows carry none."""
    found = outcome(_rows(10), _rows(100), 0.001)
    assert (found.coverage, found.error, found.is_violation(0.001)) == (None, None, False)


@pytest.mark.parametrize("groups", [7, 100])
def test_groups_are_not_divided(groups):
    """No writer calibrates and is checked on."""
    rows = _rows(3_000, groups=groups)
    seen = []

    class Spy(Rows):
        """Remembers which rows were chosen."""

        def __getitem__(self, chosen):
            seen.append({*self.groups[chosen].tolist()})
            return super().__getitem__(chosen)

    random_splits(Spy(rows.bins, rows.is_wrong, rows.groups), 1_500, 0.05, 3)
    for calibrating, checking in zip(seen[::2], seen[1::2], strict=True):
        assert not calibrating & checking
        assert len(calibrating | checking) == groups
