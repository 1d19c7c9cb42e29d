"""scikit-learn's 1,797 small digits (optdigits), enlarged to MNIST's size."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE, Pixels
from job.train.data.split import Origin, Split

# MNIST's digits fill a box of 20x20 in the middle of 28x28 (LeCun et al.); optdigits are 8x8 with values 0-16.
_BOX_SIDE: Final = 20
_OPTDIGITS_SIDE: Final = 8
_OPTDIGITS_MAX: Final = 16


def optdigits() -> Origin:
    """The 1,797 digits that come with scikit-learn, without a test split."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return Origin("digits", "digits", Split(_enlarged(found.images), found.target.astype(np.int8)))


def _enlarged(images: npt.NDArray[np.float64]) -> Pixels:
    """Optdigits, (n, 8, 8) with values 0-16 -> uint8 (n, 784) as MNIST would hold them."""
    from scipy.ndimage import zoom

    factor = _BOX_SIDE / _OPTDIGITS_SIDE
    # Cubic splines (order 3) overshoot at sharp edges; what leaves 0-255 is clipped.
    boxes = zoom(images, (1, factor, factor), order=3, mode="nearest", grid_mode=True)
    margin = (SIDE - _BOX_SIDE) // 2
    framed = np.pad(boxes, ((0, 0), (margin, margin), (margin, margin)))
    return np.clip(np.rint(framed * (255 / _OPTDIGITS_MAX)), 0, 255).astype(np.uint8).reshape(-1, PIXELS)
