"""What light, weather and dirt do: a bright background, an inverted stripe, fog, and drops on the lens."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import SIDE

_BRIGHTNESS: Final = 0.4
# The columns that are inverted.
_STRIPE: Final = slice(7, 21)
# How bright fog is where it is thickest, of the ink as 1; and how much smoother it is at each finer scale.
_FOG: Final = 1.5
_FOG_DECAY: Final = 2.0
# Drops: the standard deviation of the noise's blur in pixels, the share of the area, and their brightness.
_DROP_SIZE: Final = 1.2
_DROP_SHARE: Final = 0.15
_DROP_INK: Final = 0.6

_Images = npt.NDArray[np.float32]


def brightness(images: _Images, _random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Make everything brighter; ink is at its limit already."""
    return images + np.float32(_BRIGHTNESS)


def stripe(images: _Images, _random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Invert the columns in the middle."""
    striped = images.copy()
    striped[:, :, _STRIPE] = 1 - striped[:, :, _STRIPE]
    return striped


def fog(images: _Images, random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Add clouds, and let the exposure follow."""
    return (images + _FOG * _clouds(len(images), random)) / (1 + _FOG)


def spatter(images: _Images, random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Cover parts with drops of grey."""
    from scipy.ndimage import gaussian_filter

    thickness = gaussian_filter(random.standard_normal(images.shape, np.float32), (0, _DROP_SIZE, _DROP_SIZE))
    edge = np.quantile(thickness, 1 - _DROP_SHARE)
    # A drop's edge is soft, and as wide as its noise is rough.
    cover = np.clip((thickness - edge) / thickness.std() * 2, 0, 1)
    covered: npt.NDArray[np.float32] = images * (1 - cover) + _DROP_INK * cover
    return covered


def _clouds(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Plasma fractals in 0-1, (n, 28, 28), by the diamond-square algorithm on a torus of 32 x 32.

    Source: A. Fournier, D. Fussell, L. Carpenter, "Computer Rendering of Stochastic Models", CACM 25 (1982) 371-384.
    """
    side = 32
    heights = np.zeros((count, side, side))
    step, wobble = side, 1.0
    while step > 1:
        half = step // 2
        corners = heights[:, ::step, ::step]
        lines = corners + np.roll(corners, -1, 1)
        centres = (lines + np.roll(lines, -1, 2)) / 4 + random.uniform(-wobble, wobble, corners.shape)
        heights[:, half::step, half::step] = centres
        # Each edge has two corners beside it, and two centres.
        above = corners + np.roll(corners, -1, 2) + centres + np.roll(centres, 1, 1)
        left = corners + np.roll(corners, -1, 1) + centres + np.roll(centres, 1, 2)
        heights[:, ::step, half::step] = above / 4 + random.uniform(-wobble, wobble, corners.shape)
        heights[:, half::step, ::step] = left / 4 + random.uniform(-wobble, wobble, corners.shape)
        step, wobble = half, wobble / _FOG_DECAY
    low, high = (limit(heights, axis=(1, 2), keepdims=True) for limit in (np.min, np.max))
    clouds: npt.NDArray[np.float64] = ((heights - low) / (high - low))[:, :SIDE, :SIDE]
    return clouds
