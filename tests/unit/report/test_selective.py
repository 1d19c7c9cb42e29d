"""The statistics of a promise: exact, valid for any distribution of errors, and of use."""

import math

import numpy as np
import pytest
from scipy import stats

from job.report.confidence_bins import CONFIDENCE_BINS, DOUBTS
from job.report.held_out import HeldOut
from job.report.selective import (
    CERTAINTY,
    LEVEL,
    binomial_tail,
    lower_bound,
    rows_needed,
    threshold_for,
    upper_bound,
)

DRAWS = 400


def _held_out(right, wrong, design_effect=1.0):
    """Rows by doubt: {doubt: number}."""
    counts = np.zeros((2, CONFIDENCE_BINS), np.int64)
    for place, rows in enumerate((right, wrong)):
        for doubt, number in rows.items():
            counts[place, DOUBTS.index(doubt)] = number
    return HeldOut(*counts, design_effect)


@pytest.mark.parametrize("n", [1, 2, 10, 598, 6000, 1_000_000])
@pytest.mark.parametrize("p", [0.0001, 0.005, 0.2, 0.7])
def test_the_binomial_tail_is_scipys(n, p):
    """For few and many successes, below and above the mean."""
    for k in sorted({0, 1, int(n * p * 0.7), int(n * p), int(n * p) + 1, n - 1, n} & {*range(n + 1)}):
        assert binomial_tail(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-7, abs=1e-300)


@pytest.mark.parametrize(("k", "n"), [(0, 598), (0, 1), (14, 4910), (19, 5950), (300, 1000), (7, 8)])
def test_bounds_are_those_of_clopper_and_pearson(k, n):
    """Rounded outwards to six decimals."""
    for level in (0.05, 0.02, 0.001):
        upper = stats.beta.ppf(1 - level, k + 1, n - k)
        assert upper - 1e-9 <= upper_bound(k, n, level) <= upper + 1.01e-6
        lower = stats.beta.ppf(level, k, n - k + 1) if k else 0.0
        assert lower - 1.01e-6 <= lower_bound(k, n, level) <= lower + 1e-9
    assert upper_bound(n, n, 0.05) == 1


def test_the_laxest_threshold_within_the_limit_is_chosen():
    """Its bound is within the limit, at the level that is left for it."""
    held_out = _held_out({5: 3000, 1000: 2000, 10_000: 500, 500_000: 100}, {10_000: 2, 500_000: 60})
    found = threshold_for(held_out, 0.005)
    assert (found.rows, found.accepted, found.wrong) == (5662, 5502, 2)
    assert 10_000 <= found.doubt < 500_000
    assert found.wrong / found.accepted < found.bound <= 0.005
    assert found.coverage == 5502 / 5662
    assert threshold_for(held_out, 0.2).accepted == 5662


def test_a_stricter_promise_never_accepts_more():
    """Thresholds are ordered like the limits, which a user relies on."""
    random = np.random.default_rng(2)
    for _ in range(20):
        right = random.integers(0, 200, CONFIDENCE_BINS)
        wrong = random.binomial(right, np.linspace(0, 0.1, CONFIDENCE_BINS))
        found = [threshold_for(HeldOut(right, wrong), limit) for limit in (0.002, 0.005, 0.01, 0.02, 0.05)]
        doubts = [-1 if each is None else each.doubt for each in found]
        assert doubts == sorted(doubts)


def test_few_rows_carry_no_promise_and_it_is_said_how_many_would():
    """As many more of the same kind do carry it, and a tenth fewer do not."""
    held_out = _held_out({100: 150, 10_000: 40}, {500_000: 10})
    assert threshold_for(held_out, 0.005) is None
    needed = rows_needed(held_out, 0.005)
    assert threshold_for(held_out.repeated(needed / held_out.rows), 0.005) is not None
    assert threshold_for(held_out.repeated(0.9 * needed / held_out.rows), 0.005) is None


def test_no_number_of_rows_helps_where_the_surest_are_wrong_too_often():
    """Their errors are there to stay."""
    assert rows_needed(_held_out({0: 900, 100_000: 100}, {0: 30}), 0.005) is None


def test_without_rows_it_takes_as_many_as_without_an_error():
    """At the highest level that a single threshold has."""
    needed = rows_needed(_held_out({}, {}), 0.005)
    assert threshold_for(_held_out({}, {}), 0.005) is None
    assert threshold_for(_held_out({10_000: needed}, {}), 0.005) is not None
    assert threshold_for(_held_out({10_000: needed - 1}, {}), 0.005) is None
    assert needed == math.ceil(math.log(0.4 * LEVEL) / math.log(0.995))


def test_rows_that_are_alike_count_for_fewer():
    """With a design effect of 2, twice as many rows carry what the half carry without."""
    rows, errors = {1000: 4000, 100_000: 200}, {100_000: 10}
    alone = threshold_for(_held_out(rows, errors), 0.005)
    twice = {doubt: 2 * number for doubt, number in rows.items()}
    alike = threshold_for(_held_out(twice, {100_000: 20}, 2.0), 0.005)
    assert (alike.doubt, alike.bound, alike.accepted) == (alone.doubt, alone.bound, 2 * alone.accepted)
    assert threshold_for(_held_out(rows, errors, 8.0), 0.005) is None
    assert _held_out(rows, errors, 3.0).effective(10, 1) == (3, 1)


def _population(kind):
    """Shares of rows and errors by bin: of a calibrated network; one whose surest rows are its worst; of a border."""
    doubts = np.array(DOUBTS)
    shares = np.where(doubts > 0, 1.0 / (doubts + 30.0) ** 0.2, 1.0)
    shares /= shares.sum()
    if kind == "calibrated":
        return shares, 0.6 * doubts / 1e6
    if kind == "sure and wrong":
        errors = np.where(doubts < 200, 0.008, 0.002 + 0.3 * doubts / 1e6)
        return shares, errors
    # The risk of every threshold from the first start on is just above the limit.
    return shares, np.full(CONFIDENCE_BINS, 0.01001)


@pytest.mark.parametrize("kind", ["calibrated", "sure and wrong", "just above the limit"])
@pytest.mark.parametrize("rows", [700, 5000])
def test_the_guarantee_holds(kind, rows):
    """Of repeated draws of held-out rows, one in a hundred chooses a threshold that is wrong more often in general.

    And one in twenty, one that is wrong more often on as many new rows. The draws are seeded; what is allowed for
    chance is three deviations of their number.
    """
    shares, errors = _population(kind)
    accepted = np.cumsum(shares)
    risk = np.cumsum(shares * errors) / accepted
    random, limit, violations, counted, coverage = np.random.default_rng(5), 0.01, 0, 0, []
    for _ in range(DRAWS):
        counts = random.multinomial(rows, shares)
        wrong = random.binomial(counts, errors)
        found = threshold_for(HeldOut(counts - wrong, wrong), limit)
        index = None if found is None else DOUBTS.index(found.doubt)
        violations += index is not None and risk[index] > limit
        if index is not None:
            new = random.multinomial(rows, shares)[: index + 1]
            counted += random.binomial(new, errors[: index + 1]).sum() > limit * new.sum()
        coverage.append(0.0 if index is None else accepted[index])
    for found, share in ((violations, LEVEL), (counted, 1 - CERTAINTY)):
        assert found <= share * DRAWS + 3 * math.sqrt(share * DRAWS)
    if kind == "calibrated" and rows == 5000:
        # Not vacuous: it accepts most of what the best threshold would.
        assert np.mean(coverage) > 0.9 * accepted[risk <= limit].max()
