"""McNemar's test: whether one of two classifiers that scored the same rows is better by more than chance.

Only rows that exactly one of the two classifies correctly count; if both are equally good, each such row falls to
either with even odds. Used by `results.compare` for two outputs and by the train stage's gate for two models.
Source: Q. McNemar, Psychometrika 12 (1947) 153-157; the exact form is a binomial test of these rows.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

SIGNIFICANCE: Final = 0.05
# Up to here the sum of binomial coefficients takes milliseconds; above, the approximation is as good.
_MAX_EXACT: Final = 10_000

Method = Literal["exact", "continuity-corrected"]


@dataclass(frozen=True, slots=True)
class McNemar:
    """The two-sided test of two classifiers, A and B.

    only_a, only_b: rows that only A, or only B, classifies correctly. p_value: the probability of a split at least as
    uneven if both are equally good; 1 if there is no such row. method: the binomial test, or for many rows its
    approximation by chi-squared with one degree of freedom, with `statistic` (None otherwise).
    """

    only_a: int
    only_b: int
    method: Method
    statistic: float | None
    p_value: float


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """The two-sided test for the numbers of rows that only A, or only B, classifies correctly.

    Source of the approximation's continuity correction: A. L. Edwards, Psychometrika 13 (1948) 185-187.
    """
    differing, gap = only_a + only_b, abs(only_a - only_b)
    if differing <= _MAX_EXACT:
        return McNemar(only_a, only_b, "exact", None, min(1.0, 2 * _upper_tail(max(only_a, only_b), differing)))
    statistic = max(0, gap - 1) ** 2 / differing
    return McNemar(only_a, only_b, "continuity-corrected", statistic, math.erfc(math.sqrt(statistic / 2)))


def p_value_that_better(only_other: int, only_this: int) -> float:
    """The one-sided p-value that the other classifier is better than this one; exact, or corrected as in `mcnemar`.

    1 if no row differs.
    """
    differing = only_other + only_this
    if differing <= _MAX_EXACT:
        return _upper_tail(only_other, differing)
    return math.erfc((only_other - only_this - 1) / math.sqrt(2 * differing)) / 2


def p_text(p_value: float) -> str:
    """`p = 0.012`, or `p < 1e-300` for one that is too small for a number."""
    return f"p = {p_value:.2g}" if p_value else "p < 1e-300"


def _upper_tail(least: int, tosses: int) -> float:
    """The probability that a fair coin shows heads `least` times or more; in integers but for the final division."""
    # Sum the shorter tail; both together are all outcomes.
    last = min(tosses - least, least - 1)
    count, ways = 0, 1
    for heads in range(last + 1):
        count += ways
        ways = ways * (tosses - heads) // (heads + 1)
    outcomes = 1 << tosses
    return (count if last == tosses - least else outcomes - count) / outcomes
