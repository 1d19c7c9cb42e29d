"""Which columns are the 784 pixels, the label, passthrough columns, and which are skipped.

Decided by names (`pixel_names`), and by the values of the first records (`values`) where names leave it open or there
are none. The readers of CSV and of tables call it; what it cannot decide the user settles with `--label-column` or
`--no-label`.
"""

import difflib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from job.contract import PIXELS, SIDE
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.layout.layout import Layout, Rows
from job.read.layout.pixel_names import grid_pixels, is_without_gap, numbered_groups, numbered_pixels
from job.read.layout.values import LabelSide, counts_rows, label_side, unquoted
from job.settings import ReadSettings

_log = logging.getLogger(__name__)

LABEL_NAMES: Final = ("label", "class", "target", "digit", "y")

# The width of a sheet of .xls files, beyond which old spreadsheets drop columns.
_OLD_SHEET_COLUMNS: Final = 256

# Up to ten rows, a column 0, 1, 2, .. may as well hold labels: samples often have one digit of each class, in order.
_MIN_ROW_NUMBERS: Final = 11
_SHOWN: Final = 3


def from_names(names: Sequence[str], settings: ReadSettings, where: str, rows: Rows = ()) -> Layout:
    """The layout of a file with named columns, in any order.

    Pixels are 784 columns numbered without a gap under one prefix (`pixel0`..`pixel783`, `1`..`784`) or by row and
    column (`1x1`..`28x28`, `r0c0`, `x0y0`). If 785 are numbered (`V1`..`V785` of R, `0`..`784` of pandas), the first or
    the last is the label, as the first records show. `where` names the file in errors. Raises LayoutError.
    """
    _check_unique(names, where)
    label = _label_by_name(names, settings, where)
    pixels = grid_pixels(names, label) or numbered_pixels(names, label)
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


def _numbered_with_label(
    names: Sequence[str], settings: ReadSettings, where: str, rows: Rows
) -> tuple[int | None, tuple[int, ...] | None]:
    """Label and pixels if 785 columns are numbered alike; (None, None) otherwise."""
    groups = [group for group in numbered_groups(names) if is_without_gap([each for each, _ in group], PIXELS + 1)]
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
