"""Grey pixels of a picture of one digit -> its ink: 0 where there is background, 255 where there is full ink.

The background of a photo is uneven: it is estimated as a smooth surface, and ink is what differs from it to the one
side, darker or lighter, that differs more. Used by `digit`; sheets have a finder of their own.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.read.pictures.decoding import Grey

Surface = npt.NDArray[np.float32]

# The background is fitted to the means of about this many by this many blocks.
_GRID: Final = 48
_ROUNDS: Final = 6
# Noise of a photo, as a share of full contrast; what is fainter than that is paper.
_MIN_CONTRAST: Final = 12
_NOISE_FACTOR: Final = 3.0
# Ink begins at this share of the darkest ink, and is full at the other.
_FAINT: Final = 0.25
_FULL: Final = 0.75


def ink_of(grey: Grey, *, is_dark: bool | None = None) -> Grey | None:
    """The ink of a picture, uint8 (h, w); None if it shows nothing. grey: uint8 (h, w), 0 is black.

    is_dark: the ink is darker than the background; None: decided by the picture.
    """
    difference = grey.astype(np.float32)
    difference -= background(grey)
    if is_dark is None:
        is_dark = is_ink_dark(difference)
    if is_dark:
        np.negative(difference, out=difference)
    peak = float(np.quantile(difference, 0.995))
    noise = _noise(difference)
    if peak < max(_MIN_CONTRAST, _NOISE_FACTOR * noise):
        return None
    low = max(_FAINT * peak, _NOISE_FACTOR * noise)
    high = max(_FULL * peak, low + 1)
    ink: Grey = np.rint(np.clip((difference - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)
    return ink


def background(grey: Grey) -> Surface:
    """The brightness of the background at each pixel, float32 (h, w).

    A quadratic surface, fitted again and again to what is near it: least trimmed squares (Rousseeuw 1984).
    """
    height, width = grey.shape
    blocks, ys, xs = _block_means(grey)
    terms = _terms(ys, xs)
    kept = np.ones(len(blocks), np.bool_)
    # The median is on the background if that is the larger part of the picture.
    residuals = blocks - np.median(blocks)
    for _ in range(_ROUNDS):
        limit = np.quantile(np.abs(residuals), 0.6)
        kept = np.abs(residuals) <= limit
        weights, *_rest = np.linalg.lstsq(terms[kept], blocks[kept], rcond=None)
        residuals = blocks - terms @ weights
    down, across = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    a, b, c, d, e, f = (np.float32(each) for each in weights)
    surface: Surface = (a + b * down + c * down**2)[:, None] + (d * across + e * across**2)[None, :]
    surface += (f * down)[:, None] * across[None, :]
    return surface


def is_ink_dark(difference: Surface) -> bool:
    """Whether what differs most from the background is darker than it. difference: pixel minus background."""
    flat = difference.ravel()[:: max(1, difference.size // 65536)]
    return bool(-np.quantile(flat, 0.01) >= np.quantile(flat, 0.99))


def _block_means(grey: Grey) -> tuple[Surface, Surface, Surface]:
    """Means of blocks, (n,), and where their centres are, from -1 to 1 down and across."""
    height, width = grey.shape
    rows, columns = min(_GRID, height), min(_GRID, width)
    row_starts = np.arange(rows) * height // rows
    column_starts = np.arange(columns) * width // columns
    sums = np.add.reduceat(np.add.reduceat(grey, row_starts, axis=0, dtype=np.float32), column_starts, axis=1)
    row_sizes = np.diff(np.append(row_starts, height))
    column_sizes = np.diff(np.append(column_starts, width))
    means = sums / (row_sizes[:, None] * column_sizes[None, :])
    ys, xs = np.linspace(-1, 1, rows), np.linspace(-1, 1, columns)
    down, across = np.meshgrid(ys, xs, indexing="ij")
    return means.ravel().astype(np.float32), down.ravel().astype(np.float32), across.ravel().astype(np.float32)


def _terms(down: Surface, across: Surface) -> Surface:
    return np.stack([np.ones_like(down), down, down**2, across, across**2, down * across], axis=1)


def _noise(difference: Surface) -> float:
    """The deviation of the background's pixels, from the median absolute deviation."""
    flat = difference.ravel()[:: max(1, difference.size // 65536)]
    return 1.4826 * float(np.median(np.abs(flat - np.median(flat))))
