"""Which columns are the 784 pixels, the label, passthrough columns, and which are skipped.

Decided by column names, and by the values of the first records (`values`) where names leave it open or there are none.
The CSV and Parquet readers call it; what it cannot decide the user settles with `--label-column` or `--no-label`.
"""

import difflib
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from job.contract import PIXELS, SIDE
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.layout.values import DecimalMark, LabelSide, counts_rows, label_side, unquoted
from job.settings import LabelMap, PixelScale, ReadSettings

_log = logging.getLogger(__name__)

LABEL_NAMES: Final = ("label", "class", "target", "digit", "y")

# The first records of a file, each with as many fields as a complete record.
Rows = Sequence[Sequence[str]]

# `windows-1252`: a record that is not UTF-8 is Windows-1252, which contains Latin-1's letters.
Encoding = Literal["utf-8", "windows-1252"]

# Numbers of bounded length: the expression would backtrack over a name of a million digits.
_NUMBERED: Final = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,9})(?P<suffix>[])}]?)")
_GRID: Final = re.compile(
    r"(?P<prefix>\D{0,32})(?P<row>\d{1,9})(?P<between>\D{1,32})(?P<column>\d{1,9})(?P<suffix>\D{0,32})"
)
# `p0307`: two digits each.
_GRID_OF_TWO_DIGITS: Final = re.compile(
    r"(?P<prefix>\D{0,32})(?P<row>\d\d)(?P<between>)(?P<column>\d\d)(?P<suffix>\D{0,32})"
)
# `x3y0` names the column first.
_ROW_WORDS: Final = {"y", "r", "row", "h", "height"}
_COLUMN_WORDS: Final = {"x", "c", "col", "column", "w", "width"}
# The width of a sheet of .xls files, beyond which old spreadsheets drop columns.
_OLD_SHEET_COLUMNS: Final = 256

# Up to ten rows, a column 0, 1, 2, .. may as well hold labels: samples often have one digit of each class, in order.
_MIN_ROW_NUMBERS: Final = 11
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a record's pixels and label are, and how they are written.

    field_count: the number of fields of a complete record.
    pixel_fields: the field index of each of the 784 pixels, row-major.
    label_field: the label's field index, or None.
    names: the fields' names, or None if the file has no header.
    delimiter: the ASCII character between fields of text.
    passthrough_fields: the fields to copy to the predictions, in the user's order.
    pixel_scale: the stored value of a fully inked pixel.
    decimal: the decimal mark.
    is_aligned: runs of the delimiter, a space, separate two fields.
    encoding: of text that is not ASCII.
    cell: the field that holds a whole image as text; fields are counted with its 784 numbers in its place. None if
        there is no such field.
    settings: the user's choices, by which a header inside the file is understood in the same way.
    """

    field_count: int
    pixel_fields: tuple[int, ...]
    label_field: int | None
    names: tuple[str, ...] | None = None
    delimiter: str = ","
    passthrough_fields: tuple[int, ...] = ()
    pixel_scale: PixelScale = "255"
    decimal: DecimalMark = "."
    is_aligned: bool = False
    encoding: Encoding = "windows-1252"
    cell: int | None = None
    settings: ReadSettings = field(default=ReadSettings(), compare=False)

    @property
    def label_map(self) -> LabelMap | None:
        """The digits of labels that are not digits."""
        return self.settings.label_map

    def column_name(self, field: int) -> str:
        """The name of a field in messages: its column's name, or its number from 1."""
        return self.names[field] if self.names else f"column {field + 1}"

    @property
    def passthrough_names(self) -> tuple[str, ...]:
        """The names of the passthrough columns, in the user's order."""
        return tuple(self.column_name(field) for field in self.passthrough_fields)

    @property
    def cell_name(self) -> str:
        """The name of the column that holds whole images as text; `image` if the file has no header."""
        if self.names is None or self.cell is None:
            return "image"
        return self.names[self.cell].removesuffix("[0]")

    @property
    def other_fields(self) -> tuple[int, ...]:
        """The fields that are neither pixel nor label, ascending."""
        return tuple(sorted({*range(self.field_count)} - {*self.pixel_fields, self.label_field}))

    @property
    def expected(self) -> str:
        """What a complete record holds, for messages."""
        others = self.field_count - PIXELS - (self.label_field is not None)
        parts = ["label"] if self.label_field is not None else []
        parts += [f"{PIXELS} pixels"] + ([f"{others} other"] if others else [])
        return f"{self.field_count} ({' + '.join(parts)})"


