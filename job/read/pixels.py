"""Numbers -> pixels: which values are pixels, on either scale, and what is wrong with the others.

Shared by the formats that hold numbers as such, not as text. A pixel is a whole number 0-255; or, where full ink is 1,
anything from 0 to 1, taken times 255 and rounded.
"""

import math
from collections.abc import Iterable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from job.contract import Pixels, Reason, Reject

PixelScale = Literal[1, 255]

_MAX_PIXEL: Final = 255


def to_pixels(numbers: npt.NDArray[Any], full_ink: PixelScale) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Numbers of any type and shape as uint8 of the same shape, and where they are pixels; elsewhere undefined."""
    with np.errstate(invalid="ignore", over="ignore"):
        if full_ink == 1:
            pixels = np.rint(numbers.astype(np.float64) * _MAX_PIXEL).astype(np.uint8)
            return pixels, (numbers >= 0) & (numbers <= 1)
        pixels = numbers.astype(np.uint8)
        return pixels, pixels == numbers


def recognise_scale(samples: Iterable[npt.NDArray[Any]]) -> PixelScale:
    """1 where numbers are all within 0 to 1 and some lie strictly between; else 255. NaN does not count."""
    has_fractions = False
    for sample in samples:
        known = sample[~np.isnan(sample)]
        if not ((known >= 0) & (known <= 1)).all():
            return 255
        has_fractions = has_fractions or bool(((known > 0) & (known < 1)).any())
    return 1 if has_fractions else 255


def pixel_reject(row: int, column: str, place: str, value: float | None, full_ink: PixelScale) -> Reject:
    """What is wrong with a value that is no pixel. place: the column's name, or more exactly where in it."""
    expected = f"expected 0-{full_ink}"
    if value is None or math.isnan(value):  # pandas writes NaN for a missing value
        return Reject(row, Reason.MISSING_VALUE, f"{place} is empty, {expected}", column)
    if math.isinf(value):
        return Reject(row, Reason.NOT_A_NUMBER, f"{place} is {value}, {expected}", column)
    if not 0 <= value <= full_ink:
        return Reject(row, Reason.OUT_OF_RANGE, f"{place} is {value}, {expected}", column)
    return Reject(row, Reason.NOT_AN_INTEGER, f"{place} is {value}, expected a whole number 0-255", column)
