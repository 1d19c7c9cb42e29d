"""Grey pixels of a picture of one digit -> its ink: 0 where there is background, 255 where there is full ink.

On a coarse grid, the background is estimated where there is no ink, and ink is what differs from it to the one side,
darker or lighter, that differs more; of what is connected, the digit is kept. Then only the digit is looked at in full.
Used by `digit`; sheets have a finder of their own.
"""

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from job.read.pictures.decoding import Grey

_Floats = npt.NDArray[np.floating[Any]]
_Mask = npt.NDArray[np.bool_]

# The longer side of the grid, in cells.
_GRID: Final = 96
# No stroke is wider than this share of the longer side.
_STROKE: Final = 0.2
# What is around a cell: a Gaussian of this share of the longer side.
_AROUND: Final = 0.15
# Of full contrast; fainter ink is paper.
_MIN_CONTRAST: Final = 0.05
_NOISE_FACTOR: Final = 4.0
# Ink begins at this share of the strongest ink, is full at the other, and is surely ink from the one between.
_FAINT: Final = 0.25
_SURE: Final = 0.4
_FULL: Final = 0.75
# What is not connected with the digit is a part of it from this share of its ink on.
_PART: Final = 0.08


@dataclass(frozen=True, slots=True)
class _Grid:
    """A picture in cells. means: float32 (rows, columns), 0-1. step: pixels of the picture for each cell."""

    means: _Floats
    step: int


def ink_of(grey: Grey, *, is_dark: bool | None = None) -> Grey | None:
    """The ink of the digit, uint8 (h, w), cropped to it; None if the picture shows nothing.

    grey: uint8 (h, w), 0 is black. is_dark: the ink is darker than the background; None: the picture decides.
    """
    grid = _grid_of(grey)
    if is_dark is None:
        is_dark = is_ink_dark(grid.means)
    ground = _background(grid.means, is_dark=is_dark)
    darkness = _relative(grid.means, ground, is_dark=is_dark)
    peak = _peak(darkness)
    if peak < max(_MIN_CONTRAST, _NOISE_FACTOR * _deviation(darkness)):
        return None
    kept = _digit_cells(darkness > _SURE * peak, darkness)
    return _in_full(grey, grid, ground, _grown(kept), is_dark=is_dark)


def is_ink_dark(means: _Floats) -> bool:
    """Whether ink is darker than the background: it differs more from the mean around it, of which it is less."""
    difference = means - _smoothed(means, _AROUND * max(means.shape))
    return _peak(-difference) >= _peak(difference)


def _smoothed(values: _Floats, sigma: float) -> _Floats:
    """A Gaussian of `sigma` cells in both directions, reflected at the edges."""
    rows, columns = values.shape
    smoothed: _Floats = _gaussian(rows, sigma) @ values @ _gaussian(columns, sigma).T
    return smoothed


