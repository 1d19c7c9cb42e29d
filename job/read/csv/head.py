"""The head of a CSV file -> delimiter, header, columns, pixel scale, and whether the file holds text.

Works on bytes; `csv_source` reads them. `preamble` finds the table, `dialect` how it is written. Everything is decided
here, before any work, from the first records alone. What they leave open the user settles with flags; what nobody
settles is refused.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from job.contract import PIXELS
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.csv.dialect import detect_decimal, detect_delimiter, detect_encoding, is_aligned
from job.read.csv.preamble import Preamble, find_table
from job.read.csv.quoted import DeadEnds, record_stop
from job.read.csv.record import expand_cell, split_fields
from job.read.labels import BadRecord
from job.read.layout.cell import is_image_cell
from job.read.layout.names import Encoding, Layout, Rows, from_names, without_names
from job.read.layout.values import counts_rows, is_data, parse_number
from job.read.pixels import detect_scale
from job.settings import PixelScale, ReadSettings

_log = logging.getLogger(__name__)

# UTF-32 begins like UTF-16, which `encoding` has already made UTF-8.
_UTF_32_MARKS: Final = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_HEAD_RECORDS: Final = 100
_ALIGNED_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class CsvHead:
    """What the head of a file says about the whole.

    data_start, header_lines: bytes and lines before the first record. has_text: whether there are text columns, whose
    quotes may hold line ends.
    """

    layout: Layout
    data_start: int
    header_lines: int
    has_text: bool


def parse_head(head: bytes, settings: ReadSettings, where: str, *, is_whole: bool) -> CsvHead:
    """Understand a file from its first bytes; is_whole: they are the whole file. `where` names the file in errors.

    Raises LayoutError if this is not the start of a CSV file of digits.
    """
    table = _CsvTable.find(head, where, is_whole=is_whole)
    first, rows_start = table.first_record(table.start)
    if table.names is not None:
        names, rows_start = list(table.names), table.start
    elif is_data(first) or any(map(is_image_cell, first)):
        names, rows_start = None, table.start
    else:
        _check_header(first, where)
        names = first
    rows = _up_to_next_header(table.records(rows_start))
    has_line_ends = any("\n" in field for row in rows for field in row)
    layout, rows = _layout(names, first, rows, settings, where)
    has_text = _has_text(rows, layout) or (layout.cell is not None and has_line_ends)
    pixels = [[row[field] for field in layout.pixel_fields] for row in rows]
    layout = replace(
        layout,
        delimiter=table.delimiter,
        is_aligned=table.is_aligned,
        encoding=table.encoding,
        decimal=detect_decimal(text for row in pixels for text in row),
    )
    layout = replace(layout, pixel_scale=_scale(pixels, layout, settings, where))
    return CsvHead(layout, rows_start, head.count(b"\n", 0, rows_start), has_text)


@dataclass(frozen=True, slots=True)
class _CsvTable:
    """The first bytes of a file, where its table starts in them, and how its records are split into fields."""

    head: bytes
    where: str
    is_whole: bool
    start: int
    names: tuple[str, ...] | None
    delimiter: str
    is_aligned: bool
    encoding: Encoding

    @classmethod
    def find(cls, head: bytes, where: str, *, is_whole: bool) -> "_CsvTable":
        """Raises LayoutError for what is no text, or no table."""
        if head.startswith(_UTF_32_MARKS):
            raise LayoutError(f"{where}: is UTF-32; save it as UTF-8")
        preamble: Preamble = find_table(head, where)
        lines = head[preamble.start :].split(b"\n", _ALIGNED_LINES)[:_ALIGNED_LINES]
        line = lines[0].removesuffix(b"\r")
        _check_text(line, where)
        delimiter = preamble.delimiter or detect_delimiter(line)
        return cls(
            head,
            where,
            is_whole,
            preamble.start,
            preamble.names,
            delimiter,
            is_aligned(lines, delimiter),
            detect_encoding(head),
        )

    def first_record(self, start: int) -> tuple[list[str], int]:
        """The fields of the record at `start`, without surrounding space, and the position of the next record."""
        found = record_stop(self.head, start, len(self.head), ord(self.delimiter), is_final=self.is_whole)
        stop = len(self.head) if found is None else found
        try:
            record = self.head[start:stop].removesuffix(b"\r")
            fields = self._split(record)
            if len(fields) == 1:
                # No table, and perhaps no text: any bytes are Windows-1252.
                fields = split_fields(record, self.delimiter, encoding="utf-8")
        except BadRecord as error:
            line = self.head.count(b"\n", 0, start) + 1
            raise LayoutError(f"{self.where} line {line}: {error.detail}; this is not a CSV file of digits") from error
        return [field.strip() for field in fields], min(stop + 1, len(self.head))

    def records(self, start: int) -> list[list[str]]:
        """Up to 100 records from `start` on, without blank lines and records that cannot be split into fields."""
        records: list[list[str]] = []
        dead_ends: DeadEnds = {}
        for _ in range(_HEAD_RECORDS):
            stop = record_stop(
                self.head,
                start,
                len(self.head),
                ord(self.delimiter),
                is_final=self.is_whole,
                dead_ends=dead_ends,
            )
            if stop is None or start >= len(self.head):
                break
            record = self.head[start:stop].removesuffix(b"\r")
            with suppress(BadRecord):  # it will be rejected in its turn
                records += [self._split(record)] if record else []
            start = stop + 1
        return records

    def _split(self, record: bytes) -> list[str]:
        return split_fields(record, self.delimiter, is_aligned=self.is_aligned, encoding=self.encoding)


def _check_text(line: bytes, where: str) -> None:
    """Raise LayoutError for a first line that is not the text of a table."""
    if not line.strip():
        raise LayoutError(f"{where}: is empty, or its first line is; expected a header or 784 or 785 numbers")
    if b"\0" in line:
        raise LayoutError(f"{where}: contains zero bytes, so it is not text, or UTF-16; expected CSV, saved as UTF-8")
    if b"\r" in line and line.partition(b"\r")[0].count(b'"') % 2 == 0:
        raise LayoutError(f"{where}: its lines end with CR alone; save it with LF or CRLF")


def _check_header(fields: list[str], where: str) -> None:
    """Raise LayoutError for a first line that is a record with some text in it rather than a header."""
    words = [field for field in fields if parse_number(field) is None]
    if len(fields) - len(words) >= PIXELS // 2 and len(set(fields)) < PIXELS:
        raise LayoutError(
            f"{where}: its first line is neither a header nor all numbers: it has {len(fields) - len(words)} "
            f"numbers, but also {words[0][:40]!r}; put a line of column names above it"
        )


def _up_to_next_header(rows: Rows) -> list[list[str]]:
    """The records of the first of several tables that were joined: those of the next one may mean something else."""
    stray = (index for index, row in enumerate(rows) if len(row) >= PIXELS and len(set(row)) >= PIXELS)
    stop = next((index for index in stray if not is_data(list(rows[index]))), len(rows))
    return [list(row) for row in rows[:stop]]


# The columns


def _layout(
    names: list[str] | None, first: list[str], rows: Rows, settings: ReadSettings, where: str
) -> tuple[Layout, list[list[str]]]:
    """The layout, and the records that have its number of fields, with a cell's numbers in its place.

    first: the header or, without names, a record.
    """
    cell = _image_cell(rows) if len(first) < PIXELS else None
    if cell is not None:
        name = "image" if names is None else names[cell]
        rows, [first] = _expanded(rows, cell, name), _expanded([first], cell, name) or [first]
        names = None if names is None else _expanded_names(names, cell)
    if names is None:
        count = len(first) - _empty_at_end([first, *rows])
        of_length = [row[:count] for row in rows if len(row) == len(first)]
        layout = replace(without_names(count, settings, where, of_length), field_count=len(first), cell=cell)
    else:
        names = [*names, *[""] * _unnamed_at_end(names, rows)]
        names = _with_row_number_name(names, rows)
        layout = replace(from_names(names, settings, where, _of_length(rows, len(names))), cell=cell)
    return layout, _of_length(rows, layout.field_count)


def _of_length(rows: Rows, count: int) -> list[list[str]]:
    return [list(row) for row in rows if len(row) == count]


def _image_cell(rows: Rows) -> int | None:
    """The only field that holds a whole image, by the first record that has one; None if there is none."""
    for row in rows:
        cells = [field for field, text in enumerate(row) if is_image_cell(text)] if len(row) < PIXELS else []
        if len(cells) == 1:
            return cells[0]
    return None


def _expanded(rows: Rows, cell: int, name: str) -> list[list[str]]:
    """The records with the numbers of the field `cell` in its place, without those that will be rejected."""
    expanded = []
    for row in rows:
        with suppress(BadRecord):  # it will be rejected in its turn
            expanded.append(expand_cell(row, cell, name))
    return expanded


def _expanded_names(names: list[str], cell: int) -> list[str]:
    return [*names[:cell], *(f"{names[cell]}[{pixel}]" for pixel in range(PIXELS)), *names[cell + 1 :]]


def _unnamed_at_end(names: list[str], rows: Rows) -> int:
    """How many empty fields the records have behind the last name: some programs end each line with a delimiter."""
    extra = {len(row) - len(names) for row in rows if len(row) > len(names) and not any(row[len(names) :])}
    return max(extra) if extra and len(extra) == 1 and not _of_length(rows, len(names)) else 0


def _empty_at_end(rows: Rows) -> int:
    """How many fields at the end are empty in all records, and are more than an image and its label need."""
    spare = min(len(row) for row in rows) - PIXELS - 1
    count = 0
    while count < spare and not any(row[-1 - count].strip() for row in rows):
        count += 1
    return count


def _with_row_number_name(names: list[str], rows: Rows) -> list[str]:
    """The names with an empty one in front, if the first column is R's row numbers: write.table does not name them."""
    longer = _of_length(rows, len(names) + 1)
    is_unnamed = len(longer) == len(rows) and counts_rows([row[0] for row in longer])
    return ["", *names] if is_unnamed else names


