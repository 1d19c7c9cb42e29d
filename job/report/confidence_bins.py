"""The bins in which rows are counted by confidence: fine where confidences are high, because that is where rows are.

A confidence is a number of six decimals, so its distance from 1, the *doubt*, is a whole number of millionths. Bins
are of equal width in the doubt's logarithm, twenty to a decade, and each lies within a twentieth of confidence, so that
`tally` counts once for the reports' histograms, `held_out` for the model's card, and `promise` for its thresholds.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

MILLION: Final = 1_000_000
TWENTIETHS: Final = 20
_PER_TWENTIETH: Final = MILLION // TWENTIETHS
_PER_DECADE: Final = 20
_DECADES: Final = 6

# The highest doubt of each bin, in millionths, ascending: the surest rows, with confidence 1, are in the first bin.
DOUBTS: Final[tuple[int, ...]] = tuple(
    sorted(
        {0, *(round(10 ** (step / _PER_DECADE)) for step in range(_DECADES * _PER_DECADE))}
        | {*range(_PER_TWENTIETH, MILLION + 1, _PER_TWENTIETH)}
    )
)
CONFIDENCE_BINS: Final = len(DOUBTS)
# The columns of counts by confidence.
RIGHT, WRONG, UNLABELLED = range(3)
# The bin of each doubt.
_BIN_OF_DOUBT: Final = np.repeat(np.arange(CONFIDENCE_BINS, dtype=np.uint8), np.diff(DOUBTS, prepend=-1))

_Counts = npt.NDArray[np.int64]


def bins_of(millionths: _Counts) -> _Counts:
    """The bins of int64 (n,) confidences in millionths."""
    return _BIN_OF_DOUBT.take(MILLION - millionths, mode="clip").astype(np.int64)


def twentieths_of(millionths: _Counts) -> _Counts:
    """The twentieths, 0 to 19, of int64 (n,) confidences in millionths: with their lower edge, the last also with 1."""
    return np.minimum(millionths // _PER_TWENTIETH, TWENTIETHS - 1)


def in_twentieths(counts: _Counts) -> _Counts:
    """int64 (CONFIDENCE_BINS,) counts, summed to (20,) by twentieths of confidence, the lowest confidence first."""
    summed = np.zeros(TWENTIETHS, np.int64)
    np.add.at(summed, twentieths_of(MILLION - np.array(DOUBTS)), counts)
    return summed


def confidence_of(doubt: int) -> float:
    """The lowest confidence of a bin with this highest doubt."""
    return (MILLION - doubt) / MILLION
