"""Noise of the sensor: few photons, and dead or hot pixels."""

from typing import Final

import numpy as np
import numpy.typing as npt

# How many photons a pixel of full ink counts on average.
_PHOTONS: Final = 3
# The share of pixels that are dead or hot, half of them each.
_IMPULSES: Final = 0.2


def shot_noise(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Count photons: each pixel is Poisson-distributed around its brightness."""
    return random.poisson(images * _PHOTONS).astype(np.float32) / _PHOTONS


def impulse_noise(images: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.floating]:
    """Salt and pepper: some pixels are black or white, whatever they show."""
    drawn = random.random(images.shape, np.float32)
    salted = np.where(drawn < _IMPULSES / 2, np.float32(1), images)
    return np.where(drawn >= 1 - _IMPULSES / 2, np.float32(0), salted)
