"""Images sheared, shrunk, rotated and moved; and the sampling of pixels at displaced points that all of it needs."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import SIDE

# Pixels to the side for each line; share of the size; radians; pixels.
_SHEAR: Final = 0.4
_SCALE: Final = 0.7
_ROTATION: Final = 0.4
_SHIFT: Final = 3
_MIDDLE: Final = (SIDE - 1) / 2
# Of the background around an image, so that interpolation needs no exception: one pixel before it, two behind.
_BEFORE, _BEHIND = 1, 2
_FRAME_SIDE: Final = SIDE + _BEFORE + _BEHIND


def shear(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Slant to the left or to the right."""
    slope = _SHEAR * _signs(len(images), random)
    x, y = _grid()
    return sampled(images, x + slope * y, y)


def scale(images: npt.NDArray[np.float32], _random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Shrink around the middle."""
    x, y = _grid()
    return sampled(images, x / _SCALE, y / _SCALE)


def rotate(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Rotate around the middle, by the same angle to the left or to the right."""
    cosine, sine = np.cos(_ROTATION), np.sin(_ROTATION) * _signs(len(images), random)
    x, y = _grid()
    return sampled(images, cosine * x + sine * y, cosine * y - sine * x)


def translate(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Move towards a corner."""
    x, y = _grid()
    return sampled(images, x + _SHIFT * _signs(len(images), random), y + _SHIFT * _signs(len(images), random))


def sampled(
    images: npt.NDArray[np.float32], x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """The images, float32 (n, 28, 28), read at other points, with bilinear interpolation; outside they are 0.

    x, y: columns and lines to read, counted from the middle of the image; they broadcast to (n, 28, 28).
    """
    frame = np.pad(images, ((0, 0), (_BEFORE, _BEHIND), (_BEFORE, _BEHIND))).ravel()
    columns = np.clip(np.broadcast_to(x, images.shape) + _MIDDLE, -1, SIDE) + _BEFORE
    lines = np.clip(np.broadcast_to(y, images.shape) + _MIDDLE, -1, SIDE) + _BEFORE
    left, top = columns.astype(np.intp), lines.astype(np.intp)
    right_share, lower_share = (columns - left).astype(np.float32), (lines - top).astype(np.float32)
    corner = np.arange(len(images))[:, None, None] * _FRAME_SIDE**2 + top * _FRAME_SIDE + left
    upper = frame[corner] * (1 - right_share) + frame[corner + 1] * right_share
    corner += _FRAME_SIDE
    lower = frame[corner] * (1 - right_share) + frame[corner + 1] * right_share
    blended: npt.NDArray[np.float32] = upper * (1 - lower_share) + lower * lower_share
    return blended


def _grid() -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """The columns, (1, 1, 28), and lines, (1, 28, 1), of an image, counted from its middle."""
    places = np.arange(SIDE) - _MIDDLE
    return places[None, None, :], places[None, :, None]


def _signs(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """-1 or 1 for each image, (n, 1, 1)."""
    return random.choice((-1.0, 1.0), (count, 1, 1))
