"""Images of digits: as PNG, or as lines of text for a terminal; and the probabilities of digits as bars of text.

The PNG encoder is a few lines because all pictures are 8-bit grey; it needs no imaging library. Pages, slides and files
show ink dark on white, though pixels have ink at 255.
"""

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from job.contract import CLASS_NAMES, NO_LABEL, SIDE, Labels, Pixels

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH: Final = 8
_GREYSCALE: Final = 0
_INVERTED: Final = bytes(range(255, -1, -1))

# The width of an image in a terminal, in columns, and the gap between two.
WIDTH: Final = SIDE
_GAP: Final = "  "
# The lowest pixel value that a half block shows as ink; of a faint image, half of its highest.
_INK: Final = 96
# Indexed by 2 * (upper pixel is ink) + (lower pixel is ink).
_HALF_BLOCKS: Final = (" ", "▄", "▀", "█")
_SHADES: Final = " .:-=+*#%@"
# The width of a full bar, in columns, and what ends one, by eighths of a column.
_BAR: Final = 20
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
# Of a picture file: pixels of it for each pixel of the image, and pixels of the image between two.
_MAGNIFICATION: Final = 10
_SHEET_GAP: Final = 2


def png(pixels: bytes) -> bytes:
    """A 28x28 PNG, dark ink on white. pixels: 784 bytes, row by row, from 0 (background) to 255 (ink)."""
    return _encoded(pixels.translate(_INVERTED), SIDE)


def bright_png(pixels: bytes) -> bytes:
    """The same, bright ink on black: the pixels as they are, so that a reader of pictures finds them again."""
    return _encoded(pixels, SIDE)


def magnified_png(images: Sequence[bytes]) -> bytes:
    """At least one image, 784 bytes each as for `png`, side by side in a PNG: 280x280, with crisp edges."""
    gap = np.zeros((SIDE, _SHEET_GAP), np.uint8)
    parts = [part for each in images for part in (gap, np.frombuffer(each, np.uint8).reshape(SIDE, SIDE))]
    sheet = np.hstack(parts[1:]).repeat(_MAGNIFICATION, axis=0).repeat(_MAGNIFICATION, axis=1)
    return _encoded(sheet.tobytes().translate(_INVERTED), sheet.shape[1])


def _encoded(grey: bytes, width: int) -> bytes:
    """A PNG of 8-bit grey. grey: row by row. Source of the format: W3C's PNG specification."""
    lines = b"".join(b"\0" + grey[start : start + width] for start in range(0, len(grey), width))
    header = struct.pack(">IIBBBBB", width, len(grey) // width, _BIT_DEPTH, _GREYSCALE, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def data_uri(pixels: bytes) -> str:
    """The PNG of 784 bytes as a `data:` URI, dark ink on white."""
    return _uri(png(pixels))


def bright_data_uri(pixels: bytes) -> str:
    """The same as `bright_png` has it."""
    return _uri(bright_png(pixels))


def _uri(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


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


def text_bars(probabilities: Sequence[float], *, is_unicode: bool) -> list[str]:
    """A line for each digit with its probability, in 0-1, as a bar and as a number."""
    return [
        f"{name} {_bar(each, is_unicode=is_unicode)} {each:.6f}"
        for name, each in zip(CLASS_NAMES, probabilities, strict=True)
    ]


def _bar(share: float, *, is_unicode: bool) -> str:
    """A share of 20 columns: to an eighth of a column, or in whole columns of ASCII characters."""
    if not is_unicode:
        return ("#" * round(share * _BAR)).ljust(_BAR)
    columns, eighths = divmod(round(share * _BAR * len(_EIGHTHS)), len(_EIGHTHS))
    return ("█" * columns + _EIGHTHS[eighths]).ljust(_BAR)[:_BAR]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _half_blocks(image: Pixels) -> Sequence[str]:
    lowest_ink = min(_INK, max(1, int(image.max()) // 2))
    pairs = (image.reshape(SIDE // 2, 2, SIDE) >= lowest_ink).astype(int)
    return ["".join(_HALF_BLOCKS[cell] for cell in row) for row in (2 * pairs[:, 0] + pairs[:, 1]).tolist()]


def _shades(image: Pixels) -> Sequence[str]:
    means = image.reshape(SIDE // 2, 2, SIDE).astype(np.int64).mean(axis=1)
    return ["".join(_SHADES[int(cell * len(_SHADES) / 256)] for cell in row) for row in means.tolist()]
