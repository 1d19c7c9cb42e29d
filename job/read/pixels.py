"""Numbers -> pixels on either scale, which of the two it is, and what is wrong with numbers that are not pixels.

`inverted` is for images of any format whose digits are dark on white.

For the formats that store numbers rather than text (Parquet, IDX); `csv.record` does the same for text, by the same
constants. On the scale 255 a pixel is a whole number 0-255. On the scale 1 it is a fraction 0-1, multiplied by 255 and
rounded.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, PixelBatch, Pixels, Reason, Reject
from job.errors import LayoutError
from job.flag_names import Flag
from job.settings import PixelScale

MAX_PIXEL: Final = 255

# How far a stored number may be from a pixel value. Dividing by 255 and multiplying again in float32 leaves an error of
# up to 1.5e-5, half precision's smallest step at 1/255 is 4e-6, and values printed with two decimals are off by more.
PIXEL_TOLERANCE: Final = 1e-3

# Images of ink on a background reach 250 or so. Digits of 4 bits (0-15), of six (0-63) and optdigits (0-16) stay far
# below that, in more images than anyone would draw so faintly.
FAINT: Final = 63
FAINT_FROM_IMAGES: Final = 20
# One bad record costs itself. Of standardised images, most pixels are the background, which is negative.
_MOSTLY_NEGATIVE: Final = 0.1


def tolerance(scale: PixelScale) -> float:
    """How far a stored number may be from a value of the scale: 1e-3 of 255 levels."""
    return PIXEL_TOLERANCE if scale == "255" else PIXEL_TOLERANCE / MAX_PIXEL


def to_pixels(numbers: npt.NDArray[Any], scale: PixelScale) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Numbers of any type -> uint8 of the same shape, and bool, which are pixels; the others are undefined."""
    with np.errstate(invalid="ignore", over="ignore"):
        if scale == "255":
            pixels = numbers.astype(np.uint8)
            is_pixel = pixels == numbers
            if is_pixel.all() or not np.issubdtype(numbers.dtype, np.floating):
                return pixels, is_pixel
        levels = numbers.astype(np.float64) * (MAX_PIXEL if scale == "1" else 1)
        nearest = np.clip(np.rint(levels), 0, MAX_PIXEL)
        if scale == "1":
            is_pixel = (levels >= -PIXEL_TOLERANCE) & (levels <= MAX_PIXEL + PIXEL_TOLERANCE)
        else:
            is_pixel = np.abs(levels - nearest) <= PIXEL_TOLERANCE
        return nearest.astype(np.uint8), is_pixel


def detect_scale(samples: Iterable[npt.NDArray[Any]], where: str) -> PixelScale:
    """The scale of a file by its first numbers: `1` if all are within 0 and 1 and some lie between, `255` if not.

    NaN is ignored. Blank images alone, or none, are taken as 255: 0 means the same on both scales. `where` names the
    file in errors. Raises LayoutError where the numbers leave the scale in doubt, because a wrong one costs nine of ten
    predictions, and no later check can tell it from difficult digits.
    """
    lowest, highest, negative, count = math.inf, -math.inf, 0, 0
    has_fractions = False
    for sample in samples:
        known = sample[~np.isnan(sample)]
        if not known.size:
            continue
        lowest, highest = min(lowest, float(known.min())), max(highest, float(known.max()))
        negative += int((known < -PIXEL_TOLERANCE).sum())
        count += known.size
        if highest > FAINT:
            return "255"
        has_fractions = has_fractions or bool(((known > PIXEL_TOLERANCE) & (known < 1 - PIXEL_TOLERANCE)).any())
    if not count or not highest:
        return "255"
    if negative > count * _MOSTLY_NEGATIVE:
        raise LayoutError(
            f"{where}: pixels of the first images go from {lowest:g} to {highest:g}; expected 0-255 or 0-1, with 0 for "
            "the background; undo the standardisation, or add 1 and divide by 2 if they are -1 to 1"
        )
    if lowest < -PIXEL_TOLERANCE:
        return "255"
    if highest > 1 + PIXEL_TOLERANCE:
        if count < FAINT_FROM_IMAGES * PIXELS:
            return "255"
        raise LayoutError(
            f"{where}: no pixel of the first images is above {highest:g}, so they may not be on the scale 0-255; "
            f"rescale them, or add {Flag.SCALE} 255 if they are that faint"
        )
    if has_fractions:
        return "1"
    raise LayoutError(
        f"{where}: all pixels of the first images are 0 or 1, so their scale is in doubt; add {Flag.SCALE} 1 if 1 is "
        f"full ink (binary images), or {Flag.SCALE} 255 if it is nearly none. If fractions were cut to whole numbers, "
        "write the file again"
    )


def inverted(batch: PixelBatch) -> PixelBatch:
    """The same records with 255 minus each pixel; those without a valid image stay 0."""
    pixels = ~batch.pixels  # of bytes, the complement
    pixels[[reject.row for reject in batch.rejects if reject.reason.is_fatal]] = 0
    return replace(batch, pixels=pixels)


def pixel_reject(row: int, column: str, place: str, value: float | None, scale: PixelScale) -> Reject:
    """The reject for a value that is not a pixel. place: the column's name, with an index where it holds lists."""
    expected = f"expected 0-{scale}"
    if value is None or math.isnan(value):  # pandas writes NaN for a missing value
        return Reject(row, Reason.MISSING_VALUE, f"{place} is empty, {expected}", column)
    if math.isinf(value):
        return Reject(row, Reason.NOT_A_NUMBER, f"{place} is {value}, {expected}", column)
    if not -tolerance(scale) <= value <= int(scale) + tolerance(scale):
        return Reject(row, Reason.OUT_OF_RANGE, f"{place} is {value}, {expected}", column)
    return Reject(row, Reason.NOT_AN_INTEGER, f"{place} is {value}, expected a whole number 0-255", column)