def from_names(names: Sequence[str], settings: ReadSettings, where: str, rows: Rows = ()) -> Layout:
    """The layout of a file with named columns, in any order.

    Pixels are 784 columns numbered without a gap under one prefix (`pixel0`..`pixel783`, `1`..`784`) or by row and
    column (`1x1`..`28x28`, `r0c0`, `x0y0`). If 785 are numbered (`V1`..`V785` of R, `0`..`784` of pandas), the first or
    the last is the label, as the first records show. `where` names the file in errors. Raises LayoutError.
    """
    _check_unique(names, where)
    label = _label_by_name(names, settings, where)
    pixels = _grid_pixels(names, label) or _numbered_pixels(names, label)
    if pixels is None and label is None:
        label, pixels = _numbered_with_label(names, settings, where, rows)
    if pixels is None:
        raise LayoutError(_without_pixels(names, where))
    passthrough = tuple(_field_named(name, names, where) for name in settings.keep)
    layout = Layout(len(names), pixels, label, tuple(names), passthrough_fields=passthrough, settings=settings)
    return _transposed(layout) if settings.is_transposed else layout


def without_names(field_count: int, settings: ReadSettings, where: str, rows: Rows = ()) -> Layout:
    """The layout of a headerless file: 784 pixels, with or without a label before or after them, and row numbers first.

    If the first records do not tell on which side the label is, the first column is taken, with a warning.
    `where` names the file in errors. Raises LayoutError.
    """
    if settings.keep:
        raise LayoutError(f"{where}: has no header, so there is no column {settings.keep[0]!r}; leave {Flag.KEEP} out")
    label = _label_by_number(settings.label_column, field_count, where)
    fields = [field for field in range(field_count) if field != label]
    if _has_row_numbers(fields, rows, has_label=label is not None):
        fields = fields[1:]
    if len(fields) == PIXELS + 1 and label is None:
        label = fields[-1] if _label_by_value(fields, settings, where, rows) == "last" else fields[0]
        fields.remove(label)
    if len(fields) != PIXELS:
        raise LayoutError(_unexpected_count(field_count, where))
    label = None if settings.is_label_ignored else label
    layout = Layout(field_count, tuple(fields), label, settings=settings)
    return _transposed(layout) if settings.is_transposed else layout


def describe_columns(pixels: Sequence[str], label: str | None, others: Sequence[str]) -> str:
    """One line that says which columns are which; `pixels` names 784 columns, or one column of images."""
    parts = [f"{PIXELS} pixels ({pixels[0]} .. {pixels[-1]})" if len(pixels) > 1 else f"images ({pixels[0]})"]
    if label is not None:
        parts.append(f"label ({label})")
    if others:
        parts.append(f"{len(others)} skipped ({', '.join(others[:_SHOWN])}{', ..' * (len(others) > _SHOWN)})")
    return " + ".join(parts)


def _transposed(layout: Layout) -> Layout:
    """The layout of images that are stored column by column."""
    stored = layout.pixel_fields
    row_major = tuple(stored[column * SIDE + row] for row in range(SIDE) for column in range(SIDE))
    return replace(layout, pixel_fields=row_major)


# Columns with names


