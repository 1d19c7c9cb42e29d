"""One image as a PNG that a page can hold: 784 bytes in, the text of a `src` out. Needs no imaging library.

Source: W3C, Portable Network Graphics (second edition): 8-bit grey, no filter, three chunks.
"""

import base64
import struct
import zlib
from typing import Final

from job.contract import SIDE

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
