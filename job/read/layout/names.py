"""Which columns are the 784 pixels, which is the label, which are kept, and which are none of these.

Decided by looking at column names, and at the values of the first records where names leave it open or there are
none. Knows nothing of files; the readers for CSV and Parquet ask it, and the user settles what it cannot with
`--label-column`/`--no-label`.
"""

import difflib
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from job.contract import PIXELS, SIDE
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.layout.values import DecimalMark, Side, counts_rows, label_side, unquoted
from job.settings import ReadSettings

_log = logging.getLogger(__name__)

LABEL_NAMES = ("label", "class", "target", "digit", "y")

# The first records of a file, each with as many fields as a whole record has.
Rows = Sequence[Sequence[str]]

_SHOWN = 3

# Numbers of bounded length: a name of a million digits would be tried at every one of them, and is no number to Python.
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d{1,9})")
_GRID = re.compile(r"(?P<row>\d{1,9})[x_](?P<column>\d{1,9})")

# Up to here a count of rows could as well be labels: samples often hold one digit of each class, in order.
_LABELS_AND_ONE_MORE = 11


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a record the pixels and the label stand, and how they are written.

    field_count: how many fields a whole record has.
    pixel_fields: for each of the 784 pixels, row-major, the index of its field.
    label_field: the label's field, or None.
    names: the fields' names, or None where the file has no header.
    delimiter: the one ASCII character between fields of text.
    kept_fields: the fields to carry through to the predictions, in the user's order.
    scale: what full ink is written as: 255, or 1 where pixels are fractions.
    decimal: the mark before a fraction.
    """

    field_count: int
    pixel_fields: tuple[int, ...]
    label_field: int | None
    names: tuple[str, ...] | None = None
    delimiter: str = ","
    kept_fields: tuple[int, ...] = ()
    scale: Literal["255", "1"] = "255"
    decimal: DecimalMark = "."

    def column_name(self, field: int) -> str:
        """What to call a field in a message: its name, or its number from 1."""
        return self.names[field] if self.names else f"column {field + 1}"

    @property
    def kept_names(self) -> tuple[str, ...]:
        """The names of the columns to carry through."""
        return tuple(self.column_name(field) for field in self.kept_fields)

    @property
    def other_fields(self) -> tuple[int, ...]:
        """The fields that are neither pixel nor label."""
        return tuple(sorted({*range(self.field_count)} - {*self.pixel_fields, self.label_field}))

    @property
    def expected(self) -> str:
        """What a whole record holds, in words."""
        others = self.field_count - PIXELS - (self.label_field is not None)
        parts = ["label"] if self.label_field is not None else []
        parts += [f"{PIXELS} pixels"] + ([f"{others} other"] if others else [])
        return f"{self.field_count} ({' + '.join(parts)})"


def from_names(names: Sequence[str], settings: ReadSettings, where: str, rows: Rows = ()) -> Layout:
    """The layout of a file with named columns, in whatever order they stand.

    Pixels are 784 columns numbered without a gap under one prefix (`pixel0`..`pixel783`, `1`..`784`) or by row and
    column (`1x1`..`28x28`). Where 785 are numbered (`V1`..`V785` of R, `0`..`784` of pandas), the first or the last
    of them is the label, which the first records must tell. `where` names the file in errors. Raises LayoutError.
    """
    _check_unique(names, where)
    label = _label_among(names, settings, where)
    pixels = _grid_pixels(names, label) or _numbered_pixels(names, label)
    if pixels is None and label is None:
        label, pixels = _numbered_with_label(names, settings, where, rows)
    if pixels is None:
        raise LayoutError(
            f"{where}: found {_summary(names)}; "
            f"expected {PIXELS} numbered pixel columns such as pixel0..pixel783 or 1x1..28x28"
        )
    kept = tuple(_field_named(name, names, where) for name in settings.keep)
    return _oriented(Layout(len(names), pixels, label, tuple(names), kept_fields=kept), settings)


def without_names(field_count: int, settings: ReadSettings, where: str, rows: Rows = ()) -> Layout:
    """The layout of a headerless file: 784 pixels, perhaps a label before or behind, perhaps row numbers in front.

    Where the first records leave open on which side the label is, it is taken to be the first, as is usual, with a
    warning. Raises LayoutError.
    """
    if settings.keep:
        raise LayoutError(f"{where}: has no header, so there is no column {settings.keep[0]!r}; leave {Flag.KEEP} out")
    label = _label_number(settings.label_column, field_count, where)
    fields = [field for field in range(field_count) if field != label]
    if _has_row_numbers(fields, rows, has_label=label is not None):
        fields = fields[1:]
    if len(fields) == PIXELS + 1 and label is None:
        label = fields[-1] if _side(fields, settings, where, rows) == "last" else fields[0]
        fields.remove(label)
    if len(fields) != PIXELS:
        raise LayoutError(_unexpected_count(field_count, where))
    return _oriented(Layout(field_count, tuple(fields), None if settings.is_label_ignored else label), settings)


def in_words(pixels: Sequence[str], label: str | None, others: Sequence[str]) -> str:
    """Which columns are which, by their names; `pixels` are 784, or one column of images."""
    words = [f"{PIXELS} pixels ({pixels[0]} .. {pixels[-1]})" if len(pixels) > 1 else f"images ({pixels[0]})"]
    if label is not None:
        words.append(f"label ({label})")
    if others:
        words.append(f"{len(others)} passed over ({', '.join(others[:_SHOWN])}{', ..' * (len(others) > _SHOWN)})")
    return " + ".join(words)


def _oriented(layout: Layout, settings: ReadSettings) -> Layout:
    """The layout with the images turned as the user says they are stored."""
    if not settings.is_transposed:
        return layout
    stored = layout.pixel_fields
    turned = tuple(stored[column * SIDE + row] for row in range(SIDE) for column in range(SIDE))
    return replace(layout, pixel_fields=turned)


# By name


def _check_unique(names: Sequence[str], where: str) -> None:
    # Spreadsheets leave columns without a name at the end of their lines.
    name, times = (Counter(name for name in names if name).most_common(1) or [("", 0)])[0]
    if times > 1:
        raise LayoutError(f"{where}: column {name!r} appears {times} times; names must be unique")


def _label_among(names: Sequence[str], settings: ReadSettings, where: str) -> int | None:
    if settings.is_label_ignored:
        return None
    if settings.label_column is not None:
        return _field_named(settings.label_column, names, where)
    found = [index for index, name in enumerate(names) if unquoted(name).lower() in LABEL_NAMES]
    if len(found) > 1:
        several = ", ".join(names[index] for index in found)
        raise LayoutError(
            f"{where}: {several} could each be the label; say which with {Flag.LABEL_COLUMN} NAME or {Flag.NO_LABEL}"
        )
    return found[0] if found else None


def _field_named(name: str, names: Sequence[str], where: str) -> int:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise LayoutError(f"{where}: has no column {name!r}; found {_summary(names)}{meant}")
    return names.index(name)


def _grid_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    matches = {index: _GRID.fullmatch(unquoted(name)) for index, name in enumerate(names) if index != label}
    found = [((int(match["row"]), int(match["column"])), index) for index, match in matches.items() if match]
    cells = dict(found)
    if not len(found) == len(cells) == PIXELS:
        return None
    first = min(min(cell) for cell in cells)
    wanted = [(row + first, column + first) for row in range(SIDE) for column in range(SIDE)]
    return tuple(cells[cell] for cell in wanted) if set(wanted) == set(cells) else None


def _numbered_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    found = []
    for group in _numbered_groups(names):
        pixels = [index for _, index in group if index != label]
        is_outer_label = label in {group[0][1], group[-1][1]}
        is_whole = _is_without_gap([number for number, index in group if index != label], PIXELS)
        if is_whole or (is_outer_label and _is_without_gap([number for number, _ in group], PIXELS + 1)):
            found.append(tuple(pixels))
    return found[0] if len(found) == 1 else None


def _numbered_with_label(
    names: Sequence[str], settings: ReadSettings, where: str, rows: Rows
) -> tuple[int | None, tuple[int, ...] | None]:
    """Label and pixels where 785 columns are numbered alike; (None, None) where they are not."""
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
    """For each prefix the numbers behind it, sorted, with the index of their column."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        match = _NUMBERED.fullmatch(unquoted(name))
        if match:
            groups.setdefault(match["prefix"], []).append((int(match["number"]), index))
    return [sorted(group) for group in groups.values()]


