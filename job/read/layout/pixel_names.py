"""Which columns are the 784 pixels, by their names alone: numbered, or named by row and column.

`names` asks, and decides what the other columns are.
"""

import re
from collections.abc import Sequence
from typing import Final

from job.contract import PIXELS, SIDE
from job.read.layout.values import unquoted

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


def grid_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
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


def numbered_pixels(names: Sequence[str], label: int | None) -> tuple[int, ...] | None:
    """The pixels' fields if exactly one prefix numbers them without a gap; None otherwise."""
    found = []
    for group in numbered_groups(names):
        pixels = [index for _, index in group if index != label]
        is_outer_label = label in {group[0][1], group[-1][1]}
        is_complete = is_without_gap([number for number, index in group if index != label], PIXELS)
        if is_complete or (is_outer_label and is_without_gap([number for number, _ in group], PIXELS + 1)):
            found.append(tuple(pixels))
    return found[0] if len(found) == 1 else None


def numbered_groups(names: Sequence[str]) -> list[list[tuple[int, int]]]:
    """For each prefix, the (number, field index) pairs of its columns, ascending."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, name in enumerate(names):
        match = _NUMBERED.fullmatch(unquoted(name))
        if match:
            groups.setdefault((match["prefix"], match["suffix"]), []).append((int(match["number"]), index))
    return [sorted(group) for group in groups.values()]


def is_without_gap(numbers: list[int], count: int) -> bool:
    """Whether numbers are 0 or 1 and the following ones, `count` in all."""
    return numbers in (list(range(count)), list(range(1, count + 1)))
