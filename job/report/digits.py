"""One digit as a picture: a PNG within a page, or lines of text for a terminal."""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from job.contract import NO_LABEL, SIDE, Labels, Pixels

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_DEPTH: Final = 8
_GREY: Final = 0
_HEADER: Final = struct.pack(">IIBBBBB", SIDE, SIDE, _DEPTH, _GREY, 0, 0, 0)
_INVERTED: Final = bytes(range(255, -1, -1))


def png(pixels: bytes) -> bytes:
    """A PNG of 28x28: dark ink on white, as on paper, for 784 bytes of 0 (background) to 255 (ink), row by row."""
    grey = pixels.translate(_INVERTED)
    lines = b"".join(b"\0" + grey[start : start + SIDE] for start in range(0, SIDE * SIDE, SIDE))
    chunks = ((b"IHDR", _HEADER), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def data_uri(pixels: bytes) -> str:
    """The same as a `data:` address, for an image within a page."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


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