def _is_without_gap(numbers: list[int], count: int) -> bool:
    return numbers in (list(range(count)), list(range(1, count + 1)))


def _summary(names: Sequence[str]) -> str:
    first, last = ", ".join(names[:_SHOWN]), f", .. {names[-1]}" if len(names) > _SHOWN else ""
    return f"{len(names)} columns ({first[:100]}{last[:50]})"


# By number and value


def _label_number(text: str | None, field_count: int, where: str) -> int | None:
    """The index of the label's field that the user gave as a number from 1."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= field_count):
        raise LayoutError(
            f"{where}: has no header, so there is no column {text!r}; "
            f"give the label's number, {Flag.LABEL_COLUMN} 1 to {field_count}, or leave it out"
        )
    return int(text) - 1


def _has_row_numbers(fields: Sequence[int], rows: Rows, *, has_label: bool) -> bool:
    """Whether the first of some fields counts the rows: there is one field too many, and it is no label."""
    spare = len(fields) - PIXELS
    is_certain = has_label or spare > 1
    if not 1 <= spare <= 1 + (not has_label) or not (is_certain or len(rows) >= _LABELS_AND_ONE_MORE):
        return False
    return counts_rows([row[fields[0]] for row in rows])


def _side(fields: Sequence[int], settings: ReadSettings, where: str, rows: Rows) -> Side:
    side = label_side(*_outer_columns(fields, rows)) if rows else "first"
    first, last = fields[0] + 1, fields[-1] + 1
    if settings.is_label_ignored:
        return side
    if side == "neither":
        raise LayoutError(
            f"{where}: has no header and {len(fields)} values in a record, but labels (0-9) are neither in column "
            f"{first} nor in column {last}; say where with {Flag.LABEL_COLUMN} N, or skip column {first} with "
            f"{Flag.NO_LABEL}"
        )
    if side == "either":
        _log.warning(
            "%s: has no header, and its first records do not tell whether the label is column %d or %d; took it to be "
            "%d; %s settles it",
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
    if field_count == PIXELS + 2:
        message += ", or in front of these the row numbers 0, 1, 2, .. or 1, 2, 3, .."
    return message
