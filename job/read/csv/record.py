"""The slow, exact parser of one CSV record.

It alone defines what a record means. It parses small files, and every record that the compiled kernel does not
understand; the kernel may accept only what this parser accepts, with the same result.
"""

import csv
from collections.abc import Sequence
from typing import Final

import numpy as np

from job.contract import Pixels, Reason
from job.read.labels import BadRecord
from job.read.layout.cell import BadCell, cell_numbers
from job.read.layout.layout import Encoding, Layout
from job.read.layout.values import parse_number
from job.read.pixels import MAX_PIXEL, PIXEL_TOLERANCE, tolerance

MAX_RECORD_BYTES: Final = 1 << 20
_BYTE_ORDER_MARK: Final = "\ufeff"
# Nearly every field is one of these; a look-up is several times faster than a checked conversion.
_PIXEL_VALUES: Final = {str(value): value for value in range(256)}

# Python's default, 128 KiB, is less than a record may have.
csv.field_size_limit(MAX_RECORD_BYTES)


def record_fields(record: bytes, layout: Layout) -> list[str]:
    """The fields of one record, one for each of the layout's if the record is complete. Raises BadRecord.

    Empty fields behind the last column, which some programs end their lines with, are dropped; columns without a name
    at the end of the header may be missing. A field that holds a whole image becomes 784 fields.
    """
    fields = split_fields(record, layout.delimiter, is_aligned=layout.is_aligned, encoding=layout.encoding)
    if layout.cell is not None:
        fields = expand_cell(fields, layout.cell, layout.cell_name)
    while len(fields) > layout.field_count and not fields[-1].strip():
        fields.pop()
    if layout.names and not any(layout.names[len(fields) :]):
        fields += [""] * (layout.field_count - len(fields))
    return fields


def expand_cell(fields: Sequence[str], cell: int, name: str) -> list[str]:
    """The fields with the 784 numbers of the field `cell` in its place. Raises BadRecord, naming the column."""
    if cell >= len(fields):
        return list(fields)
    try:
        numbers = cell_numbers(fields[cell], name)
    except BadCell as error:
        raise BadRecord(error.reason, str(error), name) from error
    return [*fields[:cell], *map(repr, numbers.tolist()), *fields[cell + 1 :]]


def split_fields(
    record: bytes, delimiter: str = ",", *, is_aligned: bool = False, encoding: Encoding = "windows-1252"
) -> list[str]:
    """The fields of one record (RFC 4180), which is given without its line end. Raises BadRecord.

    is_aligned: runs of the delimiter count as one, and those at both ends as none. encoding: see `Layout`. A byte order
    mark is dropped: where files were joined, it stands before any of their first records.
    """
    if len(record) > MAX_RECORD_BYTES:
        raise BadRecord(Reason.OVER_LONG_RECORD, f"more than {MAX_RECORD_BYTES} bytes without a line end")
    text = _decode(record, encoding).removeprefix(_BYTE_ORDER_MARK)
    if '"' not in text:
        return text.split() if is_aligned else text.split(delimiter)
    try:
        fields = next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=is_aligned))
    except csv.Error as error:
        raise BadRecord(Reason.MALFORMED_QUOTES, f"quotes do not match: {error}") from error
    return [field for field in fields if field] if is_aligned else fields


def _decode(record: bytes, encoding: Encoding) -> str:
    try:
        return record.decode()
    except UnicodeDecodeError as error:
        expected, place = "UTF-8", error.start + 1
    if encoding == "windows-1252":
        try:
            return record.decode("cp1252")
        except UnicodeDecodeError as error:
            expected, place = "UTF-8 or Windows-1252", error.start + 1
    raise BadRecord(Reason.UNDECODABLE_TEXT, f"byte {place} of the record is not {expected}")


def check_count(fields: Sequence[str], layout: Layout) -> None:
    """Raise BadRecord unless there are as many fields as the layout has."""
    if len(fields) != layout.field_count:
        reason = Reason.TOO_FEW_FIELDS if len(fields) < layout.field_count else Reason.TOO_MANY_FIELDS
        raise BadRecord(reason, f"{len(fields)} values, expected {layout.expected}")


def parse_pixels(fields: list[str], layout: Layout) -> Pixels:
    """The pixels of a complete record: uint8 (784,), row-major. Raises BadRecord, naming the leftmost bad field."""
    pixels = _parse_together([fields[field] for field in layout.pixel_fields], layout)
    if pixels is not None:
        return pixels
    values = {field: _pixel(fields[field], layout, layout.column_name(field)) for field in sorted(layout.pixel_fields)}
    return np.array([values[field] for field in layout.pixel_fields], np.uint8)


def _parse_together(texts: list[str], layout: Layout) -> Pixels | None:
    """What `_pixel` returns for each text: uint8 (784,); None if it might reject one of them."""
    if layout.pixel_scale == "255":
        try:
            return np.array([_PIXEL_VALUES[text] for text in texts], np.uint8)
        except KeyError:
            pass
    together = "\n".join(texts)
    if not together.isascii() or "_" in together or (layout.decimal == "," and "." in together):
        return None
    if layout.decimal == ",":
        texts = [text.replace(",", ".") for text in texts]
    try:
        values = np.array(list(map(float, texts)))
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        levels = values * MAX_PIXEL if layout.pixel_scale == "1" else values
    nearest = np.clip(np.rint(levels), 0, MAX_PIXEL)
    if layout.pixel_scale == "1":
        is_pixel = (levels >= -PIXEL_TOLERANCE) & (levels <= MAX_PIXEL + PIXEL_TOLERANCE)
    else:
        is_pixel = np.abs(levels - nearest) <= PIXEL_TOLERANCE
    return nearest.astype(np.uint8) if is_pixel.all() else None


def _pixel(text: str, layout: Layout, column: str) -> int:
    """A field as a pixel, 0-255. Raises BadRecord."""
    shown, expected = text.strip()[:40], f"0-{layout.pixel_scale}"
    if not shown:
        raise BadRecord(Reason.MISSING_VALUE, f"{column} is empty, expected {expected}", column)
    value = parse_number(text, layout.decimal)
    if value is None:
        raise BadRecord(Reason.NOT_A_NUMBER, f"{column} is {shown!r}, expected {expected}", column)
    allowed = tolerance(layout.pixel_scale)
    if not -allowed <= value <= float(layout.pixel_scale) + allowed:
        raise BadRecord(Reason.OUT_OF_RANGE, f"{column} is {shown}, expected {expected}", column)
    if layout.pixel_scale == "1":
        return min(max(round(value * MAX_PIXEL), 0), MAX_PIXEL)
    if abs(value - round(value)) > PIXEL_TOLERANCE:
        raise BadRecord(Reason.NOT_AN_INTEGER, f"{column} is {shown}, expected a whole number {expected}", column)
    return round(value)
