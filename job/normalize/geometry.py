"""What images look like, measured one by one: where the ink is, what lies around it, and how clean it is.

`decision` judges a file by the first of its images.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import SIDE, Pixels
from job.normalize.mnist_form import BOX_SIDE, INK_PART

_Bools = npt.NDArray[np.bool_]
_Integers = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

# Of MNIST's 60,000 training images all but three are within these limits. The centre of ink is rounded to a pixel.
_BOX_TOLERANCE: Final = 1
_CENTRE_TOLERANCE: Final = 1.0

# Images that are measured at a time, for memory's sake.
_AT_ONCE: Final = 4096

_RING: Final = np.ones((SIDE, SIDE), np.bool_)
_RING[1:-1, 1:-1] = False


@dataclass(frozen=True)
class Ink:
    """Where the ink of n images is, none of them blank. heights, widths int64 (n,): of its bounding box.

    down, across float64 (n,): how far its centre of mass is from the middle, in pixels.
    """

    heights: _Integers
    widths: _Integers
    down: _Floats
    across: _Floats

    @classmethod
    def of(cls, pixels: Pixels) -> "Ink":
        """Measure uint8 (n, 784), ink bright."""
        images = pixels.reshape(-1, SIDE, SIDE)
        is_ink = inked(images)
        total = images.sum(axis=(1, 2), dtype=np.float64)
        places = np.arange(SIDE) - (SIDE - 1) / 2
        # Not as matrix products, whose library takes more memory than a small container has.
        down = (images.sum(axis=2, dtype=np.float64) * places).sum(axis=1) / total
        across = (images.sum(axis=1, dtype=np.float64) * places).sum(axis=1) / total
        lines, columns = np.asarray(is_ink.any(axis=2)), np.asarray(is_ink.any(axis=1))
        return cls(_extents(lines), _extents(columns), down, across)

    @property
    def is_in_form(self) -> _Bools:
        """Bool (n,): whether an image is in MNIST's form, as far as its box and its centre show."""
        longer = np.maximum(self.heights, self.widths)
        offset = np.maximum(np.abs(self.down), np.abs(self.across))
        in_form: _Bools = (np.abs(longer - BOX_SIDE) <= _BOX_TOLERANCE) & (offset <= _CENTRE_TOLERANCE)
        return in_form


def share_in_form(pixels: Pixels) -> float:
    """The share of uint8 (n, 784) images in MNIST's form; blank ones are not counted, and none at all are 1."""
    pixels = pixels[pixels.any(axis=1)]
    shares = [Ink.of(pixels[start : start + _AT_ONCE]).is_in_form for start in range(0, len(pixels), _AT_ONCE)]
    return float(np.concatenate(shares).mean()) if shares else 1.0


def inked(images: Pixels) -> _Bools:
    """Which pixels of uint8 (n, 28, 28) are ink, as `mnist_form` crops an image: bool (n, 28, 28)."""
    least = np.maximum(images.max(axis=(1, 2), keepdims=True) // INK_PART, 1)
    is_ink: _Bools = images >= least
    return is_ink


def specks(pixels: Pixels) -> _Floats:
    """The share of each image's inked pixels whose eight neighbours are not inked: float64 (n,). Noise has many."""
    is_ink = inked(pixels.reshape(-1, SIDE, SIDE))
    framed = np.pad(is_ink, ((0, 0), (1, 1), (1, 1))).astype(np.uint8)
    lines = framed[:, :-2] + framed[:, 1:-1] + framed[:, 2:]
    around = lines[:, :, :-2] + lines[:, :, 1:-1] + lines[:, :, 2:]
    alone = is_ink & (around == 1)
    shares: _Floats = alone.sum(axis=(1, 2)) / np.maximum(is_ink.sum(axis=(1, 2)), 1)
    return shares


def rings(pixels: Pixels) -> Pixels:
    """The outermost pixels of uint8 (n, 784): uint8 (n, 108)."""
    return pixels[:, _RING.ravel()]


def _extents(is_set: _Bools) -> _Integers:
    """The distance from the first to the last True, both included, in each row of bool (n, 28)."""
    before: _Integers = is_set.argmax(axis=1)
    after: _Integers = is_set[:, ::-1].argmax(axis=1)
    return SIDE - before - after
