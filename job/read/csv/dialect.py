"""How a CSV file is written, by its first records: delimiter, alignment, decimal mark and encoding.

Works on bytes and on fields; `head` calls it, `record` and the scanners follow it.
"""

import re
from collections.abc import Iterable
from typing import Final

from job.contract import PIXELS
from job.read.csv.record import split_fields
from job.read.labels import BadRecord
from job.read.layout.cell import is_image_cell
from job.read.layout.layout import Encoding
from job.read.layout.values import DecimalMark

# By priority: in a file with semicolons a comma may be a decimal mark, and spaces may surround any other delimiter.
_DELIMITERS: Final = ("\t", ";", "|", ",", " ")
_DECIMAL_COMMA: Final = re.compile(r"\s*\d+,\d+\s*")


def detect_delimiter(line: bytes) -> str:
    """The first delimiter that splits a line into an image's number of fields, or else into the most fields."""
    cells = [delimiter for delimiter in _DELIMITERS[:-1] if _has_image_cell(try_split(line, delimiter), line)]
    if cells:
        return cells[0]
    counts = {delimiter: len(try_split(line, delimiter, is_aligned=delimiter == " ")) for delimiter in _DELIMITERS}
    enough = [delimiter for delimiter, count in counts.items() if count >= PIXELS]
    return enough[0] if enough else max((",", *_DELIMITERS[:3]), key=counts.__getitem__)


def _has_image_cell(fields: list[str], line: bytes) -> bool:
    """Whether one field holds a whole image, and is not simply the line."""
    is_split = 1 < len(fields) < PIXELS or line.lstrip()[:1] in (b"[", b"(", b"{")
    return is_split and len(fields) < PIXELS and sum(map(is_image_cell, fields)) == 1


def is_aligned(lines: Iterable[bytes], delimiter: str) -> bool:
    """Whether runs of spaces separate the fields, as in the columns that `savetxt` and `to_string` align."""
    return delimiter == " " and any(line.startswith(b" ") or b"  " in line for line in lines)


def detect_encoding(head: bytes) -> Encoding:
    """`utf-8` if most of the first lines that are not ASCII are UTF-8; else `windows-1252`.

    Where a file's first records are ASCII, a later one that is not UTF-8 is Windows-1252: its text is kept, not lost.
    """
    if head.isascii():
        return "windows-1252"
    lines = [line for line in head.split(b"\n") if not line.isascii()]
    return "utf-8" if 2 * sum(map(_is_utf8, lines)) > len(lines) else "windows-1252"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def detect_decimal(pixels: Iterable[str]) -> DecimalMark:
    """The decimal mark of a file by its pixels. Where a comma delimits, such numbers are quoted."""
    return "," if any(_DECIMAL_COMMA.fullmatch(pixel) for pixel in pixels) else "."


def try_split(line: bytes, delimiter: str, *, is_aligned: bool = False) -> list[str]:
    """The fields of a line; none if it cannot be split."""
    try:
        return split_fields(line, delimiter, is_aligned=is_aligned)
    except BadRecord:
        return []
