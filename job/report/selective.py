"""The threshold of confidence that keeps a promise about errors: statistics of selective classification.

A network that may refuse to answer accepts the rows of at least some confidence (C. K. Chow, IEEE Trans. Inf. Theory 16
(1970) 41-46), and is wrong about a share of them. Which threshold keeps that share below a limit is decided by labelled
rows that it has not learned from, so that the limit holds with `CERTAINTY` for rows drawn as those were (Y. Geifman,
R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017).

**One threshold.** Of n rows that it accepts, the number of wrong ones is binomial with the share R that it is wrong
about in general. If R were above the limit r, at most k wrong ones would have the probability P(Bin(n, r) <= k), at
most; this is the p-value of the hypothesis "R is above r". Rejecting it at a level is the same as saying that the exact
upper bound of Clopper and Pearson (Biometrika 26 (1934) 404-413) is at most r.

**Many thresholds.** The laxest of them is chosen by the same rows, so their levels must add up to `LEVEL`. The
thresholds are those of `confidence_bins`, fixed before any row was seen, and are tested from strict to lax, as in
A. N. Angelopoulos and others, "Learn then test" (2021), with the fallback procedure of B. L. Wiens (Pharm. Stat. 2
(2003) 211-215): four of them bring a level of their own, and a hypothesis that is rejected passes its level on to the
next. Proof that a limit is broken with a probability of at most the sum of the levels: let i be the first hypothesis
that is true and rejected, and h the last true one before it. h was not rejected and passed nothing on, so the level of
i is at most what the hypotheses after h up to i bring. These spans do not overlap for different i, and each p-value is
below its level with at most that probability. Nothing is assumed about how errors depend on confidence.

**Two kinds of chance.** R is the share wrong in general, and a limit on it is broken with a probability of `LEVEL`,
1 %. What people count is the share wrong among as many new rows, say, as were held out; it scatters about R as the
held-out rows do, and the difference of the two has the square root of 2 times the deviation of one. The 95 % quantile
of that difference is the 99 % quantile of one, as 1.645 times the root of 2 is 2.326. So the count keeps the limit,
too, with about `CERTAINTY`.

With the start at several thresholds, a network whose surest rows are few, or wrong, still has a chance, and one whose
strict thresholds are all rejected tests the lax ones at the whole level. Which four, and their shares, was chosen on
validation images; the guarantee holds for any.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from job.report.confidence_bins import DOUBTS
from job.report.held_out import HeldOut

CERTAINTY: Final = 0.95
LEVEL: Final = 0.01
# The thresholds that bring a level, by doubt, and their share of LEVEL.
_SHARES: Final = {10: 0.1, 100: 0.2, 1_000: 0.3, 10_000: 0.4}
_SMALLEST_TERM: Final = 1e-18
_BISECTIONS: Final = 60
# How many times the held-out rows `rows_needed` looks at.
_MOST_TIMES: Final = 1 << 20
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold that keeps a limit. doubt: in millionths, the highest that is accepted.

    rows: held-out ones, of which `accepted`, and `wrong` among those. bound: the upper bound of the share wrong among
    accepted rows, at the level that its test had.
    """

    doubt: int
    rows: int
    accepted: int
    wrong: int
    bound: float

    @property
    def coverage(self) -> float:
        """The share of the held-out rows that it accepts."""
        return self.accepted / self.rows


def threshold_for(held_out: HeldOut, max_error: float) -> Threshold | None:
    """The laxest threshold with at most this share of errors among accepted rows; None: the rows carry none."""
    accepted, wrong = np.cumsum(held_out.counts), np.cumsum(held_out.wrong)
    level, chosen = 0.0, None
    for index, doubt in enumerate(DOUBTS):
        level += LEVEL * _SHARES.get(doubt, 0.0)
        n, k = held_out.effective(int(accepted[index]), int(wrong[index]))
        # With as many errors as the limit allows in the mean, the p-value is about a half.
        if level and k < n * max_error and binomial_tail(k, n, max_error) <= level:
            chosen = index, level
        else:
            level = 0.0
    if chosen is None:
        return None
    index, level = chosen
    n, k = held_out.effective(int(accepted[index]), int(wrong[index]))
    return Threshold(DOUBTS[index], held_out.rows, int(accepted[index]), int(wrong[index]), upper_bound(k, n, level))


def rows_needed(held_out: HeldOut, max_error: float) -> int | None:
    """About how many held-out rows a promise takes, if more of them are like these; None if no number would do.

    Without held-out rows: as many as it takes if none of them is wrong.
    """
    if not held_out.rows:
        return math.ceil(math.log(LEVEL * max(_SHARES.values())) / math.log1p(-max_error))

    def is_enough(times: float) -> bool:
        return threshold_for(held_out.repeated(times), max_error) is not None

    high = 1.0
    while not is_enough(high):
        high *= 2
        if high > _MOST_TIMES:
            return None
    low = high / 2
    while (high - low) * held_out.rows > max(1.0, 0.01 * high * held_out.rows):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return math.ceil(high * held_out.rows)


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X <= k) of a binomial X of n > 0 trials with probability 0 < p < 1: the sum of its terms, from the largest.

    Accurate to about nine digits for any n below 10**9.
    """
    if k >= n:
        return 1.0
    if k > n * p:
        # The terms rise up to the mean: sum the other side.
        return 1.0 - binomial_tail(n - k - 1, n, 1 - p)
    logarithm = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = math.exp(logarithm + k * math.log(p) + (n - k) * math.log1p(-p))
    total, ratio = term, (1 - p) / p
    for count in range(k, 0, -1):
        term *= count / (n - count + 1) * ratio
        total += term
        if term <= _SMALLEST_TERM * total:
            break
    return min(1.0, total)


def upper_bound(k: int, n: int, level: float) -> float:
    """Clopper and Pearson's upper bound of a share of which k of n > 0 trials are seen: exceeded with `level`."""
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_tail(k, n, middle) > level else (low, middle)
    # Rounded up, because logarithms differ between processors in their last digits.
    return math.ceil(high * 10**_DECIMALS - 1e-3) / 10**_DECIMALS


def lower_bound(k: int, n: int, level: float) -> float:
    """The lower bound, likewise."""
    return 1.0 - upper_bound(n - k, n, level)
