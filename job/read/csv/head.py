"""What the head of a CSV file tells of all of it: delimiter, header, columns, scale, and whether it holds text.

Looks at bytes, not at files. Everything is settled here, before any work, from the first records alone; what they
leave open the user settles by flags, and what nobody settles is refused.
"""

import itertools
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

from job.contract import PIXELS
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.csv.quoted import Futile, record_stop
from job.read.csv.record import split_fields
from job.read.labels import BadRecord
from job.read.layout.names import Layout, Rows, from_names, without_names
from job.read.layout.values import DecimalMark, counts_rows, parse_number, unquoted
from job.settings import ReadSettings

_log = logging.getLogger(__name__)

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
# In the order of trust: beside semicolons a comma may be a decimal mark, and spaces may stand beside any delimiter.
_DELIMITERS: Final = ("\t", ";", "|", ",", " ")
# Excel's own way to name the delimiter.
_DECLARED: Final = re.compile(rb"sep=(?P<delimiter>[\t;|, ])\r?\n", re.IGNORECASE)
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n)*+")
_DECIMAL_COMMA: Final = re.compile(r"\s*\d+,\d+\s*")
_HEAD_RECORDS: Final = 100


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What was found. data_start: bytes before the first record. header_lines: lines before it.

    has_text: whether there are columns of text, whose quotes may hold line ends.
    """

    layout: Layout
    data_start: int
    header_lines: int
    has_text: bool


def understand(head: bytes, settings: ReadSettings, where: str, *, is_whole: bool) -> CsvHead:
    """What a file's first bytes tell; is_whole: they are all of it. `where` names the file in errors.

    Raises LayoutError where this is not the start of a file of digits.
    """
    if head.startswith(_UTF_16_MARKS):
        raise LayoutError(f"{where}: is UTF-16; save it as UTF-8 (in Excel: `CSV UTF-8`)")
    start = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    declared = _DECLARED.match(head, start)
    start = declared.end() if declared else start
    start = _BLANK_LINES.match(head, start).end()  # type: ignore[union-attr]  # it matches nothing, too
    line = head[start:].partition(b"\n")[0].removesuffix(b"\r")
    _check_text(line, where)
    delimiter = declared["delimiter"].decode() if declared else _delimiter_of(line)
    first, rows_start = _first_record(head, start, delimiter, where, is_whole=is_whole)
    is_data = _is_data(first, delimiter)
    rows = _records(head, start if is_data else rows_start, delimiter, is_whole=is_whole)
    if is_data:
        layout, rows_start = without_names(len(first), settings, where, _of_length(rows, len(first))), start
    else:
        _check_header(first, where)
        names = _with_name_of_row_numbers(first, rows)
        layout = from_names(names, settings, where, _of_length(rows, len(names)))
    rows = _of_length(rows, layout.field_count)
    layout = replace(layout, delimiter=delimiter, decimal=_decimal_of(rows, layout, delimiter))
    layout = replace(layout, scale=_scale_of(rows, layout) if settings.scale == "auto" else settings.scale)
    if layout.scale == "1" and settings.scale == "auto":
        _log.info("%s: pixels are fractions in the first records; taken as 0-1 (%s 1)", where, Flag.SCALE)
    return CsvHead(layout, rows_start, head.count(b"\n", 0, rows_start), _has_text(rows, layout))


def _check_text(line: bytes, where: str) -> None:
    """Raise LayoutError for a first line that is not the text of a table."""
    if not line.strip():
        raise LayoutError(f"{where}: is empty, or its first line is; expected a header or 784 or 785 numbers")
    if b"\0" in line:
        raise LayoutError(f"{where}: is no text, or UTF-16, for it holds zero bytes; expected CSV, saved as UTF-8")
    if b"\r" in line and line.partition(b"\r")[0].count(b'"') % 2 == 0:
        raise LayoutError(f"{where}: its lines end with CR alone; save it with LF or CRLF")


def _delimiter_of(line: bytes) -> str:
    """The delimiter that gives an image's number of fields, or else the most."""
    counts = {delimiter: _field_count(line, delimiter) for delimiter in _DELIMITERS}
    enough = [delimiter for delimiter, count in counts.items() if count >= PIXELS]
    return enough[0] if enough else max((",", *_DELIMITERS[:3]), key=counts.__getitem__)