def _check_unique(names: Sequence[str], where: str) -> None:
    # Empty names may repeat: spreadsheets write empty columns at the end of their lines.
    name, times = (Counter(name for name in names if name).most_common(1) or [("", 0)])[0]
    if times > 1:
        raise LayoutError(f"{where}: column {name!r} appears {times} times; names must be unique")


def _label_by_name(names: Sequence[str], settings: ReadSettings, where: str) -> int | None:
    if settings.is_label_ignored:
        return None
    if settings.label_column is not None:
        return _field_named(settings.label_column, names, where)
    found = [index for index, name in enumerate(names) if unquoted(name).lower() in LABEL_NAMES]
    if len(found) > 1:
        candidates = ", ".join(names[index] for index in found)
        raise LayoutError(
            f"{where}: {candidates} could each be the label; say which with {Flag.LABEL_COLUMN} NAME or {Flag.NO_LABEL}"
        )
    return found[0] if found else None


def _field_named(name: str, names: Sequence[str], where: str) -> int:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
        raise LayoutError(f"{where}: has no column {name!r}; found {_summary(names)}{suggestion}")
    return names.index(name)


def _grid_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    """The pixels' fields if they are named by row and column; None otherwise."""
    groups: dict[tuple[str, str, str], list[tuple[tuple[int, int], int]]] = {}
    for index, name in enumerate(names):
        text = unquoted(name)
        match = None if index == label else _GRID.fullmatch(text) or _GRID_OF_TWO_DIGITS.fullmatch(text)
        if match:
            words = (match["prefix"], match["between"], match["suffix"])
            groups.setdefault(words, []).append(((int(match["row"]), int(match["column"])), index))
    for (prefix, between, _), found in groups.items():
        cells = dict(found)
        if not len(found) == len(cells) == PIXELS:
            continue
        if _last_word(prefix) in _COLUMN_WORDS and _last_word(between) in _ROW_WORDS:
            cells = {(row, column): index for (column, row), index in found}
        first = min(min(cell) for cell in cells)
        wanted = [(row + first, column + first) for row in range(SIDE) for column in range(SIDE)]
        if first <= 1 and set(wanted) == set(cells):
            return tuple(cells[cell] for cell in wanted)
    return None


def _last_word(text: str) -> str:
    """The last letters of a text, in lower case: `x` of `pixel_x`."""
    words = re.findall(r"[a-z]+", text.lower())
    return words[-1] if words else ""


def _numbered_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    """The pixels' fields if exactly one prefix numbers them without a gap; None otherwise."""
    found = []
    for group in _numbered_groups(names):
        pixels = [index for _, index in group if index != label]
        is_outer_label = label in {group[0][1], group[-1][1]}
        is_complete = _is_without_gap([number for number, index in group if index != label], PIXELS)
        if is_complete or (is_outer_label and _is_without_gap([number for number, _ in group], PIXELS + 1)):
            found.append(tuple(pixels))
    return found[0] if len(found) == 1 else None


def _numbered_with_label(
    names: Sequence[str], settings: ReadSettings, where: str, rows: Rows
) -> tuple[int | None, tuple[int, ...] | None]:
    """Label and pixels if 785 columns are numbered alike; (None, None) otherwise."""
    groups = [group for group in _numbered_groups(names) if _is_without_gap([each for each, _ in group], PIXELS + 1)]
    if len(groups) != 1:
        return None, None
    fields = [index for _, index in groups[0]]
    side = label_side(*_outer_columns(fields, rows)) if rows else "either"
    if side in {"either", "neither"}:
        first, last = names[fields[0]], names[fields[-1]]
        raise LayoutError(
            f"{where}: found {PIXELS + 1} numbered columns ({first} .. {last}), of which one must be the label; "
            f"say which: {Flag.LABEL_COLUMN} {first} or {Flag.LABEL_COLUMN} {last}"
        )
    label = fields.pop(0 if side == "first" else -1)
    return None if settings.is_label_ignored else label, tuple(fields)


