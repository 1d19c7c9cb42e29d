"""The head of a CSV file -> delimiter, header, columns, pixel scale, and whether the file holds text.

Works on bytes; `csv_source` reads them. `first_records` splits them into fields. Everything is decided
here, before any work, from the first records alone. What they leave open the user settles with flags; what nobody
settles is refused.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from job.contract import PIXELS
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.csv.dialect import detect_decimal
from job.read.csv.first_records import FirstRecords
from job.read.csv.record import expand_cell
from job.read.labels import BadRecord
from job.read.layout.cell import is_image_cell
from job.read.layout.layout import Layout, Rows
from job.read.layout.names import from_names, without_names
from job.read.layout.values import counts_rows, is_data, parse_number
from job.read.pixels import detect_scale
from job.settings import PixelScale, ReadSettings

_log = logging.getLogger(__name__)


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
    table = FirstRecords.find(head, where, is_whole=is_whole)
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
    is_settled = is_whole or table.holds_records(table.start)
    return CsvHead(layout, rows_start, head.count(b"\n", 0, rows_start), has_text, is_settled)


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
        names = _with_empty_names_at_end(names, rows)
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


def _with_empty_names_at_end(names: list[str], rows: Rows) -> list[str]:
    """The names, with as many empty ones at the end as the records have empty fields there.

    Some programs end each record, or only the header, with a delimiter.
    """
    counts = {len(row) for row in rows}
    if len(counts) != 1:
        return names
    [count] = counts
    if count < len(names):
        return names if any(names[count:]) else names[:count]
    is_empty = not any(field.strip() for row in rows for field in row[len(names) :])
    return [*names, *[""] * (count - len(names))] if is_empty else names


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
