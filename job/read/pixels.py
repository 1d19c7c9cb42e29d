"""Numbers -> pixels on either scale, and what is wrong with numbers that are not pixels.

For the formats that store numbers rather than text (Parquet, IDX); `csv.record` does the same for text. On the scale
255 a pixel is a whole number 0-255. On the scale 1 it is a fraction 0-1, multiplied by 255 and rounded.
"""

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import Pixels, Reason, Reject
from job.settings import PixelScale

_MAX_PIXEL: Final = 255


def to_pixels(numbers: npt.NDArray[Any], scale: PixelScale) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Numbers of any type -> uint8 of the same shape, and bool, which are pixels; the others are undefined."""
    with np.errstate(invalid="ignore", over="ignore"):
        if scale == "1":
            pixels = np.rint(numbers.astype(np.float64) * _MAX_PIXEL).astype(np.uint8)
            return pixels, (numbers >= 0) & (numbers <= 1)
        pixels = numbers.astype(np.uint8)
        return pixels, pixels == numbers


def detect_scale(samples: Iterable[npt.NDArray[Any]]) -> PixelScale:
    """`1` if all numbers are within 0 and 1 and at least one is strictly between, else `255`. NaN is ignored."""
    has_fractions = False
    for sample in samples:
        known = sample[~np.isnan(sample)]
        if not ((known >= 0) & (known <= 1)).all():
            return "255"
        has_fractions = has_fractions or bool(((known > 0) & (known < 1)).any())
    return "1" if has_fractions else "255"


def pixel_reject(row: int, column: str, place: str, value: float | None, scale: PixelScale) -> Reject:
    """The reject for a value that is not a pixel. place: the column's name, with an index where it holds lists."""
    expected = f"expected 0-{scale}"
    if value is None or math.isnan(value):  # pandas writes NaN for a missing value
        return Reject(row, Reason.MISSING_VALUE, f"{place} is empty, {expected}", column)
    if math.isinf(value):
        return Reject(row, Reason.NOT_A_NUMBER, f"{place} is {value}, {expected}", column)
    if not 0 <= value <= int(scale):
        return Reject(row, Reason.OUT_OF_RANGE, f"{place} is {value}, {expected}", column)
    return Reject(row, Reason.NOT_AN_INTEGER, f"{place} is {value}, expected a whole number 0-255", column)
