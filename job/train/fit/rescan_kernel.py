"""The hot loop of `rescan`: resamples the ink of an image to a few pixels, changes them, and enlarges them again.

Numba compiles it and `machine_code` caches the result.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.contract import PIXELS, SIDE
from job.train.fit.rescan import LINE, LONGEST, SETTINGS

SIGNATURE: Final = types.void(
    types.CPointer(types.uint8),
    types.int64,
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.CPointer(types.uint8),
)
# Fainter pixels around the ink are no ink.
_INK: Final = 16
# A digit that is much taller than wide stays so: stretched, a one would be a block.
_NARROW: Final = np.float32(0.35)
_ZERO, _HALF, _ONE, _TWO, _FULL = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2), np.float32(255)


@numba.njit
def rescan(images, rows, settings, noise, scratch, result):
    """Write `rows` images, scanned again, from uint8 (rows, 784) to `result`, the ink in the first lines and columns.

    settings: float32 (rows, 7): the longer side of the ink in coarse pixels, whether it is made square, the factor of
    its width, the weight of each neighbour, the level, the contrast, and the noise's deviation. noise: float32
    (rows, 20, 20). scratch: float32 (3, 32, 32).
    """
    source, target = carray(images, (rows, PIXELS)), carray(result, (rows, PIXELS))
    values, grain = carray(settings, (rows, SETTINGS)), carray(noise, (rows, LONGEST, LONGEST))
    first, between, coarse = carray(scratch, (3, LINE, LINE))
    for row in range(rows):
        target[row, :] = 0
        height, width = _crop(source[row], first)
        if height == 0:
            continue
        side, is_square, aspect, blur, level, contrast, deviation = values[row]
        new_height, new_width = _coarse_size(height, width, np.int64(side), is_square > _HALF, aspect)
        _resample(first, height, width, new_height, new_width, between, coarse)
        _blur(coarse, new_height, new_width, blur, between)
        _change(coarse, new_height, new_width, level, contrast, deviation, grain[row])
        enlarged = np.float32(SIDE) / side
        last_height, last_width = _scaled(new_height, enlarged), _scaled(new_width, enlarged)
        _resample(coarse, new_height, new_width, last_height, last_width, between, first)
        for line in range(last_height):
            for column in range(last_width):
                target[row, line * SIDE + column] = np.uint8(first[line, column] + _HALF)


@numba.njit
def _crop(image, crop):
    """Copy the ink to the first lines and columns; returns its height and width, 0 if there is none."""
    top, bottom, left, right = SIDE, -1, SIDE, -1
    for line in range(SIDE):
        for column in range(SIDE):
            if image[line * SIDE + column] >= _INK:
                top, bottom = min(top, line), line
                left, right = min(left, column), max(right, column)
    for line in range(bottom - top + 1):
        for column in range(right - left + 1):
            crop[line, column] = np.float32(image[(top + line) * SIDE + left + column])
    return max(0, bottom - top + 1), max(0, right - left + 1)


@numba.njit
def _coarse_size(height, width, side, is_square, aspect):
    ratio = np.float32(width) / np.float32(height)
    if is_square and ratio >= _NARROW:
        return side, side
    ratio *= aspect
    if ratio <= _ONE:
        return side, max(2, np.int64(np.float32(side) * ratio + _HALF))
    return max(2, np.int64(np.float32(side) / ratio + _HALF)), side


@numba.njit
def _scaled(length, factor):
    return min(SIDE, max(1, np.int64(np.float32(length) * factor + _HALF)))


@numba.njit
def _reach(length, new_length, new):
    """Which old positions a new one is a sum of: the centre and the half width of its triangle, the first, the last."""
    step = np.float32(length) / np.float32(new_length)
    half = max(step, _ONE)
    centre = (np.float32(new) + _HALF) * step
    first = max(0, np.int64(centre - half))
    return centre, half, first, min(length, np.int64(centre + half) + 1)


@numba.njit
def _weight(old, centre, half):
    """As in `normalize.mnist_form.triangle_weights`, before they are divided by their sum."""
    return max(_ZERO, _ONE - abs(np.float32(old) + _HALF - centre) / half)


@numba.njit
def _resample(image, height, width, new_height, new_width, between, result):
    for line in range(new_height):
        centre, half, first, last = _reach(height, new_height, line)
        total = _ZERO
        for old in range(first, last):
            total += _weight(old, centre, half)
        between[line, :] = _ZERO
        for old in range(first, last):
            weight = _weight(old, centre, half) / total
            for column in range(LINE):
                between[line, column] += weight * image[old, column]
    for column in range(new_width):
        centre, half, first, last = _reach(width, new_width, column)
        total = _ZERO
        for old in range(first, last):
            total += _weight(old, centre, half)
        for line in range(new_height):
            result[line, column] = _ZERO
        for old in range(first, last):
            weight = _weight(old, centre, half) / total
            for line in range(new_height):
                result[line, column] += weight * between[line, old]


@numba.njit
def _blur(image, height, width, weight, between):
    """Add the neighbours on either side, `weight` of each, along lines and then along columns."""
    middle = _ONE - _TWO * weight
    for line in range(height):
        for column in range(width):
            before = image[line, column - 1] if column > 0 else _ZERO
            after = image[line, column + 1] if column < width - 1 else _ZERO
            between[line, column] = middle * image[line, column] + weight * (before + after)
    for line in range(height):
        for column in range(width):
            before = between[line - 1, column] if line > 0 else _ZERO
            after = between[line + 1, column] if line < height - 1 else _ZERO
            image[line, column] = middle * between[line, column] + weight * (before + after)


@numba.njit
def _change(image, height, width, level, contrast, deviation, noise):
    """Stretch to full ink, move values away from the level, and add noise."""
    highest = _ONE
    for line in range(height):
        for column in range(width):
            highest = max(highest, image[line, column])
    for line in range(height):
        for column in range(width):
            value = (image[line, column] * (_FULL / highest) - level) * contrast + level
            image[line, column] = min(max(value + deviation * noise[line, column], _ZERO), _FULL)
