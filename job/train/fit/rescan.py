"""Training images as other pens and scanners give them: coarser, stretched, blurred, thicker or thinner, noisy.

MNIST's digits share one look: the same pens, one scanner, one way of resampling. A network that saw nothing else takes
the look for a part of the digit. So a share of the images is scanned again: cropped to the ink, reduced to a few
pixels, changed there, enlarged to the whole frame, and brought back to MNIST's form, as an input of such pixels would
be. The hot loop is in `rescan_kernel`; `augment` deforms images before.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import PIXELS, Pixels
from job.normalize.mnist_form import to_mnist_form

# The kernel's lines are padded to whole vector registers.
LINE: Final = 32
# Of one image: before, between and after.
SCRATCH_FLOATS: Final = 3 * LINE * LINE
# Longer sides cannot be enlarged to the frame's.
LONGEST: Final = 20
# By column of the kernel's settings.
SETTINGS: Final = 7

# The share of the images that are scanned again that get noise.
_NOISY: Final = 0.5

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rescan:
    """How images are scanned again; every value is drawn independently for each image each time it is shown.

    share: of the images, in 0-1. shortest, longest: bounds of the longer side of the ink in coarse pixels. stretched:
    the share of those whose ink is made square. aspect: of the others, width by height changes by up to this much, in
    natural logarithms. blur: the highest weight of each neighbour. contrast: the highest factor by which pixels move
    away from a level between `lightest` and `darkest`, which makes strokes thinner or thicker. noise: the highest
    standard deviation of half of the images' noise. Levels and noise in pixel values of 0-255.
    """

    share: float
    shortest: int
    longest: int
    stretched: float
    aspect: float
    blur: float
    contrast: float
    lightest: float
    darkest: float
    noise: float


def rescanned(pixels: Pixels, rescan: Rescan, random: np.random.Generator) -> Pixels:
    """The images of uint8 (n, 784), in their order, a share of them scanned again. Releases the GIL."""
    rows = np.flatnonzero(random.random(len(pixels)) < rescan.share)
    count = len(rows)
    has_noise = random.random(count) < _NOISY
    settings = np.column_stack(
        [
            random.integers(rescan.shortest, rescan.longest + 1, count),
            random.random(count) < rescan.stretched,
            np.exp(random.uniform(-rescan.aspect, rescan.aspect, count)),
            random.uniform(0, rescan.blur, count),
            random.uniform(rescan.lightest, rescan.darkest, count),
            np.exp(random.uniform(0, math.log(rescan.contrast), count)),
            random.uniform(0, rescan.noise, count) * has_noise,
        ]
    )
    noise = np.zeros((count, LONGEST, LONGEST), np.float32)
    noise[has_noise] = random.standard_normal((int(has_noise.sum()), LONGEST, LONGEST), np.float32)
    scanned = to_mnist_form(_scanned(pixels[rows], settings.astype(np.float32), noise))
    result = pixels.copy()
    result[rows] = scanned
    return result


def _scanned(pixels: Pixels, settings: _Floats, noise: _Floats) -> Pixels:
    result = np.empty((len(pixels), PIXELS), np.uint8)
    scratch = np.empty(SCRATCH_FLOATS, np.float32)
    arrays: list[npt.NDArray[Any]] = [np.ascontiguousarray(pixels), np.ascontiguousarray(settings), noise]
    images, values, grain = (array.ctypes.data for array in arrays)
    kernel("job.train.fit.rescan_kernel", "rescan")(
        images, len(pixels), values, grain, scratch.ctypes.data, result.ctypes.data
    )
    return result
