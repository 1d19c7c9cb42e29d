"""The head of a CSV file -> delimiter, header, columns, pixel scale, and whether the file holds text.

Works on bytes; `csv_source` reads them. Everything is decided here, before any work, from the first records alone. What
they leave open the user settles with flags; what nobody settles is refused.
"""

import itertools
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from job.contract import PIXELS
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.csv.quoted import DeadEnds, record_stop
from job.read.csv.record import split_fields
from job.read.labels import BadRecord
from job.read.layout.names import Layout, Rows, from_names, without_names
from job.read.layout.values import DecimalMark, counts_rows, parse_number, unquoted
from job.settings import PixelScale, ReadSettings

_log = logging.getLogger(__name__)

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
# By priority: in a file with semicolons a comma may be a decimal mark, and spaces may surround any other delimiter.
_DELIMITERS: Final = ("\t", ";", "|", ",", " ")
# Excel's declaration of the delimiter.
_DECLARED: Final = re.compile(rb"sep=(?P<delimiter>[\t;|, ])\r?\n", re.IGNORECASE)
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n)*+")
_DECIMAL_COMMA: Final = re.compile(r"\s*\d+,\d+\s*")
_HEAD_RECORDS: Final = 100


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What the head of a file says about the whole.

    data_start, header_lines: bytes and lines before the first record. has_text: whether there are text columns, whose
    quotes may hold line ends. is_settled: more of the file would have changed nothing.
    """

    layout: Layout
    data_start: int
    header_lines: int
    has_text: bool
    is_settled: bool


def parse_head(head: bytes, settings: ReadSettings, where: str, *, is_whole: bool) -> CsvHead:
    """Understand a file from its first bytes; is_whole: they are the whole file. `where` names the file in errors.

    Raises LayoutError if this is not the start of a CSV file of digits.
    """
    if head.startswith(_UTF_16_MARKS):
        raise LayoutError(f"{where}: is UTF-16; save it as UTF-8 (in Excel: `CSV UTF-8`)")
    start = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    declared = _DECLARED.match(head, start)
    start = declared.end() if declared else start
    start = _BLANK_LINES.match(head, start).end()  # type: ignore[union-attr]  # it matches the empty string, too
    line = head[start:].partition(b"\n")[0].removesuffix(b"\r")
    _check_text(line, where)
    delimiter = declared["delimiter"].decode() if declared else _detect_delimiter(line)
    first, rows_start = _first_record(head, start, delimiter, where, is_whole=is_whole)
    is_data = _is_data(first, delimiter)
    rows = _records(head, start if is_data else rows_start, delimiter, is_whole=is_whole)
    if is_data:
        layout, rows_start = without_names(len(first), settings, where, _of_length(rows, len(first))), start
    else:
        _check_header(first, where)
        names = _with_row_number_name(first, rows)
        layout = from_names(names, settings, where, _of_length(rows, len(names)))
    rows = _of_length(rows, layout.field_count)
    layout = replace(layout, delimiter=delimiter, decimal=_detect_decimal(rows, layout, delimiter))
    scale = _detect_scale(rows, layout) if settings.scale == "auto" else settings.scale
    layout = replace(layout, pixel_scale=scale)
    if scale == "1" and settings.scale == "auto":
        _log.info("%s: pixels are fractions in the first records; using the scale 0-1 (%s 1)", where, Flag.SCALE)
    is_settled = is_whole or _holds_records(head, start, delimiter)
    return CsvHead(layout, rows_start, head.count(b"\n", 0, rows_start), _has_text(rows, layout), is_settled)


# The first records


def _check_text(line: bytes, where: str) -> None:
    """Raise LayoutError for a first line that is not the text of a table."""
    if not line.strip():
        raise LayoutError(f"{where}: is empty, or its first line is; expected a header or 784 or 785 numbers")
    if b"\0" in line:
        raise LayoutError(f"{where}: contains zero bytes, so it is not text, or UTF-16; expected CSV, saved as UTF-8")
    if b"\r" in line and line.partition(b"\r")[0].count(b'"') % 2 == 0:
        raise LayoutError(f"{where}: its lines end with CR alone; save it with LF or CRLF")


def _first_record(head: bytes, start: int, delimiter: str, where: str, *, is_whole: bool) -> tuple[list[str], int]:
    """The fields of the first record, without surrounding space, and the position of the next record."""
    found = record_stop(head, start, len(head), ord(delimiter), is_final=is_whole)
    stop = len(head) if found is None else found
    try:
        fields = split_fields(head[start:stop].removesuffix(b"\r"), delimiter)
    except BadRecord as error:
        raise LayoutError(f"{where} line 1: {error.detail}; this is not a CSV file of digits") from error
    return [field.strip() for field in fields], min(stop + 1, len(head))


def _records(head: bytes, start: int, delimiter: str, *, is_whole: bool) -> list[list[str]]:
    """Up to 100 records, without those that cannot be split into fields and without blank lines."""
    records: list[list[str]] = []
    dead_ends: DeadEnds = {}
    for _ in range(_HEAD_RECORDS):
        stop = record_stop(head, start, len(head), ord(delimiter), is_final=is_whole, dead_ends=dead_ends)
        if stop is None or start >= len(head):
            break
        record = head[start:stop].removesuffix(b"\r")
        with suppress(BadRecord):  # it will be rejected in its turn
            records += [split_fields(record, delimiter)] if record else []
        start = stop + 1
    return records


def _holds_records(head: bytes, start: int, delimiter: str) -> bool:
    """Whether a head that is not the whole file holds as many records as are looked at, and a header."""
    dead_ends: DeadEnds = {}
    for _ in range(1 + _HEAD_RECORDS):
        stop = record_stop(head, start, len(head), ord(delimiter), is_final=False, dead_ends=dead_ends)
        if stop is None:
            return False
        start = stop + 1
    return True


def _of_length(rows: Rows, count: int) -> list[list[str]]:
    return [list(row) for row in rows if len(row) == count]


# The header


def _is_data(fields: list[str], delimiter: str) -> bool:
    """Whether a first line is a record: all numbers, but not the 0, 1, 2, .. that pandas writes as names."""
    decimal: DecimalMark = "." if delimiter == "," else ","
    # pandas leaves the name of its index, the first column, empty.
    texts = [unquoted(field) or "0" for field in (fields if fields[0] else fields[1:])]
    try:
        numbers = [float(text.replace(decimal, ".")) for text in texts]
    except ValueError:
        return False
    steps = {after - before for before, after in itertools.pairwise(numbers)}
    return steps != {1.0}


def _check_header(fields: list[str], where: str) -> None:
    """Raise LayoutError for a first line that is a record with some text in it rather than a header."""
    words = [field for field in fields if parse_number(field) is None]
    if len(fields) - len(words) >= PIXELS // 2 and len(set(fields)) < PIXELS:
        raise LayoutError(
            f"{where}: its first line is neither a header nor all numbers: it has {len(fields) - len(words)} "
            f"numbers, but also {words[0][:40]!r}; put a line of column names above it"
        )


def _with_row_number_name(names: list[str], rows: Rows) -> list[str]:
    """The names with an empty one in front, if the first column is R's row numbers: write.table does not name them."""
    longer = _of_length(rows, len(names) + 1)
    is_unnamed = len(longer) == len(rows) and counts_rows([row[0] for row in longer])
    return ["", *names] if is_unnamed else names