@functools.lru_cache(maxsize=64)
def _gaussian(size: int, sigma: float) -> _Floats:
    """The weights, float32 (size, size), of all positions for each position."""
    places = np.arange(size)
    weights = np.zeros((size, size))
    for mirrored in (places, -places - 1, 2 * size - places - 1):
        weights += np.exp(-(((places[:, None] - mirrored[None, :]) / sigma) ** 2) / 2)
    shares: _Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _grid_of(grey: Grey) -> _Grid:
    height, width = grey.shape
    step = max(1, -(-max(height, width) // _GRID))
    rows, columns = -(-height // step), -(-width // step)
    padded = np.pad(grey, ((0, rows * step - height), (0, columns * step - width)), mode="edge")
    means = padded.reshape(rows, step, columns, step).mean(axis=(1, 3), dtype=np.float32)
    means /= 255
    return _Grid(means, step)


def _background(means: _Floats, *, is_dark: bool) -> _Floats:
    """The brightness of the background in each cell, 0-1: what is left without narrow dark (or light) shapes.

    A morphological closing (or opening): edges of shadows and slopes of light stay.
    """
    radius = max(1, round(_STROKE * max(means.shape) / 2))
    if is_dark:
        return -_highest(-_highest(means, radius), radius)
    return _highest(-_highest(-means, radius), radius)


def _highest(values: _Floats, radius: int) -> _Floats:
    """The highest value within `radius` cells in both directions."""
    for axis in (0, 1):
        pads = [(radius, radius) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(values, pads, mode="edge")
        values = sliding_window_view(padded, 2 * radius + 1, axis=axis).max(axis=-1)
    return values


def _relative(values: _Floats, ground: _Floats, *, is_dark: bool) -> _Floats:
    """How much ink, 0-1: of what the background reflects, or of what it lacks to white."""
    if is_dark:
        return (ground - values) / np.maximum(ground, 0.1)
    return (values - ground) / np.maximum(1 - ground, 0.1)


def _peak(darkness: _Floats) -> float:
    """Strong ink: what a hundredth of the cells, or at least eight, are above."""
    count = max(8, darkness.size // 200)
    return float(np.partition(darkness.ravel(), -min(count, darkness.size))[-min(count, darkness.size)])


def _deviation(darkness: _Floats) -> float:
    """The standard deviation of the background's cells, from the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(darkness - np.median(darkness))))


def _digit_cells(is_ink: _Mask, darkness: _Floats) -> _Mask:
    """The cells of the digit: the heaviest of what is connected, inside the picture if it can be, and its other parts."""
    pieces = _pieces(is_ink)
    rows, columns = is_ink.shape

    def weight(piece: list[tuple[int, int]]) -> float:
        return float(sum(darkness[cell] for cell in piece))

    def is_at_edge(piece: list[tuple[int, int]]) -> bool:
        return any(row in {0, rows - 1} or column in {0, columns - 1} for row, column in piece)

    weights = [weight(each) for each in pieces]
    inner = [number for number, each in enumerate(pieces) if not is_at_edge(each)]
    heaviest = max(range(len(pieces)), key=weights.__getitem__)
    main = max(inner, key=weights.__getitem__, default=heaviest)
    # A speck inside is not the digit that touches the edge.
    if weights[main] < _PART * weights[heaviest]:
        main = heaviest
    kept = np.zeros_like(is_ink)
    for number, piece in enumerate(pieces):
        if number == main or (weights[number] >= _PART * weights[main] and number in inner):
            kept[tuple(zip(*piece, strict=True))] = True
    return kept


def _pieces(is_ink: _Mask) -> list[list[tuple[int, int]]]:
    """Cells that are connected, also by their corners."""
    left = set(zip(*(each.tolist() for each in np.nonzero(is_ink)), strict=True))
    pieces = []
    while left:
        piece = [left.pop()]
        for row, column in piece:
            for down in (-1, 0, 1):
                for across in (-1, 0, 1):
                    cell = (row + down, column + across)
                    if cell in left:
                        left.remove(cell)
                        piece.append(cell)
        pieces.append(piece)
    return pieces


def _grown(kept: _Mask) -> _Mask:
    """The cells with those around them."""
    padded = np.pad(kept, 1)
    rows, columns = kept.shape
    grown = kept.copy()
    for down in range(3):
        for across in range(3):
            grown |= padded[down : down + rows, across : across + columns]
    return grown


def _in_full(grey: Grey, grid: _Grid, ground: _Floats, kept: _Mask, *, is_dark: bool) -> Grey:
    """The ink in the pixels of the cells that are kept, cropped to them."""
    rows, columns = (np.flatnonzero(kept.any(axis=axis)) for axis in (1, 0))
    lines, places = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    top, left = rows[0] * grid.step, columns[0] * grid.step
    pixels = grey[top : (rows[-1] + 1) * grid.step, left : (columns[-1] + 1) * grid.step].astype(np.float32) / 255
    height, width = pixels.shape
    spread = np.ones((grid.step, grid.step), np.float32)
    paper = np.kron(ground[lines, places], spread)[:height, :width]
    mask = np.kron(kept[lines, places], spread)[:height, :width] > 0
    darkness = np.where(mask, _relative(pixels, paper, is_dark=is_dark), 0)
    strong = darkness[mask]
    peak = float(np.quantile(strong[strong > 0], 0.9)) if (strong > 0).any() else 1.0
    ink: Grey = np.rint(np.clip((darkness / peak - _FAINT) * (255 / (_FULL - _FAINT)), 0, 255)).astype(np.uint8)
    return ink
