"""One record of a CSV file, parsed with patience: everything the kernel leaves, and small files whole.

Slow and exact. It alone decides what a record means; the kernel may only accept what this module would
accept, with the same result, and hands over the rest.
"""

import csv
import math
from typing import Final

import numpy as np

from job.contract import CLASSES, NO_LABEL, Pixels, Reason
from job.read.layout import Layout

MAX_RECORD_BYTES: Final = 1 << 20
_MAX_PIXEL: Final = 255


# Python's own limit, 128 KiB, is below what a record may be.
csv.field_size_limit(MAX_RECORD_BYTES)


class BadRecord(Exception):
    """A record that cannot be scored."""

    def __init__(self, reason: Reason, detail: str, column: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.column = column


def split_fields(record: bytes) -> list[str]:
    """The fields of one line (RFC 4180, without line breaks inside quotes). Raises BadRecord."""
    if len(record) > MAX_RECORD_BYTES:
        raise BadRecord(Reason.OVER_LONG_RECORD, f"more than {MAX_RECORD_BYTES} bytes without a line end")
    try:
        text = record.decode()
    except UnicodeDecodeError as error:
        raise BadRecord(Reason.UNDECODABLE_TEXT, f"byte {error.start + 1} of the record is not UTF-8") from error
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise BadRecord(Reason.MALFORMED_QUOTES, f"quotes do not match: {error}") from error


def check_count(fields: list[str], layout: Layout) -> None:
    """Raise BadRecord unless there are as many fields as the layout has."""
    if len(fields) != layout.field_count:
        reason = Reason.TOO_FEW_FIELDS if len(fields) < layout.field_count else Reason.TOO_MANY_FIELDS
        raise BadRecord(reason, f"{len(fields)} values, expected {layout.expected}")


def parse_pixels(fields: list[str], layout: Layout) -> Pixels:
    """uint8 (784,): the pixels of a whole record, row-major. Raises BadRecord, naming the first field that is wrong."""
    try:
        return np.array([_PIXEL_VALUES[fields[field]] for field in layout.pixel_fields], np.uint8)
    except KeyError:
        values = {field: _pixel(fields[field], layout.column_name(field)) for field in sorted(layout.pixel_fields)}
        return np.array([values[field] for field in layout.pixel_fields], np.uint8)


def parse_label(text: str, column: str) -> int:
    """A label 0-9, or -1 where the field is empty. Raises BadRecord, naming the column, for anything else."""
    text = text.strip()
    if not text:
        return NO_LABEL
    value = _number(text)
    if value is None or not value.is_integer() or not 0 <= value < CLASSES:
        raise BadRecord(Reason.BAD_LABEL, f"{column} is {text[:40]!r}, expected 0-9", column)
    return int(value)


# Nearly every field is one of these; a look-up is several times faster than a conversion with its checks.
_PIXEL_VALUES: Final = {str(value): value for value in range(256)}


def _pixel(text: str, column: str) -> int:
    if not text.strip():
        raise BadRecord(Reason.MISSING_VALUE, f"{column} is empty, expected 0-255", column)
    value = _number(text)
    if value is None:
        raise BadRecord(Reason.NOT_A_NUMBER, f"{column} is {text.strip()[:40]!r}, expected 0-255", column)
    if not 0 <= value <= _MAX_PIXEL:
        raise BadRecord(Reason.OUT_OF_RANGE, f"{column} is {text.strip()[:40]}, expected 0-255", column)
    if not value.is_integer():
        detail = f"{column} is {text.strip()[:40]}, expected a whole number 0-255"
        raise BadRecord(Reason.NOT_AN_INTEGER, detail, column)
    return int(value)


def _number(text: str) -> float | None:
    """What a field says as a number; None for words, NaN, infinity, other scripts' digits and Python's own 1_000."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and text.isascii() and "_" not in text else None