def _field_count(line: bytes, delimiter: str) -> int:
    try:
        return len(split_fields(line, delimiter))
    except BadRecord:
        return 0


def _first_record(head: bytes, start: int, delimiter: str, where: str, *, is_whole: bool) -> tuple[list[str], int]:
    """The fields of the first record, without the space around them, and where the next one begins."""
    found = record_stop(head, start, len(head), ord(delimiter), is_final=is_whole)
    stop = len(head) if found is None else found
    try:
        fields = split_fields(head[start:stop].removesuffix(b"\r"), delimiter)
    except BadRecord as error:
        raise LayoutError(f"{where} line 1: {error.detail}; this is not a CSV file of digits") from error
    return [field.strip() for field in fields], min(stop + 1, len(head))


def _records(head: bytes, start: int, delimiter: str, *, is_whole: bool) -> list[list[str]]:
    """Those of the first records that can be split into fields; blank lines are none."""
    records: list[list[str]] = []
    futile: Futile = {}
    for _ in range(_HEAD_RECORDS):
        stop = record_stop(head, start, len(head), ord(delimiter), is_final=is_whole, futile=futile)
        if stop is None or start >= len(head):
            break
        record = head[start:stop].removesuffix(b"\r")
        with suppress(BadRecord):  # it will be rejected when its turn comes
            records += [split_fields(record, delimiter)] if record else []
        start = stop + 1
    return records


def _of_length(rows: Rows, count: int) -> list[list[str]]:
    return [list(row) for row in rows if len(row) == count]


def _is_data(fields: list[str], delimiter: str) -> bool:
    """Whether a first line holds values: numbers, but not the 0, 1, 2, .. that pandas writes as names."""
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
    """Raise LayoutError for a line that is a record rather than a header, but for some text in it."""
    words = [field for field in fields if parse_number(field) is None]
    if len(fields) - len(words) >= PIXELS // 2 and len(set(fields)) < PIXELS:
        raise LayoutError(
            f"{where}: its first line is neither a header nor numbers alone: it holds {len(fields) - len(words)} "
            f"numbers, but also {words[0][:40]!r}; put a line of names above it"
        )


def _with_name_of_row_numbers(names: list[str], rows: Rows) -> list[str]:
    """R's write.table gives row numbers a column, but no name."""
    longer = _of_length(rows, len(names) + 1)
    is_unnamed = len(longer) == len(rows) and counts_rows([row[0] for row in longer])
    return ["", *names] if is_unnamed else names


def _decimal_of(rows: Rows, layout: Layout, delimiter: str) -> DecimalMark:
    if delimiter == ",":
        return "."
    pixels = (row[field] for row in rows for field in layout.pixel_fields)
    return "," if any(_DECIMAL_COMMA.fullmatch(pixel) for pixel in pixels) else "."


def _scale_of(rows: Rows, layout: Layout) -> Literal["255", "1"]:
    """1 where all values of the first records lie within 0 and 1, and at least one strictly between."""
    has_fraction = False
    for row in rows:
        for field in layout.pixel_fields:
            value = parse_number(row[field], layout.decimal)
            if value is not None and not 0 <= value <= 1:
                return "255"
            has_fraction |= value is not None and 0 < value < 1
    return "1" if has_fraction else "255"


def _has_text(rows: Rows, layout: Layout) -> bool:
    """Whether any column beside pixels and label holds something else than numbers, or nothing to judge by."""
    columns = [[row[field].strip() for row in rows] for field in layout.other_fields]
    return any(not any(column) or any(each and parse_number(each) is None for each in column) for column in columns)