# The dialect, and what the columns hold


def _detect_delimiter(line: bytes) -> str:
    """The first delimiter that splits a line into an image's number of fields, or else into the most fields."""
    counts = {delimiter: _field_count(line, delimiter) for delimiter in _DELIMITERS}
    enough = [delimiter for delimiter, count in counts.items() if count >= PIXELS]
    return enough[0] if enough else max((",", *_DELIMITERS[:3]), key=counts.__getitem__)


def _field_count(line: bytes, delimiter: str) -> int:
    try:
        return len(split_fields(line, delimiter))
    except BadRecord:
        return 0


def _detect_decimal(rows: Rows, layout: Layout, delimiter: str) -> DecimalMark:
    if delimiter == ",":
        return "."
    pixels = (row[field] for row in rows for field in layout.pixel_fields)
    return "," if any(_DECIMAL_COMMA.fullmatch(pixel) for pixel in pixels) else "."


def _detect_scale(rows: Rows, layout: Layout) -> PixelScale:
    """`1` if all pixels are within 0 and 1 and at least one is strictly between, else `255`."""
    has_fraction = False
    for row in rows:
        for field in layout.pixel_fields:
            value = parse_number(row[field], layout.decimal)
            if value is not None and not 0 <= value <= 1:
                return "255"
            has_fraction |= value is not None and 0 < value < 1
    return "1" if has_fraction else "255"


def _has_text(rows: Rows, layout: Layout) -> bool:
    """Whether any column other than pixels and label holds something other than numbers, or only empty fields."""
    columns = [[row[field].strip() for row in rows] for field in layout.other_fields]
    return any(not any(column) or any(each and parse_number(each) is None for each in column) for column in columns)
