"""Printed and drawn lines of a page, level or upright: found, fitted and taken out of the ink.

A line is where runs across it are short and runs along it long. Its pieces between the digits that cross it are chained
along a curve, because a photo bends lines. Where a stroke crosses a line, the run across is longer than the line is
thick, and stays (as for staff lines in sheet music, Carter and Bacon 1992). Used by `sheet`, for rows on the page and
for columns on the page transposed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from job.prepare.page_light import Ink
from job.prepare.runs import Mask, Runs

_Floats = npt.NDArray[np.floating[Any]]
_Index = npt.NDArray[np.int64]

# Of the length of the page, along the line.
_SHORTEST_SHARE: Final = 0.12
# Of a line's extent, at least this share is found; the rest are crossings and what scans lose.
_LEAST_COVER: Final = 0.4
_COVER_OF_SHORT: Final = 0.75
# A line of the page rather than of a box.
_LONG_SHARE: Final = 0.35
_THICKEST_SHARE: Final = 1 / 110
_BRIDGE: Final = 8
_PIECE: Final = 20
# How far, in pixels, a piece may lie beside the curve that the others give.
_BESIDE: Final = 2.5
_STEEPEST: Final = 0.06
_TURN: Final = 0.05
# A part of a line is longer than a digit, so that no digit on the line passes for the line; of the page's length.
_PART_SHARE: Final = 1 / 8
_RIM: Final = 1.5
# A stroke along a line is at least that much darker, or lost.
_DARKER: Final = 1.4


@dataclass(frozen=True, slots=True)
class RuledLine:
    """A nearly level line: its polynomial (NumPy's order, x -> y), its extent in x, and its edges relative to that.

    above, below, ink: for each of its parts, which are equally long; lines that nearly touch are one, and thicker
    there. ink: how dark it is, from 0 to 1.
    """

    curve: _Floats
    first: int
    last: int
    above: _Floats
    below: _Floats
    ink: _Floats

    @property
    def thickness(self) -> float:
        """In pixels, on average."""
        return float(np.mean(self.below - self.above))

    def y(self, x: _Floats) -> _Floats:
        """Where the line is, also beyond its ends."""
        return np.polyval(self.curve, x)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Short runs across, joined to pieces along: for each its extent and middle in x, its middle in y, its slope."""

    first: _Index
    last: _Index
    y: _Floats
    slope: _Floats
    cover: _Index


@dataclass(frozen=True, slots=True)
class RuledPage:
    """The lines of a page, and the pixels that they alone cover: bool (height, width).

    rows: level lines. columns: upright ones, as lines of the page transposed.
    """

    rows: list[RuledLine]
    columns: list[RuledLine]
    mask: Mask

    @property
    def thickness(self) -> float:
        """Of the thickest line, in pixels; 0 without lines."""
        return max((line.thickness for line in (*self.rows, *self.columns)), default=0.0)


def ruled_lines(mask: Mask, ink: Ink) -> RuledPage:
    """Find the lines of a page that is nearly level. mask: where its ink is above the noise."""
    height, width = mask.shape
    thickest = max(round(max(mask.shape) * _THICKEST_SHARE), 6)
    both = []
    for page, page_ink in ((mask, ink), (np.ascontiguousarray(mask.T), ink.T)):
        across = Runs.of(np.ascontiguousarray(page.T))
        thin = across.take(across.length <= thickest)
        strength = _mean_ink(thin, np.ascontiguousarray(page_ink.T))
        pieces = _pieces(Runs.of(np.ascontiguousarray(thin.mask().T)))
        both.append(
            (thin, strength, [_line(pieces, chain, thin, strength) for chain in _chains(pieces, page.shape[1])])
        )
    (thin_rows, ink_rows, rows), (thin_columns, ink_columns, columns) = both
    # A short line may be a digit's stroke, unless it is part of a box or a grid.
    rows, columns = (
        [line for line in rows if _is_long(line, width) or _meets(line, columns) > 1],
        [line for line in columns if _is_long(line, height) or _meets(line, rows) > 1],
    )
    row_bands, column_bands = _bands(rows, thin_rows.shape), _bands(columns, thin_columns.shape)
    on_lines = (
        _covered(thin_rows, ink_rows, row_bands).mask().T | _covered(thin_columns, ink_columns, column_bands).mask()
    )
    # Where two lines cross, no run is short.
    is_crossing = (row_bands.T > 0) & (column_bands > 0)
    on_lines |= is_crossing & (ink <= _DARKER * np.maximum(row_bands.T, column_bands))
    return RuledPage(rows, columns, on_lines & mask)


def _is_long(line: RuledLine, length: int) -> bool:
    return line.last - line.first >= _LONG_SHARE * length


def _meets(line: RuledLine, others: list[RuledLine]) -> int:
    """How many lines of the other direction a line meets."""
    met = 0
    for other in others:
        middle = (line.first + line.last) / 2
        across = float(other.y(line.y(np.array([middle])))[0])
        along = float(line.y(np.array([across]))[0])
        reach = 3 * _BRIDGE
        met += line.first - reach <= across <= line.last + reach and other.first - reach <= along <= other.last + reach
    return met


def _mean_ink(runs: Runs, ink: Ink) -> _Floats:
    total = np.cumsum(np.pad(ink, ((0, 0), (1, 0))), axis=1, dtype=np.float32)
    return (total[runs.row, runs.end] - total[runs.row, runs.start]) / runs.length


def _covered(thin: Runs, strength: _Floats, bands: npt.NDArray[np.float32]) -> Runs:
    """The runs that are a line's alone.

    They lie in its band, or in those of several lines that nearly touch, and are not much darker than it.
    """
    covered = np.cumsum(np.pad(bands > 0, ((0, 0), (1, 0))), axis=1, dtype=np.int16)
    is_covered = covered[thin.row, thin.end] - covered[thin.row, thin.start] == thin.length
    return thin.take(is_covered & (strength <= _DARKER * bands[thin.row, (thin.start + thin.end) // 2]))


def _bands(lines: list[RuledLine], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """How dark the lines are where they are, with a rim, transposed: (width, height), 0 elsewhere."""
    bands = np.zeros(shape, np.float32)
    for line in lines:
        x = np.arange(line.first, line.last)
        y = line.y(x.astype(np.float64))
        part = (x - line.first) * len(line.above) // max(line.last - line.first, 1)
        upper = np.floor(y + line.above[part] - _RIM).astype(np.int64)
        lower = np.ceil(y + line.below[part] + _RIM).astype(np.int64)
        for step in range(int((lower - upper).max(initial=0))):
            at = upper + step
            is_on = (at < lower) & (at >= 0) & (at < shape[1])
            bands[x[is_on], at[is_on]] = np.maximum(bands[x[is_on], at[is_on]], line.ink[part[is_on]])
    return bands


def _pieces(thin: Runs) -> _Pieces:
    along = thin.bridged(_BRIDGE)
    along = along.take(along.length >= _PIECE)
    label = along.labels()
    count = int(label.max(initial=-1)) + 1
    first, last = np.full(count, along.shape[1]), np.zeros(count, np.int64)
    np.minimum.at(first, label, along.start)
    np.maximum.at(last, label, along.end)
    weight = along.length.astype(np.float64)
    x = (along.start + along.end - 1) / 2
    total = np.bincount(label, weight, count)
    mean_x = np.bincount(label, weight * x, count) / total
    mean_y = np.bincount(label, weight * along.row, count) / total
    # The slope by least squares over all pixels; within a run, x varies by length^2 / 12.
    spread = np.bincount(label, weight * ((x - mean_x[label]) ** 2 + weight**2 / 12), count)
    shared = np.bincount(label, weight * (x - mean_x[label]) * (along.row - mean_y[label]), count)
    slope = shared / np.maximum(spread, 1e-9)
    middle = (first + last - 1) / 2
    height = total / np.maximum(last - first, 1)
    is_flat = (np.abs(slope) <= _STEEPEST) & (height <= thin.length.max(initial=0) + last - first)
    return _Pieces(
        first[is_flat], last[is_flat], (mean_y + slope * (middle - mean_x))[is_flat], slope[is_flat],
        (last - first)[is_flat],
    )  # fmt: skip


def _chains(pieces: _Pieces, width: int) -> Iterator[_Index]:
    """Pieces of one line each, longest first."""
    is_free = np.ones(len(pieces.first), bool)
    middle = (pieces.first + pieces.last - 1) / 2
    for seed in np.argsort(-pieces.cover, kind="stable"):
        if not is_free[seed]:
            continue
        chain = np.array([seed])
        while True:
            curve = _fitted(pieces, chain)
            first, last = pieces.first[chain].min(), pieces.last[chain].max()
            apart = np.maximum(np.maximum(first - pieces.last, pieces.first - last), 0)
            beside = np.abs(np.polyval(curve, middle) - pieces.y)
            # A short chain does not say exactly where its line goes on.
            is_near = (beside <= _BESIDE + 0.01 * apart) & (apart <= (last - first) * 2)
            is_parallel = np.abs(pieces.slope - np.polyval(np.polyder(curve), middle)) < _TURN
            fitting = np.flatnonzero(is_free & is_near & is_parallel)
            grown = np.union1d(chain, fitting)
            if len(grown) == len(chain):
                break
            chain = grown
        extent = pieces.last[chain].max() - pieces.first[chain].min()
        cover = pieces.cover[chain].sum()
        # Ones below each other are a line of short pieces, too.
        is_solid = pieces.cover[seed] >= _SHORTEST_SHARE * width
        if cover >= _SHORTEST_SHARE * width and cover >= (_LEAST_COVER if is_solid else _COVER_OF_SHORT) * extent:
            is_free[chain] = False
            yield chain


def _fitted(pieces: _Pieces, chain: _Index) -> _Floats:
    """A parabola through the ends of the pieces, or a straight line through few."""
    first, last = pieces.first[chain], pieces.last[chain]
    half = (last - first) / 2 * pieces.slope[chain]
    x = np.concatenate([first, last]).astype(np.float64)
    y = np.concatenate([pieces.y[chain] - half, pieces.y[chain] + half])
    weight = np.sqrt(np.tile(pieces.cover[chain], 2).astype(np.float64))
    return np.polyfit(x, y, 2 if len(chain) >= 3 else 1, w=weight)  # noqa: PLR2004


def _line(pieces: _Pieces, chain: _Index, thin: Runs, strength: _Floats) -> RuledLine:
    """The line with its edges: where most of the runs across it begin and end, in each of its parts; and its ink."""
    curve = _fitted(pieces, chain)
    first, last = int(pieces.first[chain].min()), int(pieces.last[chain].max())
    y = np.polyval(curve, thin.row.astype(np.float64))
    is_on = (thin.row >= first) & (thin.row < last) & (thin.start <= y + 1) & (thin.end > y - 1)
    count = max(round((last - first) / (thin.shape[0] * _PART_SHARE)), 1)
    part = (thin.row[is_on] - first) * count // max(last - first, 1)
    values = np.stack([thin.start[is_on] - y[is_on], thin.end[is_on] - y[is_on], strength[is_on]])
    medians = [
        np.median(values[:, part == number], axis=1) if (part == number).any() else np.zeros(len(values))
        for number in range(count)
    ]
    # Where a line grows thicker or darker within a part, the next part says by how much.
    above, below, ink = sliding_window_view(np.pad(np.array(medians).T, ((0, 0), (1, 1)), mode="edge"), 3, axis=1)
    return RuledLine(curve, first, last, above.min(axis=1), below.max(axis=1), ink.max(axis=1))
