"""Boxes on a level page -> rows and columns, in the order in which people read.

A photo is never quite level: rows slope, and each a little differently, which the slopes from digit to neighbour say.
Used by `sheet`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.floating[Any]]
_Index = npt.NDArray[np.int64]

# Of the scale: the gap between two rows, at least and at most where it is the widest; and the extent of a row.
_ROW_GAP: Final = (0.25, 1.1)
_ROW_EXTENT: Final = 1.3
# A neighbour is at most so far away, and says the slope of its row where it is so little above or below.
_NEIGHBOUR: Final = 6.0
_STEEPEST: Final = 0.12
# Of the cells of a grid.
_LEAST_FILLED: Final = 0.6
# So many neighbours say how all rows slope.
_FEWEST: Final = 6


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """Rows and columns of digits, from 1, int64 (n,), and the order to read them in.

    is_grid: whether columns are those of the page; otherwise they count the digits of a row. has_rows: whether the
    digits stand in rows at all.
    """

    row: _Index
    column: _Index
    order: _Index
    is_grid: bool
    has_rows: bool


def reading_order(x: _Floats, y: _Floats, scale: float) -> ReadingOrder:
    """Rows from top to bottom, and in each the digits from left to right.

    x, y: (n,) centres of the digits. scale: a typical digit's height.
    """
    level, upright = _levelled(x, y, scale), _levelled(y, x, scale)
    row, has_rows = _bands(level, scale)
    if not has_rows:
        row = _strips(y, scale)
    column, has_columns = _bands(upright, scale)
    cells = row * (column.max(initial=0) + 1) + column
    is_grid = (
        has_rows
        and has_columns
        and len(np.unique(cells)) == len(cells)
        and len(x) >= _LEAST_FILLED * (row.max(initial=0) + 1) * (column.max(initial=0) + 1)
    )
    order = np.lexsort((x, row))
    if not is_grid:
        column = np.empty_like(row)
        first = np.searchsorted(row[order], row[order])
        column[order] = np.arange(len(row)) - first
    return ReadingOrder(row + 1, column + 1, order, is_grid, has_rows)


def _levelled(along: _Floats, across: _Floats, scale: float) -> _Floats:
    """`across` without the slope of the rows, which may change from row to row.

    The slope is that from each digit to the next one on its right, fitted linearly over the page, robustly.
    """
    dx = along[None, :] - along[:, None]
    dy = across[None, :] - across[:, None]
    is_next = (
        (dx > 0.4 * scale)
        & (dx < _NEIGHBOUR * scale)
        & (np.abs(dy) < np.minimum(0.7 * scale, 0.25 * dx + 0.15 * scale))
    )
    distance = np.where(is_next, dx, np.inf)
    nearest = distance.argmin(axis=1) if len(along) else np.zeros(0, np.int64)
    one = np.flatnonzero(np.isfinite(distance[np.arange(len(along)), nearest]))
    if len(one) < _FEWEST:
        return across
    other = nearest[one]
    slope = dy[one, other] / dx[one, other]
    place = across[one] - across.mean()
    weight = dx[one, other]
    fit = np.array([0.0, 0.0])
    for _ in range(3):
        residual = np.abs(slope - np.polyval(fit, place))
        weights = np.sqrt(weight / (1 + (residual / 0.05) ** 2))
        fit = np.polyfit(place, slope, 1, w=weights)
    slopes = np.clip(np.polyval(fit, across - across.mean()), -_STEEPEST, _STEEPEST)
    levelled: _Floats = across - slopes * (along - along.mean())
    return levelled


def _bands(values: _Floats, scale: float) -> tuple[_Index, bool]:
    """The band that each value lies in, from 0, and whether the bands are clearly apart."""
    order = np.argsort(values)
    gaps = np.diff(values[order])
    # Gaps inside bands and gaps between them: divided where no gap is for the longest stretch, as a ratio.
    least, most = _ROW_GAP[0] * scale, _ROW_GAP[1] * scale
    steps = np.concatenate([[least], np.sort(gaps[(gaps > least) & (gaps < most)]), [most]])
    widest = int(np.argmax(steps[1:] / steps[:-1]))
    band = np.empty(len(values), np.int64)
    band[order] = np.append(0, np.cumsum(gaps > np.sqrt(steps[widest] * steps[widest + 1]))) if len(values) else 0
    extents = [np.ptp(values[band == each]) for each in range(band.max(initial=-1) + 1)]
    return band, max(extents, default=0.0) <= _ROW_EXTENT * scale


def _strips(y: _Floats, scale: float) -> _Index:
    """For digits in no rows: from the topmost on, all that are less than half a digit lower are a row."""
    row = np.full(len(y), -1)
    number = 0
    while (left := np.flatnonzero(row < 0)).size:
        row[left[y[left] <= y[left].min() + 0.6 * scale]] = number
        number += 1
    return row