def _numbered_groups(names: Sequence[str]) -> list[list[tuple[int, int]]]:
    """For each prefix, the (number, field index) pairs of its columns, ascending."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        match = _NUMBERED.fullmatch(unquoted(name))
        if match:
            groups.setdefault((match["prefix"], match["suffix"]), []).append((int(match["number"]), index))
    return [sorted(group) for group in groups.values()]


def _is_without_gap(numbers: list[int], count: int) -> bool:
    return numbers in (list(range(count)), list(range(1, count + 1)))


def _summary(names: Sequence[str]) -> str:
    first, last = ", ".join(names[:_SHOWN]), f", .. {names[-1]}" if len(names) > _SHOWN else ""
    return f"{len(names)} columns ({first[:100]}{last[:50]})"


def _without_pixels(names: Sequence[str], where: str) -> str:
    """What to say of columns among which there are no 784 pixels."""
    expected = f"expected {PIXELS} numbered pixel columns such as pixel0..pixel783 or 1x1..28x28"
    message = f"{where}: found {_summary(names)}; {expected}"
    if any("..." in name for name in names):
        return f"{message}; the columns `...` stand for others that pandas left out; write the file with to_csv"
    if len(names) == _OLD_SHEET_COLUMNS:
        return f"{message}; a spreadsheet that holds only 256 columns has cut off the rest; export the data again"
    return message


# Columns without names


def _label_by_number(text: str | None, field_count: int, where: str) -> int | None:
    """The field index of a label column that the user gave as a number from 1."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= field_count):
        raise LayoutError(
            f"{where}: has no header, so there is no column {text!r}; "
            f"give the label's number, {Flag.LABEL_COLUMN} 1 to {field_count}, or leave it out"
        )
    return int(text) - 1


def _has_row_numbers(fields: Sequence[int], rows: Rows, *, has_label: bool) -> bool:
    """Whether the first of some fields counts rows: there is a field too many, and it is not the label."""
    spare = len(fields) - PIXELS
    is_certain = has_label or spare > 1
    if not 1 <= spare <= 1 + (not has_label) or not (is_certain or len(rows) >= _MIN_ROW_NUMBERS):
        return False
    return counts_rows([row[fields[0]] for row in rows])


def _label_by_value(fields: Sequence[int], settings: ReadSettings, where: str, rows: Rows) -> LabelSide:
    """On which side the label is among 785 fields; warns if it could be either. Raises LayoutError if on neither."""
    side = label_side(*_outer_columns(fields, rows)) if rows else "first"
    first, last = fields[0] + 1, fields[-1] + 1
    if settings.is_label_ignored:
        return side
    if side == "neither":
        raise LayoutError(
            f"{where}: has no header and {len(fields)} values in a record, but neither column {first} nor {last} "
            f"holds labels (0-9); name the label's column with {Flag.LABEL_COLUMN} N, or skip column {first} with "
            f"{Flag.NO_LABEL}"
        )
    if side == "either":
        _log.warning(
            "%s: has no header, and its first records do not tell whether the label is column %d or %d; using column "
            "%d; choose with %s",
            where, first, last, first, Flag.LABEL_COLUMN,
        )  # fmt: skip
    return side


def _outer_columns(fields: Sequence[int], rows: Rows) -> tuple[list[str], list[str]]:
    return [row[fields[0]] for row in rows], [row[fields[-1]] for row in rows]


def _unexpected_count(field_count: int, where: str) -> str:
    message = (
        f"{where}: has no header and {field_count} values in its first line; "
        "expected 784 (pixels) or 785 (label + 784 pixels)"
    )
    if field_count == _OLD_SHEET_COLUMNS:
        message += "; a spreadsheet that holds only 256 columns has cut off the rest; export the data again"
    if field_count == PIXELS + 2:
        message += ", or these after a column of row numbers 0, 1, 2, .. or 1, 2, 3, .."
    return message
