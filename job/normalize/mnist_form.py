"""An image of a digit in MNIST's form: its ink scaled to fit a box of 20x20, the centre of mass in the middle.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc.
IEEE 86 (1998); and the MNIST database's page: digits "were size normalized to fit in a 20x20 pixel box while preserving
their aspect ratio", with grey levels "as a result of the anti-aliasing technique", and "centered in a 28x28 image by
computing the center of mass of the pixels".
"""

import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.compiled.machine_code import kernel
from job.contract import PIXELS, SIDE, Pixels

BOX_SIDE: Final = 20
# Pixels of at least this part of the darkest one are ink when an image is cropped: fainter ones are blur and noise.
# MNIST's own digits fill the box up to such pixels.
INK_PART: Final = 8
# The kernel pads lines to whole vector registers: of crops, and of what the box becomes.
LINE: Final = 32
COLUMNS: Final = 24
# A position of the box is a sum of at most this many positions of the crop, as no crop is longer than 28.
TAPS: Final = 3
SCRATCH_FLOATS: Final = (SIDE + TAPS + 2 * (BOX_SIDE + 1) + 2) * LINE
# The kernel may write this much more than the images.
_SPARE: Final = LINE

_Floats = npt.NDArray[np.float32]


def to_mnist_form(pixels: Pixels) -> Pixels:
    """Bring each image of uint8 (n, 784) to MNIST's form: uint8 (n, 784). An image without ink stays as it is: blank.

    Ink is bright, the background 0. Each result depends on its own image alone, and not on the processor.
    """
    pixels = np.ascontiguousarray(pixels)
    result = np.empty(pixels.size + _SPARE, np.uint8)
    firsts, taps, matrices = _weights()
    scratch = np.zeros(SCRATCH_FLOATS, np.float32)
    _kernel()(
        pixels.ctypes.data, len(pixels), firsts.ctypes.data, taps.ctypes.data, matrices.ctypes.data,
        scratch.ctypes.data, result.ctypes.data,
    )  # fmt: skip
    return result[: pixels.size].reshape(-1, PIXELS)


def form_of_ink(ink: Pixels) -> Pixels:
    """Bring one picture of any size, uint8 (height, width), to MNIST's form: uint8 (784,); blank if there is no ink.

    Ink is bright, the background 0. Resampled by the same triangle as `to_mnist_form`, in Pillow.
    """
    from PIL import Image

    is_ink = ink >= max(1, int(ink.max(initial=0)) // INK_PART)
    lines, columns = (np.flatnonzero(is_ink.any(axis=axis)) for axis in (1, 0))
    form = np.zeros((SIDE, SIDE), np.uint8)
    if not len(lines):
        return form.ravel()
    crop = ink[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(BOX_SIDE * side / max(crop.shape))) for side in crop.shape)
    box = np.asarray(Image.fromarray(np.ascontiguousarray(crop)).resize((width, height), Image.Resampling.BILINEAR))
    top, left = _centred(box.sum(axis=1)), _centred(box.sum(axis=0))
    form[top : top + height, left : left + width] = box
    return form.ravel()


def _centred(ink: npt.NDArray[np.unsignedinteger[Any]]) -> int:
    """Where the box starts along one side, so that the centre of its ink, by position, is that of the image."""
    total, moment = int(ink.sum()), int(ink @ np.arange(len(ink), dtype=ink.dtype))
    return min(max((SIDE // 2 * total - moment) // max(total, 1), 0), SIDE - len(ink))


@functools.cache
def _weights() -> tuple[npt.NDArray[np.int64], _Floats, _Floats]:
    """The kernel's tables: how a crop of each length becomes each length of the box, see `form_kernel`."""
    firsts = np.zeros((SIDE + 1, BOX_SIDE + 1, BOX_SIDE), np.int64)
    taps = np.zeros((SIDE + 1, BOX_SIDE + 1, BOX_SIDE, TAPS), np.float32)
    matrices = np.zeros((SIDE + 1, BOX_SIDE + 1, SIDE, COLUMNS), np.float32)
    for length in range(1, SIDE + 1):
        for new in range(1, BOX_SIDE + 1):
            weights = triangle_weights(length, new)
            matrices[length, new, :length, :new] = weights.T
            first = (weights > 0).argmax(axis=1)
            firsts[length, new, :new] = first
            padded = np.pad(weights, ((0, 0), (0, TAPS)))
            for tap in range(TAPS):
                taps[length, new, :new, tap] = padded[np.arange(new), first + tap]
    return firsts, taps, matrices


def triangle_weights(length: int, new_length: int) -> npt.NDArray[np.float64]:
    """Resample a line by a triangle as wide as a pixel of the coarser side: (new_length, length), each row sums to 1.

    That is bilinear interpolation where a line is enlarged, and anti-aliased where it is reduced.
    """
    step = length / new_length
    centres = (np.arange(new_length)[:, np.newaxis] + 0.5) * step
    distances = np.abs(np.arange(length) + 0.5 - centres) / max(step, 1)
    weights: npt.NDArray[np.float64] = np.maximum(1 - distances, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _kernel() -> Any:
    return kernel("job.normalize.form_kernel", "bring_to_form")
