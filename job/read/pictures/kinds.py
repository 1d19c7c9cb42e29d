"""Which files are pictures, by their names and by their first bytes.

`source` and `recognise` ask before anything is decoded; `decoding` picks the decoder of Pillow.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PictureKind:
    """A format that is read. module, decoder: where Pillow decodes it."""

    name: str
    module: str
    decoder: str


_PNG: Final = PictureKind("PNG", "PIL.PngImagePlugin", "PngImageFile")
_JPEG: Final = PictureKind("JPEG", "PIL.JpegImagePlugin", "JpegImageFile")
_TIFF: Final = PictureKind("TIFF", "PIL.TiffImagePlugin", "TiffImageFile")
_GIF: Final = PictureKind("GIF", "PIL.GifImagePlugin", "GifImageFile")
_BMP: Final = PictureKind("BMP", "PIL.BmpImagePlugin", "BmpImageFile")
_WEBP: Final = PictureKind("WebP", "PIL.WebPImagePlugin", "WebPImageFile")
_PNM: Final = PictureKind("PNM", "PIL.PpmImagePlugin", "PpmImageFile")

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_KINDS: Final = {
    _PNG_SIGNATURE: _PNG,
    b"\xff\xd8\xff": _JPEG,
    b"II*\x00": _TIFF,
    b"MM\x00*": _TIFF,
    b"II+\x00": _TIFF,
    b"MM\x00+": _TIFF,
    b"GIF87a": _GIF,
    b"GIF89a": _GIF,
    b"BM": _BMP,
    **{b"P%d" % number: _PNM for number in range(1, 7)},
}
_RIFF: Final = b"RIFF"
# The first bytes of all kinds.
MARKS: Final = (*_KINDS, _RIFF)
_WEBP_MARK: Final = (8, b"WEBP")
_PNM_MARK_BYTES: Final = 2

# What cameras and drawing programs also write: a mark, where it is, and what to say.
_OTHERS: Final = (
    (4, b"ftyphei", "is a HEIC picture, which is not read; save it as JPEG or PNG"),
    (4, b"ftypmif1", "is a HEIC picture, which is not read; save it as JPEG or PNG"),
    (4, b"ftypavif", "is an AVIF picture, which is not read; save it as JPEG or PNG"),
    (0, b"\x00\x00\x00\x0cjP  ", "is a JPEG 2000 picture, which is not read; save it as PNG"),
    (0, b"\x00\x00\x00\x0cJXL ", "is a JPEG XL picture, which is not read; save it as JPEG or PNG"),
    (0, b"8BPS", "is a Photoshop file, which is not read; save it as PNG"),
    (0, b"%PDF-", "is a PDF document, which is not read; save its pages as pictures"),
    (0, b"<svg", "is an SVG drawing, which is not read; save it as PNG"),
    (0, b"<?xml", "is an SVG drawing or other XML, which is not read; save it as PNG"),
    (0, b"<!DOCTYPE", "is an HTML page, not a picture; download the file itself"),
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the picture itself; run `git lfs pull`"),
)

# Of the kinds that are read, and of those that a camera or a scanner writes in their place.
PICTURE_SUFFIXES: Final = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".dib", ".webp", ".gif", ".pgm", ".pbm", ".ppm",
    ".pnm", ".heic", ".heif", ".avif", ".jp2", ".jxl",
)  # fmt: skip
# What Windows leaves in folders of pictures.
LEFT_BY_WINDOWS: Final = ("thumbs.db", "desktop.ini")


def has_picture_name(name: str) -> bool:
    """Whether a file's name ends as that of a picture."""
    return name.lower().endswith(PICTURE_SUFFIXES)


def picture_kind(head: bytes) -> PictureKind | None:
    """The format of a picture by its first bytes; None if it is none that is read."""
    if head.startswith(_RIFF):
        place, mark = _WEBP_MARK
        return _WEBP if head.startswith(mark, place) else None
    kind = next((kind for mark, kind in _KINDS.items() if head.startswith(mark)), None)
    if kind is _PNM:
        return kind if head[_PNM_MARK_BYTES : _PNM_MARK_BYTES + 1].isspace() else None
    return kind


def is_surely_picture(content: bytes) -> bool:
    """Whether bytes are a picture that is read and no raw pixels: marks of two bytes are too short to tell."""
    kind = picture_kind(content)
    if kind is _BMP:
        return int.from_bytes(content[2:6], "little") == len(content)
    return kind is not None and kind is not _PNM


def other_picture(head: bytes) -> str | None:
    """What a file is that may have the name of a picture and is none that is read, as a clause; None if unknown."""
    return next((text for place, mark, text in _OTHERS if head.startswith(mark, place)), None)
