"""McNemar's test: whether of two predictors that saw the same rows one is better by more than chance.

Only the rows that just one of the two has right count: if both were equally good, each such row would fall to either
with even odds. Source: Q. McNemar, Psychometrika 12 (1947) 153-157; the exact form is a binomial test of these rows.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

SIGNIFICANCE: Final = 0.05
# Of so many rows the sum of binomial coefficients takes milliseconds, and the approximation is as good.
_MOST_EXACT: Final = 10_000

Method = Literal["exact", "continuity-corrected"]


@dataclass(frozen=True, slots=True)
class McNemar:
    """The two-sided test of two predictors, A and B.

    only_a, only_b: rows that A alone, or B alone, has right. p_value: how likely so uneven a split, or a more uneven
    one, would be if the two were equally good; 1 where no such row is. method: a binomial test, or for many rows its
    approximation by chi-squared of one degree of freedom, with `statistic` (None otherwise).
    """

    only_a: int
    only_b: int
    method: Method
    statistic: float | None
    p_value: float


def mcnemar(only_a: int, only_b: int) -> McNemar:
    """The two-sided test for counts of rows that one of the two alone has right.

    Source of the approximation's correction for continuity: A. L. Edwards, Psychometrika 13 (1948) 185-187.
    """
    differing, gap = only_a + only_b, abs(only_a - only_b)
    if differing <= _MOST_EXACT:
        return McNemar(only_a, only_b, "exact", None, min(1.0, 2 * _tail(max(only_a, only_b), differing)))
    statistic = max(0, gap - 1) ** 2 / differing
    return McNemar(only_a, only_b, "continuity-corrected", statistic, math.erfc(math.sqrt(statistic / 2)))


def p_value_that_better(only_other: int, only_this: int) -> float:
    """The one-sided p-value that the other is better: 1 where they differ nowhere. Exact, or corrected as above."""
    differing = only_other + only_this
    if differing <= _MOST_EXACT:
        return _tail(only_other, differing)
    return math.erfc((only_other - only_this - 1) / math.sqrt(2 * differing)) / 2


def _tail(least: int, tosses: int) -> float:
    """How likely a fair coin shows heads `least` times or more, in exact integers but for one division at the end."""
    few = min(tosses - least, least - 1)
    count, ways = 0, 1
    for heads in range(few + 1):
        count += ways
        ways = ways * (tosses - heads) // (heads + 1)
    # The shorter of the two tails was counted; the two together are all ways that there are.
    everything = 1 << tosses
    return (count if few == tosses - least else everything - count) / everything
