"""Digits as lines of text, for a terminal: two rows of pixels to a line, so that they keep their shape."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from job.contract import NO_LABEL, SIDE, Labels, Pixels

WIDTH: Final = SIDE
_GAP: Final = "  "
_INK: Final = 96
# By whether the upper and the lower of two pixels are ink.
_HALF_BLOCKS: Final = (" ", "▄", "▀", "█")
_SHADES: Final = " .:-=+*#%@"


def drawn(pixels: Pixels, labels: Labels | None, *, is_unicode: bool) -> list[str]:
    """Some images side by side, with their labels above them.

    pixels: uint8 (n, 784). labels: int8 (n,), -1 where there is none, or None. is_unicode: half blocks instead of
    shades made of ASCII.
    """
    pictures = [_half_blocks(each) if is_unicode else _shades(each) for each in pixels]
    lines = [_GAP.join(row) for row in zip(*pictures, strict=True)]
    if labels is not None and len(pixels):
        titles = ["no label" if label == NO_LABEL else f"label {label}" for label in labels.tolist()]
        lines.insert(0, _GAP.join(title.ljust(WIDTH) for title in titles))
    return [line.rstrip() for line in lines]


def _half_blocks(image: Pixels) -> Sequence[str]:
    pairs = (image.reshape(SIDE // 2, 2, SIDE) >= _INK).astype(int)
    return ["".join(_HALF_BLOCKS[cell] for cell in row) for row in (2 * pairs[:, 0] + pairs[:, 1]).tolist()]


def _shades(image: Pixels) -> Sequence[str]:
    means = image.reshape(SIDE // 2, 2, SIDE).astype(np.int64).mean(axis=1)
    return ["".join(_SHADES[int(cell * len(_SHADES) / 256)] for cell in row) for row in means.tolist()]
