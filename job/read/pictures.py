"""A PNG picture of 28x28 -> 784 grey pixels.

The size is checked before anything is decoded, so that a few bytes cannot claim gigabytes: in the first header (PNG
specification, 11.2.1: IHDR comes first), and again in Pillow, which believes the last of several headers. Pillow is
imported with the first picture. Used by `parquet.images`.
"""

import io
import struct
import zlib
from typing import Final

import numpy as np

from job.contract import PIXELS, SIDE, Pixels

# Names of pictures of any kind, most of which are not read.
PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm")
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">8s4x4sII")
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA")
_OPAQUE: Final = (255, 255)

# Pillow checks little beforehand, and each kind of chunk fails in its own way.
_DAMAGE: Final = (
    OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, AssertionError, zlib.error, struct.error,
)  # fmt: skip


class BadPicture(Exception):
    """Bytes that are not a picture of a digit; the message says why."""


def decode_png(content: bytes) -> Pixels:
    """A PNG as 8-bit grey: uint8 (784,), row-major. Raises BadPicture."""
    if len(content) < _HEADER.size:
        raise BadPicture(f"is a PNG of {len(content)} bytes, truncated in its header")
    signature, chunk, width, height = _HEADER.unpack_from(content)
    if (signature, chunk) != (SIGNATURE, b"IHDR"):
        raise BadPicture("is not a PNG")
    if (width, height) != (SIDE, SIDE):
        raise BadPicture(f"is a PNG of {width}x{height}, expected {SIDE}x{SIDE}")
    return _decoded(content)


def _decoded(content: bytes) -> Pixels:
    from PIL.PngImagePlugin import PngImageFile

    try:
        with PngImageFile(io.BytesIO(content)) as picture:
            if picture.size != (SIDE, SIDE):
                raise BadPicture("is a damaged PNG (it has several headers)")
            if picture.mode not in _MODES:
                raise BadPicture(f"is a PNG of mode {picture.mode}, expected 8-bit grey or colour")
            if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != _OPAQUE:
                raise BadPicture("is a PNG with transparent pixels, expected an opaque one")
            return np.frombuffer(picture.convert("L").tobytes(), np.uint8).reshape(PIXELS)
    except _DAMAGE as error:
        raise BadPicture(f"is a damaged PNG ({str(error)[:80]})") from error