# What the columns hold


def _scale(pixels: Rows, layout: Layout, settings: ReadSettings, where: str) -> PixelScale:
    """The pixel scale: the user's, or else what the first records show. Raises LayoutError where it is in doubt."""
    if settings.scale != "auto":
        return settings.scale
    numbers = ([parse_number(text, layout.decimal) for text in row] for row in pixels)
    known = (np.array([value for value in row if value is not None], np.float64) for row in numbers)
    scale = detect_scale(known, where)
    if scale == "1":
        _log.info("%s: pixels are fractions in the first records; using the scale 0-1 (%s 1)", where, Flag.SCALE)
    return scale


def _has_text(rows: Rows, layout: Layout) -> bool:
    """Whether quotes may hold line ends: a column that is neither pixels nor label holds something but numbers.

    Columns without a name at the end of the lines are empty because of the delimiters there.
    """
    others = [field for field in layout.other_fields if not _is_unnamed_at_end(field, layout)]
    columns = [[row[field].strip() for row in rows] for field in others]
    return any(not any(column) or any(each and parse_number(each) is None for each in column) for column in columns)


def _is_unnamed_at_end(field: int, layout: Layout) -> bool:
    if layout.names is None:
        return field > max(*layout.pixel_fields, -1 if layout.label_field is None else layout.label_field)
    return not any(layout.names[field:])
