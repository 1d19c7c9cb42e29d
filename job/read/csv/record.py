"""The slow, exact parser of one CSV record.

It alone defines what a record means. It parses small files, and every record that the compiled kernel does not
understand; the kernel may accept only what this parser accepts, with the same result.
"""

import csv
from typing import Final

import numpy as np

from job.contract import Pixels, Reason
from job.read.labels import BadRecord
from job.read.layout.names import Layout
from job.read.layout.values import parse_number

MAX_RECORD_BYTES: Final = 1 << 20
_MAX_PIXEL: Final = 255
# Nearly every field is one of these; a look-up is several times faster than a checked conversion.
_PIXEL_VALUES: Final = {str(value): value for value in range(256)}

# Python's default, 128 KiB, is less than a record may have.
csv.field_size_limit(MAX_RECORD_BYTES)


def split_fields(record: bytes, delimiter: str = ",") -> list[str]:
    """The fields of one record (RFC 4180), which is given without its line end. Raises BadRecord."""
    if len(record) > MAX_RECORD_BYTES:
        raise BadRecord(Reason.OVER_LONG_RECORD, f"more than {MAX_RECORD_BYTES} bytes without a line end")
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(Reason.UNDECODABLE_TEXT, f"byte {error.start + 1} of the record is not UTF-8") from error
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadRecord(Reason.MALFORMED_QUOTES, f"quotes do not match: {error}") from error


def check_count(fields: list[str], layout: Layout) -> None:
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
    if layout.pixel_scale == "1":
        values = np.rint(np.where((values >= 0) & (values <= 1), values, np.nan) * _MAX_PIXEL)
    is_pixel = (values >= 0) & (values <= _MAX_PIXEL) & (values == np.floor(values))
    return values.astype(np.uint8) if is_pixel.all() else None


def _pixel(text: str, layout: Layout, column: str) -> int:
    """A field as a pixel, 0-255. Raises BadRecord."""
    shown, expected = text.strip()[:40], f"0-{layout.pixel_scale}"
    if not shown:
        raise BadRecord(Reason.MISSING_VALUE, f"{column} is empty, expected {expected}", column)
    value = parse_number(text, layout.decimal)
    if value is None:
        raise BadRecord(Reason.NOT_A_NUMBER, f"{column} is {shown!r}, expected {expected}", column)
    if not 0 <= value <= float(layout.pixel_scale):
        raise BadRecord(Reason.OUT_OF_RANGE, f"{column} is {shown}, expected {expected}", column)
    if layout.pixel_scale == "1":
        return round(value * _MAX_PIXEL)
    if not value.is_integer():
        raise BadRecord(Reason.NOT_AN_INTEGER, f"{column} is {shown}, expected a whole number {expected}", column)
    return int(value)
