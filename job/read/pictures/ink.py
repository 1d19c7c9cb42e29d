"""Grey pixels of a picture of one digit -> its ink: 0 where there is background, 255 where there is full ink.

On a coarse grid, the background is estimated where there is no ink, and ink is what differs from it to the one side,
darker or lighter, that differs more; of what is connected, the digit is kept. Then only the digit is looked at in full.
Used by `digit`; sheets have a finder of their own.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.read.pictures.decoding import Grey

_Floats = npt.NDArray[np.floating[Any]]
_Mask = npt.NDArray[np.bool_]

# The longer side of the grid, in cells.
_GRID: Final = 96
# No stroke is wider than this share of the longer side, also of a digit that fills the picture.
_STROKE: Final = 0.3
# One side is the ink if it differs this much more than the other from what is around it.
_DECISIVE: Final = 1.6
# What is around a cell: a Gaussian of this share of the longer side.
_AROUND: Final = 0.15
# Of full contrast; fainter ink is paper.
_MIN_CONTRAST: Final = 0.05
# Ink that touches the edge of the picture has more contrast than this.
_WEAK: Final = 0.2
_NOISE_FACTOR: Final = 4.0
# Ink begins at this share of the strongest ink, is full at the other, and is surely ink from the one between.
_FAINT: Final = 0.25
_SURE: Final = 0.4
_FULL: Final = 0.75
# The width of strokes, as a share of the digit's longer side: finer ones are widened to the other.
_FINE_PEN: Final = 0.06
_PEN: Final = 0.09
_HALF: Final = 127
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
    noise = _noise(darkness)
    # The background was put at the upper end of the noise.
    darkness -= min(float(np.quantile(darkness, 0.25)), 3 * noise)
    peak = _peak(darkness)
    if peak < max(_MIN_CONTRAST, _NOISE_FACTOR * noise):
        return None
    kept = _digit_cells(darkness > _SURE * peak, darkness)
    if peak < _WEAK and _edge(kept).any():
        return None  # the light fades there
    return _in_full(grey, grid, ground, _grown(kept), is_dark=is_dark)


def is_ink_dark(means: _Floats) -> bool:
    """Whether ink is darker than the background: it differs more from the mean around it, of which it is less.

    Where it is about half, as of a bold digit that fills the picture, the background is what most of the edge is.
    """
    difference = means - _smoothed(means, _AROUND * max(means.shape))
    dark, light = _peak(-difference), _peak(difference)
    if max(dark, light) > _DECISIVE * min(dark, light):
        return dark > light
    lowest, highest = np.quantile(means, [0.05, 0.95]).tolist()
    return bool(np.median(_edge(means)) > (lowest + highest) / 2)


def _edge(cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The cells at the edge of the picture, (n,)."""
    return np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])


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

    A morphological closing (or opening): edges of shadows stay. The slope of the light, the median of the steps from
    cell to cell, is taken out beforehand, because the operation would lift its lower end.
    """
    radius = max(1, round(_STROKE * max(means.shape) / 2))
    slope = _slope(means, 0)[:, None] + _slope(means, 1)[None, :]
    level = means - slope
    if is_dark:
        return -_highest(-_highest(level, radius), radius) + slope
    return _highest(-_highest(-level, radius), radius) + slope


def _slope(means: _Floats, axis: int) -> _Floats:
    """What the light gains along an axis, (n,)."""
    steps = np.diff(means, axis=axis)
    step = float(np.median(steps)) if steps.size else 0.0
    return np.arange(means.shape[axis], dtype=np.float32) * np.float32(step)


def _highest(values: npt.NDArray[Any], radius: int) -> npt.NDArray[Any]:
    """The highest value within `radius` cells in both directions; windows grow by shifted copies of themselves."""
    for _ in (0, 1):
        values, length = np.pad(values.T, ((radius, radius), (0, 0)), mode="edge"), 1
        while length < 2 * radius + 1:
            step = min(length, 2 * radius + 1 - length)
            values = np.maximum(values[:-step], values[step:])
            length += step
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


def _noise(darkness: _Floats) -> float:
    """The standard deviation of the noise: of the differences of neighbours, most of which are of the same kind."""
    steps = np.abs(np.diff(darkness, axis=1)) if darkness.shape[1] > 1 else np.zeros(1)
    return 1.4826 / math.sqrt(2) * float(np.median(steps))


def _digit_cells(is_ink: _Mask, darkness: _Floats) -> _Mask:
    """The cells of the digit: the heaviest of what is connected, inside the picture if it can be; and other parts."""
    pieces, count = _pieces(is_ink)
    weights = np.bincount(pieces.ravel(), weights=np.where(is_ink, darkness, 0).ravel(), minlength=count + 1)
    weights[0] = 0
    inner = weights.copy()
    inner[_edge(pieces)] = 0
    main = int(inner.argmax())
    # A speck inside is not the digit that touches the edge.
    if inner[main] < _PART * weights.max():
        main = int(weights.argmax())
    is_part = inner >= max(_PART * weights[main], np.finfo(np.float64).tiny)
    is_part[main] = True
    kept: _Mask = is_part[pieces]
    return kept


def _pieces(is_ink: _Mask) -> tuple[npt.NDArray[np.int64], int]:
    """The number from 1 of what each cell is connected with, also by corners, int64 (rows, columns); and how many.

    Runs of cells in each row are joined with those that they touch in the row above.
    """
    rows, columns = is_ink.shape
    steps = np.diff(np.pad(is_ink, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, stops = np.nonzero(steps > 0), np.nonzero(steps < 0)[1]
    runs = list(zip(starts[0].tolist(), starts[1].tolist(), stops.tolist(), strict=True))
    parents = list(range(len(runs)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    above = 0
    for run, (row, start, stop) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] < start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] <= stop:
            parents[root(run)] = root(other)
            other += 1
    numbers = {each: number for number, each in enumerate(sorted({root(run) for run in parents}), start=1)}
    pieces = np.zeros((rows, columns), np.int64)
    for run, (row, start, stop) in enumerate(runs):
        pieces[row, start:stop] = numbers[root(run)]
    return pieces, len(numbers)


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
    paper = _spread(ground[lines, places], grid.step)[:height, :width]
    mask = _spread(kept[lines, places], grid.step)[:height, :width]
    darkness = np.where(mask, _relative(pixels, paper, is_dark=is_dark), 0)
    strong = darkness[mask]
    peak = float(np.quantile(strong[strong > 0], 0.9)) if (strong > 0).any() else 1.0
    ink: Grey = np.rint(np.clip((darkness / peak - _FAINT) * (255 / (_FULL - _FAINT)), 0, 255)).astype(np.uint8)
    return _thickened(ink)


def _spread(cells: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Each cell as `step` by `step` pixels."""
    return cells.repeat(step, axis=0).repeat(step, axis=1)


def _thickened(ink: Grey) -> Grey:
    """Ink whose strokes are at least about as wide as those of MNIST's finest pens: others fade when it is reduced."""
    is_ink = ink > _HALF
    area = int(is_ink.sum())
    inner = is_ink[1:-1, 1:-1] & is_ink[:-2, 1:-1] & is_ink[2:, 1:-1] & is_ink[1:-1, :-2] & is_ink[1:-1, 2:]
    boundary = area - int(inner.sum())
    rows, columns = (np.flatnonzero(is_ink.any(axis=axis)) for axis in (1, 0))
    if not area:
        return ink
    longer = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    # A stroke of this width and any length has as much area, and two sides.
    width = 2 * area / boundary
    if width >= _FINE_PEN * longer:
        return ink
    radius = max(1, round((_PEN * longer - width) / 2))
    thick: Grey = _highest(np.pad(ink, radius), radius)
    return thick
