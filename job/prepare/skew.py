"""The angle that a page is turned by: the one at which ink gathers in the fewest rows and columns.

Ruled lines, the lines of a grid and rows of digits all give sharp profiles at the right angle (Postl 1986: projection
profiles). A page without any of them keeps its angle. Used by `sheet`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

_REACH_DEGREES: Final = 14.0
_COARSE: Final = 0.5
_FINE: Final = 0.05
_POINTS: Final = 40_000
# Profiles differ by chance, too: the best must stand out from the spread of all by so many deviations.
_CLEAR: Final = 6.0


def skew_of(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], bin_pixels: float) -> float:
    """Degrees by which to turn a page counter-clockwise (as `Image.rotate` does) so that its rows are level; or 0.

    x, y: (n,) coordinates of ink, of which some are taken. bin_pixels: the width of a profile's bins.
    """
    if len(x) < 2:
        return 0.0
    step = -(-len(x) // _POINTS)
    x, y = x[::step] - x.mean(), y[::step] - y.mean()
    coarse = np.arange(-_REACH_DEGREES, _REACH_DEGREES + _COARSE, _COARSE)
    scores = np.array([_sharpness(x, y, angle, bin_pixels * 2) for angle in coarse])
    spread = np.median(np.abs(scores - np.median(scores))) * 1.4826
    if scores.max() < np.median(scores) + _CLEAR * spread:
        return 0.0
    best = coarse[scores.argmax()]
    fine = np.arange(best - _COARSE, best + _COARSE + _FINE, _FINE)
    return float(fine[np.argmax([_sharpness(x, y, angle, bin_pixels) for angle in fine])])


def _sharpness(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], degrees: float, bin_pixels: float
) -> float:
    """The sum of squares of both profiles of a page that is turned so."""
    turn = np.deg2rad(degrees)
    total = 0.0
    for across in (y * np.cos(turn) - x * np.sin(turn), x * np.cos(turn) + y * np.sin(turn)):
        bins = np.bincount(((across - across.min()) / bin_pixels).astype(np.int64))
        total += float(np.square(bins, dtype=np.float64).sum())
    return total
