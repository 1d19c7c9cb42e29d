"""Which columns are the 784 pixels, which is the label, and which are neither.

Decided by looking at column names, or at their count where there are none. Knows nothing of files;
the readers for CSV and Parquet ask it, and the user settles what it cannot with `--label-column`/`--no-label`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from job.contract import PIXELS, SIDE
from job.errors import LayoutError
from job.settings import ReadSettings

LABEL_NAMES = ("label", "class", "target", "digit", "y")

_SHOWN = 3

_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)")
_GRID = re.compile(r"(?P<row>\d+)[x_](?P<column>\d+)")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a record the pixels and the label stand.

    field_count: how many fields a whole record has.
    pixel_fields: for each of the 784 pixels, row-major, the index of its field.
    label_field: the label's field, or None.
    names: the fields' names, or None where the file has no header.
    """

    field_count: int
    pixel_fields: tuple[int, ...]
    label_field: int | None
    names: tuple[str, ...] | None = None

    def column_name(self, field: int) -> str:
        """What to call a field in a message: its name, or its number from 1."""
        return self.names[field] if self.names else f"column {field + 1}"

    @property
    def expected(self) -> str:
        """What a whole record holds, in words."""
        others = self.field_count - PIXELS - (self.label_field is not None)
        parts = ["label"] if self.label_field is not None else []
        parts += [f"{PIXELS} pixels"] + ([f"{others} other"] if others else [])
        return f"{self.field_count} ({' + '.join(parts)})"


def from_names(names: Sequence[str], settings: ReadSettings, where: str) -> Layout:
    """The layout of a file with named columns, in whatever order they stand.

    Pixels are 784 columns numbered without a gap under one prefix (`pixel0`..`pixel783`, `1`..`784`) or by row and
    column (`1x1`..`28x28`). `where` names the file in errors. Raises LayoutError.
    """
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise LayoutError(f"{where}: column {name!r} appears {times} times; names must be unique")
    label = _label_among(names, settings, where)
    pixels = _grid_pixels(names, label) or _numbered_pixels(names, label)
    if pixels is None:
        raise LayoutError(
            f"{where}: found {_summary(names)}; "
            f"expected {PIXELS} numbered pixel columns such as pixel0..pixel783 or 1x1..28x28"
        )
    return Layout(len(names), pixels, label, tuple(names))


def without_names(field_count: int, settings: ReadSettings, where: str) -> Layout:
    """The layout of a headerless file: 784 pixels, or a label and then 784 pixels. Raises LayoutError."""
    if settings.label_column is not None:
        raise LayoutError(
            f"{where}: has no header, so there is no column {settings.label_column!r}; leave --label-column out"
        )
    if field_count == PIXELS:
        return Layout(PIXELS, tuple(range(PIXELS)), None)
    if field_count == PIXELS + 1:
        return Layout(PIXELS + 1, tuple(range(1, PIXELS + 1)), None if settings.is_label_ignored else 0)
    raise LayoutError(
        f"{where}: has no header and {field_count} values in its first line; "
        "expected 784 (pixels) or 785 (label + 784 pixels)"
    )


def _label_among(names: Sequence[str], settings: ReadSettings, where: str) -> int | None:
    if settings.is_label_ignored:
        return None
    if settings.label_column is not None:
        if settings.label_column not in names:
            raise LayoutError(f"{where}: has no column {settings.label_column!r}; found {_summary(names)}")
        return names.index(settings.label_column)
    found = [index for index, name in enumerate(names) if name.strip().lower() in LABEL_NAMES]
    if len(found) > 1:
        several = ", ".join(names[index] for index in found)
        raise LayoutError(
            f"{where}: {several} could each be the label; say which with --label-column NAME or --no-label"
        )
    return found[0] if found else None


def _grid_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    matches = {index: _GRID.fullmatch(name.strip()) for index, name in enumerate(names) if index != label}
    found = [((int(match["row"]), int(match["column"])), index) for index, match in matches.items() if match]
    cells = dict(found)
    if not len(found) == len(cells) == PIXELS:
        return None
    first = min(min(cell) for cell in cells)
    wanted = [(row + first, column + first) for row in range(SIDE) for column in range(SIDE)]
    return tuple(cells[cell] for cell in wanted) if set(wanted) == set(cells) else None


def _numbered_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    groups: dict[str, list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        match = _NUMBERED.fullmatch(name.strip())
        if match and index != label:
            groups.setdefault(match["prefix"], []).append((int(match["number"]), index))
    whole = [sorted(group) for group in groups.values() if _is_without_gap([number for number, _ in group])]
    return tuple(index for _, index in whole[0]) if len(whole) == 1 else None


def _is_without_gap(numbers: list[int]) -> bool:
    return sorted(numbers) in (list(range(PIXELS)), list(range(1, PIXELS + 1)))


def _summary(names: Sequence[str]) -> str:
    first, last = ", ".join(names[:_SHOWN]), f", .. {names[-1]}" if len(names) > _SHOWN else ""
    return f"{len(names)} columns ({first[:100]}{last[:50]})"
