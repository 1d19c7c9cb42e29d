"""Printed and drawn lines of a page, level or upright: found, fitted and taken out of the ink.

A line is where runs across it are short and runs along it long. Its pieces between the digits that cross it are chained
along a curve, because a photo bends lines. Where a stroke crosses a line, the run across is longer than the line is
thick, and stays (as for staff lines in sheet music, Carter and Bacon 1992). Used by `sheet`, for rows on the page and
for columns on the page transposed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from job.prepare.runs import Mask, Runs

_Floats = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

# Of the length of the page, along the line.
_SHORTEST_SHARE: Final = 0.12
# Of a line's extent, at least this share is found; the rest are crossings and what scans lose.
_LEAST_COVER: Final = 0.4
_THICKEST_SHARE: Final = 1 / 160
_BRIDGE: Final = 8
_PIECE: Final = 20
# How far, in pixels, a piece may lie beside the curve that the others give.
_BESIDE: Final = 2.5
_STEEPEST: Final = 0.06


@dataclass(frozen=True, slots=True)
class RuledLine:
    """A nearly level line: its polynomial (NumPy's order, x -> y), its extent in x, and its thickness."""

    curve: _Floats
    first: int
    last: int
    thickness: float

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


def ruled_lines(mask: Mask) -> tuple[list[RuledLine], Mask]:
    """The nearly level lines of a page, and the pixels that they alone cover: bool (height, width)."""
    across = Runs.of(np.ascontiguousarray(mask.T))
    thickest = max(round(max(mask.shape) * _THICKEST_SHARE), 6)
    thin = across.take(across.length <= thickest)
    pieces = _pieces(Runs.of(np.ascontiguousarray(thin.mask().T)))
    lines = [_line(pieces, chain, thin) for chain in _chains(pieces, mask.shape[1])]
    only = np.zeros(len(thin), bool)
    middle = (thin.start + thin.end - 1) / 2
    for line in lines:
        is_on = (thin.row >= line.first) & (thin.row <= line.last) & (thin.length <= line.thickness + 2)
        only |= is_on & (np.abs(middle - line.y(thin.row.astype(np.float64))) <= line.thickness / 2 + 1.5)
    return lines, np.ascontiguousarray(thin.take(only).mask().T)


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
            fitting = np.flatnonzero(is_free & is_near & (np.abs(pieces.slope - np.polyval(np.polyder(curve), middle)) < 0.05))
            grown = np.union1d(chain, fitting)
            if len(grown) == len(chain):
                break
            chain = grown
        extent = pieces.last[chain].max() - pieces.first[chain].min()
        cover = pieces.cover[chain].sum()
        if cover >= _SHORTEST_SHARE * width and cover >= _LEAST_COVER * extent:
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


def _line(pieces: _Pieces, chain: _Index, thin: Runs) -> RuledLine:
    curve = _fitted(pieces, chain)
    first, last = int(pieces.first[chain].min()), int(pieces.last[chain].max())
    middle = (thin.start + thin.end - 1) / 2
    is_on = (thin.row >= first) & (thin.row <= last)
    is_on &= np.abs(middle - np.polyval(curve, thin.row.astype(np.float64))) <= _BESIDE
    return RuledLine(curve, first, last, float(np.median(thin.length[is_on])) if is_on.any() else 1.0)
