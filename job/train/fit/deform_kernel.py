"""The hot loop of `augment`: resamples images at displaced points, in about 4 microseconds for an MNIST image.

Numba compiles it and `machine_code` caches the result. Displacements are sums of six products over whole lines, written
out so that LLVM vectorises them; pixels are read only inside the bounding box of the ink.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (Numba infers the types of compiled functions from their arguments.)

from typing import Final

import numba
import numpy as np
from numba import carray, types

from job.contract import PIXELS, SIDE
from job.train.fit.augment import CONTROL_POINTS, LINE, SCRATCH_FLOATS

# Layout of the scratch memory, in lines: a framed image; displacements by axis and column; one line of points (x, y).
_COLUMNS: Final = LINE
_POINTS: Final = _COLUMNS + 2 * CONTROL_POINTS
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
    """Write `rows` deformed images: result[i] is images[order[i]], with each pixel read at a displaced point.

    images, result: uint8 (n, 784). order: int64 (rows). affine: float32 (rows, 2, 3), maps (x, y, 1) to the point
    (x, y) to read, in pixels from the centre of the first pixel. controls: float32 (rows, 2, 6, 6), by axis (x, y),
    line and column: coefficients of a tensor product of splines, added to that point. splines: float32 (6, 32), each
    spline's value at each pixel of a line. scratch: float32 (SCRATCH_FLOATS). Ink between pixels is interpolated
    bilinearly; outside of the image it is 0.
    """
    maps = carray(affine, (rows, 2, 3))
    coefficients = carray(controls, (rows, 2, CONTROL_POINTS, CONTROL_POINTS))
    basis = carray(splines, (CONTROL_POINTS, LINE))
    frame = carray(scratch, LINE * LINE)
    lines = carray(scratch, (SCRATCH_FLOATS // LINE, LINE))
    frame[:] = _ZERO
    for row in range(rows):
        image = carray(images, (order[row] + 1, PIXELS))[order[row]]
        top, bottom, left, right = _copy_into_frame(image, frame)
        for axis in range(2):
            for column in range(CONTROL_POINTS):
                _weighted_sum(
                    _six(coefficients[row, axis, :, column]), basis, lines[_COLUMNS + axis * CONTROL_POINTS + column]
                )
        for y in range(SIDE):
            for axis in range(2):
                first = _COLUMNS + axis * CONTROL_POINTS
                _weighted_sum(_six(lines[first : first + CONTROL_POINTS, y]), basis, lines[_POINTS + axis])
                _add_ramp(
                    maps[row, axis, 0], maps[row, axis, 1] * np.float32(y) + maps[row, axis, 2], lines[_POINTS + axis]
                )
            for x in range(SIDE):
                point_x, point_y = lines[_POINTS, x], lines[_POINTS + 1, x]
                ink = _ZERO
                if left < point_x < right and top < point_y < bottom:
                    ink = _interpolated(frame, point_x, point_y)
                result[row * PIXELS + y * SIDE + x] = np.uint8(np.int32(ink + _HALF))


@numba.njit
def _copy_into_frame(image, frame):
    """Copy an image into the frame; returns the frame lines and columns around its ink: top, bottom, left, right."""
    top, bottom, left, right = SIDE, -1, SIDE, -1
    for y in range(SIDE):
        has_ink = False
        for x in range(SIDE):
            ink = image[y * SIDE + x]
            frame[(y + 1) * LINE + x + 1] = ink
            has_ink |= ink != 0
        if has_ink:
            top, bottom = min(top, y), y
            first, last = 0, SIDE - 1
            while not image[y * SIDE + first]:
                first += 1
            while not image[y * SIDE + last]:
                last -= 1
            left, right = min(left, first), max(right, last)
    return np.float32(top), np.float32(bottom + 2), np.float32(left), np.float32(right + 2)


@numba.njit
def _six(values):
    return values[0], values[1], values[2], values[3], values[4], values[5]


@numba.njit
def _weighted_sum(six, basis, result):
    """result[i] = sum of six[j] * basis[j, i]."""
    for i in range(LINE):
        result[i] = (
            six[0] * basis[0, i] + six[1] * basis[1, i] + six[2] * basis[2, i]
            + six[3] * basis[3, i] + six[4] * basis[4, i] + six[5] * basis[5, i]
        )  # fmt: skip


@numba.njit
def _add_ramp(slope, start, result):
    """result[i] += slope * i + start, in pixels of the frame."""
    for i in range(LINE):
        result[i] += slope * np.float32(i) + (start + _ONE)


@numba.njit
def _interpolated(frame, x, y):
    """The ink at a point between four pixels."""
    column, line = np.int32(x), np.int32(y)
    right_share, lower_share = x - np.float32(column), y - np.float32(line)
    corner = np.intp(line) * LINE + np.intp(column)
    upper = frame[corner] + right_share * (frame[corner + 1] - frame[corner])
    lower = frame[corner + LINE] + right_share * (frame[corner + LINE + 1] - frame[corner + LINE])
    return upper + lower_share * (lower - upper)
