"""Five hundred digits that look like MNIST's, to find out what a network from elsewhere expects.

They are the first fifty of each digit of scikit-learn's `load_digits` (E. Alpaydin and C. Kaynak, "Optical Recognition
of Handwritten Digits", UCI Machine Learning Repository, 1998, CC BY 4.0), 8x8 with values 0-16. They come with the
package, because scoring does without scikit-learn. `input_range` uses them.
"""

import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE, Labels, Pixels

_SMALL_SIDE: Final = 8
_SMALL_MAX: Final = 16
# MNIST's digits fill a box of this side, and are placed by their centre of mass (LeCun et al.).
_BOX_SIDE: Final = 20
# Enlarged strokes are blurred. With this threshold and gain, networks trained on MNIST classify the most digits right
# (measured: 81 %, instead of 71 %), and the mean and deviation of the pixels are MNIST's.
_THRESHOLD: Final = 0.4
_GAIN: Final = 3


@dataclass(frozen=True)
class ReferenceDigits:
    """pixels: uint8 (n, 784). labels: int8 (n,)."""

    pixels: Pixels
    labels: Labels


@cache
def reference_digits() -> ReferenceDigits:
    """The digits; treat them as read-only."""
    content = resources.files("job.model").joinpath("reference_digits.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        small, labels = arrays["images"].reshape(-1, _SMALL_SIDE, _SMALL_SIDE), arrays["labels"]
    weights = _enlarging()
    boxes = np.clip((weights @ (small / _SMALL_MAX) @ weights.T - _THRESHOLD) * _GAIN, 0, 1)
    pixels = np.zeros((len(boxes), SIDE, SIDE))
    margin = (SIDE - _BOX_SIDE) // 2
    pixels[:, margin:-margin, margin:-margin] = boxes
    centred = np.stack([_centred(each) for each in pixels])
    return ReferenceDigits(np.rint(centred * 255).astype(np.uint8).reshape(-1, PIXELS), labels)


def _enlarging() -> npt.NDArray[np.float64]:
    """(20, 8): each of 20 pixels as a weighted sum of 8, by cubic convolution (R. Keys 1981, a = -0.5)."""
    places = (np.arange(_BOX_SIDE) + 0.5) * _SMALL_SIDE / _BOX_SIDE - 0.5
    weights = np.zeros((_BOX_SIDE, _SMALL_SIDE))
    for row, place in enumerate(places):
        for neighbour in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            distance = abs(place - neighbour)
            near = 1.5 * distance**3 - 2.5 * distance**2 + 1
            far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
            # Beyond the edges, the pixels of the edges are repeated.
            weights[row, min(max(neighbour, 0), _SMALL_SIDE - 1)] += near if distance <= 1 else far
    return weights


def _centred(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Moved by whole pixels, so that the centre of mass is nearest to the middle."""
    places = np.arange(SIDE)
    total = image.sum()
    down, right = (round((SIDE - 1) / 2 - float(places @ image.sum(axis=axis)) / total) for axis in (1, 0))
    return np.roll(image, (down, right), (0, 1))
