"""Bytes of a picture -> grey pixels: PNG, JPEG, TIFF, BMP, WebP, GIF and PNM of any mode, upright as EXIF says.

The size is checked before anything is decoded, so that a few bytes cannot claim gigabytes. Pillow is imported with the
first picture, and of it only the decoder of that format. `ink` makes a digit of the grey pixels.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from job.read.pictures.kinds import PictureKind, other_picture, picture_kind

if TYPE_CHECKING:
    from PIL import Image, ImageFile

Grey = npt.NDArray[np.uint8]

# 8,192 x 8,192, more than cameras make; decoded in colour it takes 192 MiB, or 256 with transparency.
MAX_PICTURE_PIXELS: Final = 1 << 26
MAX_PICTURE_BYTES: Final = 1 << 28
_PNG_HEADER: Final = struct.Struct(">8s4x4sII")
_WEBP_HEAD_BYTES: Final = 10
# The format whose pictures are pages; those of a GIF are a film.
_PAGED: Final = "TIFF"
_OPAQUE: Final = (255, 255)
_WHITE: Final = 255
_LIGHT_FROM: Final = 160
# The highest value of a pixel of 16 bits, as cameras and scanners of 8, 12 or 16 bits fill it.
_FULL_SCALES: Final = (255, 4095, 65535)
_COLOUR_MODES: Final = ("CMYK", "YCbCr", "HSV", "RGBX", "P", "RGB")
_ALPHA_MODES: Final = ("LA", "La", "PA", "RGBA", "RGBa")

# Pillow checks little beforehand, and each kind of chunk fails in its own way: by a warning, too, where Python is told
# to raise them.
_DAMAGE: Final = (
    OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, AssertionError, ArithmeticError, RuntimeError,
    AttributeError, NotImplementedError, Warning, zlib.error, struct.error,
)  # fmt: skip


class BadPicture(Exception):
    """Bytes that are not a picture of a digit; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture. grey: uint8 (h, w), as it is seen: 0 is black. kind: such as PNG. mode: Pillow's, as stored.

    width, height: in the file, upright; `grey` is smaller where it was decoded with a `min_side`. page: from 1, of
    `pages` of the file.
    """

    grey: Grey
    kind: str
    mode: str
    width: int
    height: int
    page: int = 1
    pages: int = 1


def decode(content: bytes, *, min_side: int | None = None) -> Picture:
    """Decode a picture. Raises BadPicture.

    min_side: of a larger picture, it is enough if the shorter side has this many pixels; saves time and memory.
    """
    [picture] = decode_pages(content, min_side=min_side, is_single=True)
    return picture


def decode_pages(
    content: bytes, *, min_side: int | None, is_single: bool = False, max_pixels: int = MAX_PICTURE_PIXELS
) -> Iterator[Picture]:
    """Decode the pages of a file, one after the other: a TIFF may have several. Raises BadPicture.

    is_single: refuse several. max_pixels: refuse larger pages.
    """
    if not content:
        raise BadPicture("is empty (0 bytes)")
    kind = picture_kind(content)
    if kind is None:
        raise BadPicture(other_picture(content) or "is not a picture; expected PNG, JPEG, TIFF, BMP, WebP, GIF or PNM")
    _check_stated_size(kind, content, max_pixels)
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    try:
        with _opened(kind, content) as picture:
            if is_single or kind.name != _PAGED:
                _check_single(kind, picture)
            pages = getattr(picture, "n_frames", 1)
            for page in range(pages):
                if page:
                    picture.seek(page)
                _check_size(kind, *picture.size, max_pixels)
                yield replace(_decoded(kind, picture, min_side), page=page + 1, pages=pages)
    except (*_DAMAGE, DecompressionBombError, DecompressionBombWarning) as error:
        raise BadPicture(f"is a damaged {kind.name} ({str(error)[:80]})") from error


def _decoded(kind: PictureKind, picture: "ImageFile.ImageFile", min_side: int | None) -> Picture:
    mode = picture.mode
    width, height = picture.size
    if min_side is not None and mode != "CMYK":
        _shrink_while_decoding(picture, min_side)
    upright = _upright(picture)
    if (upright.size[0] > upright.size[1]) != (width > height):
        width, height = height, width
    return Picture(_grey(kind, upright, min_side), kind.name, mode, width, height)


def picture_size(content: bytes) -> tuple[int, int] | None:
    """The width and height of a picture by its header, not decoded; None if it is none, or is damaged."""
    kind = picture_kind(content)
    if kind is None:
        return None
    from PIL.Image import DecompressionBombError, DecompressionBombWarning

    try:
        _check_stated_size(kind, content)
        with _opened(kind, content) as picture:
            width, height = picture.size
            return int(width), int(height)
    except (BadPicture, *_DAMAGE, DecompressionBombError, DecompressionBombWarning):
        return None


def _opened(kind: PictureKind, content: bytes) -> "ImageFile.ImageFile":
    """The picture with its header read. `Image.open` would load all of Pillow's decoders to choose from."""
    factory: Any = getattr(import_module(kind.module), kind.decoder)
    picture: ImageFile.ImageFile = factory(io.BytesIO(content))
    return picture


