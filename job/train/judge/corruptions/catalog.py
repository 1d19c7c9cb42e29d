"""The fifteen corruptions by name, each at one severity, and how they are applied to images of bytes.

Written from the description in N. Mu and J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision", 2019. The
images are not MNIST-C's own: levels and random numbers are this module's. Its neighbours draw; `robustness` measures.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import PIXELS, SIDE, Pixels
from job.train.judge.corruptions.blur import glass_blur, motion_blur
from job.train.judge.corruptions.edges import canny_edges
from job.train.judge.corruptions.noise import impulse_noise, shot_noise
from job.train.judge.corruptions.placement import rotate, scale, shear, translate
from job.train.judge.corruptions.strokes import dotted_line, zigzag
from job.train.judge.corruptions.weather import brightness, fog, spatter, stripe

# A corruption: float32 (n, 28, 28) in 0-1 and a source of random numbers -> the same shape, in whatever range.
Corruption = Callable[[npt.NDArray[np.float32], np.random.Generator], npt.NDArray[np.floating]]

CORRUPTIONS: Final[dict[str, Corruption]] = {
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "shear": shear,
    "scale": scale,
    "rotate": rotate,
    "brightness": brightness,
    "translate": translate,
    "stripe": stripe,
    "fog": fog,
    "spatter": spatter,
    "dotted_line": dotted_line,
    "zigzag": zigzag,
    "canny_edges": canny_edges,
}

# Images are corrupted in blocks with random numbers of their own, so that memory stays flat, and the first images of a
# set are the same however many follow.
_BLOCK_ROWS: Final = 250


def corrupted(pixels: Pixels, name: str, seed: int) -> Pixels:
    """Corrupt images, uint8 (n, 784) with ink 255 on background 0; the same images and seed give the same bytes.

    name: of CORRUPTIONS; raises KeyError for any other. seed: 0 or more.
    """
    corruption, number = CORRUPTIONS[name], list(CORRUPTIONS).index(name)
    result = np.empty_like(pixels)
    for first in range(0, len(pixels), _BLOCK_ROWS):
        block = pixels[first : first + _BLOCK_ROWS]
        # All draws are for a full block: what an image gets depends on its place alone.
        full = np.zeros((_BLOCK_ROWS, SIDE, SIDE), np.float32)
        full[: len(block)] = block.reshape(-1, SIDE, SIDE) / np.float32(255)
        values = corruption(full, np.random.default_rng([seed, number, first]))[: len(block)]
        result[first : first + len(block)] = np.rint(np.clip(values, 0, 1) * 255).reshape(-1, PIXELS)
    return result
