"""Two blurs: ground glass before the lens, and a camera that moves."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import SIDE
from job.train.judge.corruptions.placement import sampled

# Of the glass: the blur's standard deviation in pixels, how far light strays, and how often.
_GLASS_BLUR: Final = 0.7
_STRAY: Final = 1
_PASSES: Final = 2
# Of the motion: its length in pixels.
_MOTION: Final = 7


def glass_blur(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Blur, let each pixel show one of its neighbours, and blur again."""
    images = _blurred(images)
    picture, line, column = np.ogrid[: len(images), :SIDE, :SIDE]
    for _ in range(_PASSES):
        down, right = random.integers(-_STRAY, _STRAY + 1, (2, *images.shape))
        images = images[picture, np.clip(line + down, 0, SIDE - 1), np.clip(column + right, 0, SIDE - 1)]
    return _blurred(images)


def motion_blur(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Average along a line in a random direction."""
    angle = random.uniform(0, np.pi, (len(images), 1, 1))
    places = np.arange(SIDE) - (SIDE - 1) / 2
    result = np.zeros_like(images)
    for step in np.arange(_MOTION) - (_MOTION - 1) / 2:
        result += sampled(images, places + step * np.cos(angle), places[:, None] + step * np.sin(angle))
    return result / _MOTION


def _blurred(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    blurred: npt.NDArray[np.float32] = gaussian_filter(images, (0, _GLASS_BLUR, _GLASS_BLUR), mode="nearest")
    return blurred
