"""scikit-learn's 1,797 small digits (optdigits), enlarged to MNIST's size."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE, Pixels
from job.train.data.split import FoundImages, Split

# MNIST's digits fill a 20x20 box in the middle of 28x28 (LeCun et al.); optdigits are 8x8 with values 0-16.
_BOX_SIDE: Final = 20
_OPTDIGITS_SIDE: Final = 8
_OPTDIGITS_MAX: Final = 16


def optdigits() -> FoundImages:
    """The 1,797 digits that scikit-learn ships, without a test split."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = Split(_enlarged(found.images), found.target.astype(np.int8))
    return FoundImages("digits", ("digits",), images, origin="scikit-learn")


def _enlarged(images: npt.NDArray[np.float64]) -> Pixels:
    """Enlarge optdigits, (n, 8, 8) with values 0-16, to MNIST's form, uint8 (n, 784)."""
    from scipy.ndimage import zoom

    factor = _BOX_SIDE / _OPTDIGITS_SIDE
    # Cubic splines (order 3) overshoot at sharp edges, so values are clipped to 0-255.
    boxes = zoom(images, (1, factor, factor), order=3, mode="nearest", grid_mode=True)
    margin = (SIDE - _BOX_SIDE) // 2
    framed = np.pad(boxes, ((0, 0), (margin, margin), (margin, margin)))
    return np.clip(np.rint(framed * (255 / _OPTDIGITS_MAX)), 0, 255).astype(np.uint8).reshape(-1, PIXELS)