def _check_stated_size(kind: PictureKind, content: bytes, max_pixels: int = MAX_PICTURE_PIXELS) -> None:
    """Check the size before Pillow sees the picture: its decoder of WebP allocates the canvas while it opens it.

    PNG specification, 11.2.1: IHDR comes first. WebP container specification: VP8X, VP8 and VP8L.
    """
    if kind.name == "PNG":
        if len(content) < _PNG_HEADER.size:
            raise BadPicture(f"is a PNG of {len(content)} bytes, truncated in its header")
        _, chunk, width, height = _PNG_HEADER.unpack_from(content)
        if chunk != b"IHDR":
            raise BadPicture("is a damaged PNG (it does not begin with a header)")
        _check_size(kind, width, height, max_pixels)
    elif kind.name == "WebP":
        _check_size(kind, *_webp_size(content), max_pixels)


def _webp_size(content: bytes) -> tuple[int, int]:
    chunk, head = content[12:16], content[20:30]
    if len(head) < _WEBP_HEAD_BYTES:
        raise BadPicture(f"is a WebP of {len(content)} bytes, truncated in its header")
    if chunk == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    raise BadPicture("is a damaged WebP (it does not begin with a picture)")


def _check_size(kind: PictureKind, width: int, height: int, max_pixels: int) -> None:
    if not width * height:
        raise BadPicture(f"is a {kind.name} of {width}x{height}, without a pixel")
    if width * height > max_pixels:
        raise BadPicture(f"is a {kind.name} of {width}x{height}, expected at most {max_pixels / 1e6:.0f} megapixels")


def _check_single(kind: PictureKind, picture: "ImageFile.ImageFile") -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise BadPicture(f"is a {kind.name} of {frames} pictures, expected one; save each as a file")


def _shrink_while_decoding(picture: "ImageFile.ImageFile", min_side: int) -> None:
    """Let the decoder of JPEG halve the size up to three times, if the shorter side stays at least `min_side`."""
    width, height = picture.size
    factor = max(1, min(width, height) // min_side)
    picture.draft("L" if picture.mode in {"L", "YCbCr", "RGB"} else picture.mode, (width // factor, height // factor))


def _upright(picture: "ImageFile.ImageFile") -> "Image.Image":
    """The picture turned as its EXIF data say; as it is where these are damaged."""
    from PIL import ImageOps

    picture.load()
    if picture.mode == "P" and picture.palette is None:
        raise ValueError("it has no palette")
    try:
        return ImageOps.exif_transpose(picture)
    except _DAMAGE:
        return picture


def _grey(kind: PictureKind, picture: "Image.Image", min_side: int | None) -> Grey:
    """8-bit grey, without transparency, reduced by a whole number as far as `min_side` allows."""
    factor = max(1, min(picture.size) // min_side) if min_side else 1
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _reduced(_from_numbers(kind, np.asarray(picture)), factor)
    if picture.mode in _ALPHA_MODES or picture.has_transparency_data:
        return _composited(_without_palette(picture), factor)
    if picture.mode not in {"1", "L", *_COLOUR_MODES}:
        raise BadPicture(f"is a {kind.name} of mode {picture.mode}, which is not read; save it as RGB")
    grey = picture.convert("L")
    return np.asarray(grey.reduce(factor) if factor > 1 else grey)


def _without_palette(picture: "Image.Image") -> "Image.Image":
    return picture.convert("RGBA")


def _composited(picture: "Image.Image", factor: int) -> Grey:
    """RGBA on white; on black where what is visible is light, because it would vanish on white."""
    from PIL import Image

    alpha = picture.getchannel("A")
    if alpha.getextrema() == _OPAQUE:
        grey = picture.convert("L")
    else:
        weights = np.asarray(alpha, np.float32)
        shades = np.asarray(picture.convert("RGB").convert("L"), np.float32)
        visible = float(weights.sum())
        is_light = visible > 0 and float((weights * shades).sum()) / visible > _LIGHT_FROM
        shade = 0 if is_light else _WHITE
        ground = Image.new("RGBA", picture.size, (shade, shade, shade, _WHITE))
        grey = Image.alpha_composite(ground, picture).convert("L")
    return np.asarray(grey.reduce(factor) if factor > 1 else grey)


def _from_numbers(kind: PictureKind, numbers: npt.NDArray[Any]) -> Grey:
    """Pixels of 16 or 32 bits, or fractions, as 8-bit grey."""
    lowest, highest = numbers.min(), numbers.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)) or lowest < 0 or highest > _FULL_SCALES[-1]:
        raise BadPicture(f"is a {kind.name} of numbers from {lowest:g} to {highest:g}, expected 0-65535, 0-255 or 0-1")
    are_fractions = numbers.dtype.kind == "f" and highest <= 1
    full = 1 if are_fractions else next(each for each in _FULL_SCALES if highest <= each)
    scaled: Grey = np.rint(numbers * np.float32(255 / full)).astype(np.uint8)
    return scaled


def _reduced(grey: Grey, factor: int) -> Grey:
    if factor == 1:
        return grey
    height, width = (side // factor * factor for side in grey.shape)
    blocks = grey[:height, :width].reshape(height // factor, factor, width // factor, factor)
    means: Grey = np.rint(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    return means
