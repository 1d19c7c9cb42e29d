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
_CLEAR: Final = 3.5
# Rows of digits: how many digits it takes, and how many are looked at; how far apart they are at most and how little
# they may be off their row, of a digit's height; how many more pairs are aligned than at other angles.
_FEWEST: Final = 6
_CENTRES: Final = 300
_FAR: Final = 12.0
_LOOSE: Final = 0.35
_ALIGNED: Final = 1.75


def skew_of(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], bin_pixels: float) -> float:
    """Degrees by which to turn a page counter-clockwise (as `Image.rotate` does) so that its rows are level; or 0.

    x, y: (n,) coordinates of ink, of which some are taken. bin_pixels: the width of a profile's bins.
    """
    if not len(x):
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


def skew_of_digits(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], scale: float) -> float:
    """The same from the centres of a few digits, which stand in rows or columns only roughly."""
    if len(x) < _FEWEST:
        return 0.0
    step = -(-len(x) // _CENTRES)
    dx, dy = (np.subtract.outer(values[::step], values[::step]).ravel() for values in (x, y))
    is_near = (np.hypot(dx, dy) < _FAR * scale) & (np.hypot(dx, dy) > 0)
    dx, dy = dx[is_near], dy[is_near]
    angles = np.arange(-_REACH_DEGREES, _REACH_DEGREES + 0.2, 0.2)
    scores = np.array([_alignment(dx, dy, angle, scale) for angle in angles])
    # A best angle at the end of the range is a slope of chance.
    if scores.max() < _ALIGNED * np.median(scores) or scores.argmax() in {0, len(scores) - 1}:
        return 0.0
    return float(angles[scores.argmax()])


def _alignment(dx: npt.NDArray[np.float64], dy: npt.NDArray[np.float64], degrees: float, scale: float) -> float:
    """How many pairs of digits are level or upright to each other on a page that is turned so."""
    turn = np.deg2rad(degrees)
    across, along = dy * np.cos(turn) - dx * np.sin(turn), dx * np.cos(turn) + dy * np.sin(turn)
    return float(sum(np.exp(-np.square(each / (_LOOSE * scale))).sum() for each in (across, along)))


def _sharpness(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], degrees: float, bin_pixels: float) -> float:
    """The sum of squares of both profiles of a page that is turned so."""
    turn = np.deg2rad(degrees)
    total = 0.0
    for across in (y * np.cos(turn) - x * np.sin(turn), x * np.cos(turn) + y * np.sin(turn)):
        bins = np.bincount(((across - across.min()) / bin_pixels).astype(np.int64))
        total += float(np.square(bins, dtype=np.float64).sum())
    return total
