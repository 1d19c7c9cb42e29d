"""Whether images are digits stored column by column: those of `reference_digits` resemble them more one way round."""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, SIDE, Pixels
from job.normalize.form import transposed
from job.normalize.geometry import Ink
from job.normalize.mnist_form import to_mnist_form
from job.normalize.reference_digits import reference_digits

_Floats = npt.NDArray[np.float32]

# The resemblance of digits (of MNIST, USPS and optdigits, of MNIST with noise, lines, blur and rotations) is 0.13 to
# 0.19 higher the right way round. Of 16 of them, drawn 3,000 times, the lowest difference was 0.007, and 0.05 of 32.
_MIN_IMAGES: Final = 16
_MIN_DIFFERENCE: Final = 0.03
# Below, images are no digits either way round: digits, also with fog or noise, resemble the nearest by 0.82 to 0.91.
_MIN_RESEMBLANCE: Final = 0.8
# Bars, and whatever else is wider than tall, are ones when they are turned; digits are of more than one kind.
_MIN_DIGITS: Final = 3
_MIN_SHARE: Final = 0.04
# The mean sign of height minus width is 0.7 for MNIST's digits, and -0.7 if they are transposed.
_TALL_FROM: Final = 0.35


def are_transposed(pixels: Pixels) -> bool:
    """Whether uint8 (n, 784), ink bright and none blank, are certainly digits that are stored column by column."""
    if len(pixels) < _MIN_IMAGES:
        return False
    ink = Ink.of(pixels)
    if np.sign(ink.heights - ink.widths).mean() >= _TALL_FROM:  # the reference digits take 0.1 s to draw
        return False
    likeness, nearest = _nearest(transposed(pixels))
    counts = np.bincount(reference_digits().labels[nearest], minlength=CLASSES)
    are_digits = likeness >= _MIN_RESEMBLANCE and (counts >= _MIN_SHARE * len(pixels)).sum() >= _MIN_DIGITS
    return bool(are_digits) and likeness - _nearest(pixels)[0] >= _MIN_DIFFERENCE


def _nearest(pixels: Pixels) -> tuple[float, npt.NDArray[np.intp]]:
    """How alike images are to the nearest reference digit, in MNIST's form and blurred: 0-1, averaged; which it is."""
    likeness = np.einsum("ik,jk->ij", _directions(to_mnist_form(pixels)), _reference())
    nearest: npt.NDArray[np.intp] = likeness.argmax(axis=1)
    return float(likeness.max(axis=1).mean(dtype=np.float64)), nearest


@cache
def _reference() -> _Floats:
    return _directions(reference_digits().pixels)


def _directions(pixels: Pixels) -> _Floats:
    """Blurred images as vectors of length 1: float32 (n, 784)."""
    values: _Floats = pixels.reshape(-1, SIDE, SIDE).astype(np.float32)
    for _ in range(2):
        for axis in (1, 2):
            values = (values * 2 + np.roll(values, 1, axis) + np.roll(values, -1, axis)) / np.float32(4)
    flat: _Floats = values.reshape(-1, PIXELS)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-9))
    return flat
