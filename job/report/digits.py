"""Images of digits: as PNG within a page, or as lines of text for a terminal.

The PNG encoder is a few lines because all images are 28x28, 8-bit grey; it needs no imaging library. Pages and slides
show ink dark on white, though pixels have ink at 255.
"""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from job.contract import NO_LABEL, SIDE, Labels, Pixels

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH: Final = 8
_GREYSCALE: Final = 0
_HEADER: Final = struct.pack(">IIBBBBB", SIDE, SIDE, _BIT_DEPTH, _GREYSCALE, 0, 0, 0)
_INVERTED: Final = bytes(range(255, -1, -1))

# The width of an image in a terminal, in columns, and the gap between two.
WIDTH: Final = SIDE
_GAP: Final = "  "
# The lowest pixel value that a half block shows as ink.
_INK: Final = 96
# Indexed by 2 * (upper pixel is ink) + (lower pixel is ink).
_HALF_BLOCKS: Final = (" ", "▄", "▀", "█")
_SHADES: Final = " .:-=+*#%@"


def png(pixels: bytes) -> bytes:
    """A 28x28 PNG, dark ink on white. pixels: 784 bytes, row by row, from 0 (background) to 255 (ink)."""
    grey = pixels.translate(_INVERTED)
    lines = b"".join(b"\0" + grey[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE))
    chunks = ((b"IHDR", _HEADER), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def data_uri(pixels: bytes) -> str:
    """The PNG of 784 bytes as a `data:` URI."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def text_images(pixels: Pixels, labels: Labels | None, *, is_unicode: bool) -> list[str]:
    """Images side by side as lines of text, each 28 columns wide and 14 lines high, with their labels above.

    pixels: uint8 (n, 784). labels: int8 (n,), -1 where there is none, or None. is_unicode: use half blocks; otherwise
    shades made of ASCII characters.
    """
    images = [_half_blocks(each) if is_unicode else _shades(each) for each in pixels]
    lines = [_GAP.join(row) for row in zip(*images, strict=True)]
    if labels is not None and len(pixels):
        titles = ["no label" if label == NO_LABEL else f"label {label}" for label in labels.tolist()]
        lines.insert(0, _GAP.join(title.ljust(WIDTH) for title in titles))
    return [line.rstrip() for line in lines]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _half_blocks(image: Pixels) -> Sequence[str]:
    pairs = (image.reshape(SIDE // 2, 2, SIDE) >= _INK).astype(int)
    return ["".join(_HALF_BLOCKS[cell] for cell in row) for row in (2 * pairs[:, 0] + pairs[:, 1]).tolist()]


def _shades(image: Pixels) -> Sequence[str]:
    means = image.reshape(SIDE // 2, 2, SIDE).astype(np.int64).mean(axis=1)
    return ["".join(_SHADES[int(cell * len(_SHADES) / 256)] for cell in row) for row in means.tolist()]
