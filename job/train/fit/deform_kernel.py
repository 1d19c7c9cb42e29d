"""The hot loop of `augment`: images read at displaced points.

Compiled by Numba, kept and loaded by `machine_code`. Measured: some 4 microseconds an image of MNIST. Displacements are
sums of six products over whole lines, written out so that the compiler turns them into vector code; pixels are looked
up only where the image has ink.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.contract import PIXELS, SIDE
from job.train.fit.augment import LINE, POINTS, SCRATCH

# What the kernel writes on, in lines: a framed image, displacements by axis and column, the points of a line (x, y).
_COLUMNS: Final = LINE
_POINTS: Final = _COLUMNS + 2 * POINTS
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
SIGNATURE: Final = types.void(
    types.CPointer(types.uint8),
    types.CPointer(types.int64),
    types.int64,
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.CPointer(types.float32),
    types.CPointer(types.uint8),
)


@numba.njit
def deform(images, order, rows, affine, controls, splines, scratch, result):
    """Write `rows` deformed images: result[i] is images[order[i]], each pixel read at another point than its own.

    images, result: uint8 (n, 784). order: int64 (rows). affine: float32 (rows, 2, 3), takes (x, y, 1) to the point's
    (x, y), in pixels from the centre of the first. controls: float32 (rows, 2, 6, 6) by axis (x, y), line and column,
    are added to it, as coefficients of a tensor product of splines: float32 (6, 32), the value of each at each pixel
    of a line. scratch: float32, see SCRATCH. Between pixels ink is interpolated bilinearly; outside there is none.
    """
    maps = carray(affine, (rows, 2, 3))
    coefficients = carray(controls, (rows, 2, POINTS, POINTS))
    basis = carray(splines, (POINTS, LINE))
    frame = carray(scratch, LINE * LINE)
    lines = carray(scratch, (SCRATCH // LINE, LINE))
    frame[:] = _ZERO
    for row in range(rows):
        image = carray(images, (order[row] + 1, PIXELS))[order[row]]
        top, bottom, left, right = _put_into_frame(image, frame)
        for axis in range(2):
            for column in range(POINTS):
                _combine(_six(coefficients[row, axis, :, column]), basis, lines[_COLUMNS + axis * POINTS + column])
        for y in range(SIDE):
            for axis in range(2):
                begin = _COLUMNS + axis * POINTS
                _combine(_six(lines[begin : begin + POINTS, y]), basis, lines[_POINTS + axis])
                _add_line(
                    maps[row, axis, 0], maps[row, axis, 1] * np.float32(y) + maps[row, axis, 2], lines[_POINTS + axis]
                )
            for x in range(SIDE):
                right_of, below = lines[_POINTS, x], lines[_POINTS + 1, x]
                ink = _ZERO
                if left < right_of < right and top < below < bottom:
                    ink = _between(frame, right_of, below)
                result[row * PIXELS + y * SIDE + x] = np.uint8(np.int32(ink + _HALF))


@numba.njit
def _put_into_frame(image, frame):
    """Copy an image into its frame; the lines and columns of the frame around its ink: top, bottom, left, right."""
    top, bottom, left, right = SIDE, -1, SIDE, -1
    for y in range(SIDE):
        has_ink = False
        for x in range(SIDE):
            ink = image[y * SIDE + x]
            frame[(y + 1) * LINE + x + 1] = ink
            has_ink |= ink != 0
        if has_ink:
            top, bottom = min(top, y), y
            begin, end = 0, SIDE - 1
            while not image[y * SIDE + begin]:
                begin += 1
            while not image[y * SIDE + end]:
                end -= 1
            left, right = min(left, begin), max(right, end)
    return np.float32(top), np.float32(bottom + 2), np.float32(left), np.float32(right + 2)


@numba.njit
def _six(values):
    return values[0], values[1], values[2], values[3], values[4], values[5]


@numba.njit
def _combine(six, basis, result):
    """result[i] = sum of six[j] * basis[j, i]."""
    for i in range(LINE):
        result[i] = (
            six[0] * basis[0, i] + six[1] * basis[1, i] + six[2] * basis[2, i]
            + six[3] * basis[3, i] + six[4] * basis[4, i] + six[5] * basis[5, i]
        )  # fmt: skip


@numba.njit
def _add_line(slope, begin, result):
    """result[i] += slope * i + begin, in pixels of the frame."""
    for i in range(LINE):
        result[i] += slope * np.float32(i) + (begin + _ONE)


@numba.njit
def _between(frame, x, y):
    """The ink at a point between four pixels."""
    column, line = np.int32(x), np.int32(y)
    right_share, lower_share = x - np.float32(column), y - np.float32(line)
    corner = np.intp(line) * LINE + np.intp(column)
    upper = frame[corner] + right_share * (frame[corner + 1] - frame[corner])
    lower = frame[corner + LINE] + right_share * (frame[corner + LINE + 1] - frame[corner + LINE])
    return upper + lower_share * (lower - upper)
