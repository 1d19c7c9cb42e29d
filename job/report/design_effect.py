"""The design effect: how many rows tell as much as one independent row, where rows come in groups such as writers.

Whoever writes one unusual 7 writes more of them, so that errors cluster, and n rows of few writers tell less than n
of n writers. L. Kish, "Survey Sampling", Wiley 1965; for shares near 0, E. L. Korn, B. I. Graubard, "Confidence
intervals for proportions with small expected number of positive counts estimated from survey data", Survey Methodology
24 (1998) 193-201, who divide the counts of an exact interval by it, as `held_out` does. The result is approximate.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.report.confidence_bins import CONFIDENCE_BINS

# With fewer groups or wrong rows, a variance between groups is mostly chance.
_LEAST: Final = 20

_Integers = npt.NDArray[np.int64]


def design_effect(groups: _Integers, bins: _Integers, is_wrong: npt.NDArray[np.bool_]) -> float:
    """The largest of the design effects of all thresholds, from 1 up.

    groups: int64 (n,), each row's group, from 0. bins: int64 (n,), of `confidence_bins`. At each threshold it is the
    variance of the share wrong among accepted rows, as found between groups, over that of independent rows. Where there
    are too few groups or errors to tell, the rows of a group count as one.
    """
    found = 1.0
    number = len(np.unique(groups))
    for last in range(CONFIDENCE_BINS):
        is_accepted = bins <= last
        rows = np.bincount(groups[is_accepted]).astype(np.float64)
        wrong = np.bincount(groups[is_accepted & is_wrong], minlength=len(rows)).astype(np.float64)
        total = rows.sum()
        if not total:
            continue
        as_one = float((rows**2).sum() / total)
        share = wrong.sum() / total
        if wrong.sum() < _LEAST or number < _LEAST or share == 1:
            # Of a strict threshold with few errors, a laxer one tells the effect.
            found = max(found, as_one) if last == CONFIDENCE_BINS - 1 else found
            continue
        between = ((wrong - share * rows) ** 2).sum() * number / (number - 1)
        found = max(found, min(as_one, float(between / (total * share * (1 - share)))))
    return found
