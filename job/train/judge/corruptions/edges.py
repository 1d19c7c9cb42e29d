"""Only the outlines of a digit, as Canny's detector finds them."""

from typing import Final

import numpy as np
import numpy.typing as npt

# The blur before, and the gradients (of an edge from background to ink about 1) that begin and continue an edge.
_BLUR: Final = 1.0
_LOW: Final = 0.1
_HIGH: Final = 0.2
# Steps (lines, columns) along the four directions that a gradient is rounded to, by its angle in eighths of a turn.
_STEPS: Final = ((0, 1), (1, 1), (1, 0), (1, -1))


def canny_edges(images: npt.NDArray[np.float32], _random: np.random.Generator) -> npt.NDArray[np.floating]:
    """The edges as white lines on black.

    Source: J. Canny, "A Computational Approach to Edge Detection", IEEE TPAMI 8 (1986) 679-698: gradients of the
    blurred image, where they are the highest across the edge and above one threshold, or above a lower one and joined
    to such.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(images, (0, _BLUR, _BLUR))
    down, right = _gradient(smooth, axis=1, across=2), _gradient(smooth, axis=2, across=1)
    strength = np.hypot(down, right)
    direction = np.rint(np.arctan2(down, right) / (np.pi / len(_STEPS))).astype(np.intp) % len(_STEPS)
    frame = np.pad(strength, ((0, 0), (1, 1), (1, 1)))
    is_highest = np.zeros(images.shape, np.bool_)
    for number, (lines, columns) in enumerate(_STEPS):
        before, behind = _moved(frame, -lines, -columns), _moved(frame, lines, columns)
        is_highest |= (direction == number) & (strength > before) & (strength >= behind)
    is_weak = is_highest & (strength > _LOW)
    # Pixels touch their eight neighbours in the same image, and none in another.
    touching = np.zeros((3, 3, 3), np.bool_)
    touching[1] = True
    lines_found, count = ndimage.label(is_weak, touching)
    has_strong = np.zeros(count + 1, np.bool_)
    has_strong[lines_found[is_weak & (strength > _HIGH)]] = True
    has_strong[0] = False
    edges: npt.NDArray[np.float32] = has_strong[lines_found].astype(np.float32)
    return edges


def _gradient(images: npt.NDArray[np.float32], *, axis: int, across: int) -> npt.NDArray[np.float32]:
    """Sobel's filter: the slope along an axis for each pixel, smoothed across it."""
    from scipy import ndimage

    smooth = ndimage.correlate1d(images, (0.25, 0.5, 0.25), across)
    gradient: npt.NDArray[np.float32] = ndimage.correlate1d(smooth, (-0.5, 0, 0.5), axis)
    return gradient


def _moved(frame: npt.NDArray[np.floating], lines: int, columns: int) -> npt.NDArray[np.floating]:
    """Each pixel's neighbour, so many lines and columns away; frame: the images with a margin of one pixel."""
    height, width = frame.shape[1:]
    return frame[:, 1 + lines : height - 1 + lines, 1 + columns : width - 1 + columns]
