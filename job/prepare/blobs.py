"""Connected ink -> digits: pieces of a broken digit are joined, touching digits parted, everything else is left out.

All is relative to the page's own scale, the height of the blobs that hold the median pixel of ink: neither dust nor a
long edge shifts it. Used by `sheet`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from job.prepare.page_light import Ink
from job.prepare.runs import Mask, Runs

_Index = npt.NDArray[np.int64]

# In pixels of the working size.
SMALLEST: Final = 9
# Of the scale. Smaller blobs are dust, crossings of removed lines, or noise.
_SPECK: Final = 0.16
_LOWEST: Final = 0.45
_TALLEST: Final = 2.2
_BROADEST: Final = 4.0
# Of the typical digit's.
_FAINTER: Final = 0.4
_THINNER: Final = 0.35
# Of its box: digits that touch cover more than a line or an edge does.
_FILLED: Final = 0.1
# A digit's pieces are nearer to each other than digits are, and together no larger than a digit.
_PIECE_GAP: Final = 0.16
_PIECE: Final = 0.8
_JOINED: Final = 1.35
_MANY: Final = 4000
# Touching digits: wider or higher than one digit is, and joined by less ink than they have in most columns or lines.
_WIDEST: Final = 1.2
_HIGHEST: Final = 1.55
_NARROWEST_PART: Final = 0.3
_BRIDGE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Blob:
    """Runs of one digit, and its box: left, top inclusive, right, bottom exclusive."""

    runs: Runs
    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def middle(self) -> tuple[float, float]:
        """Of the box: x, y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def mask(self, rim: int) -> tuple[Mask, tuple[int, int]]:
        """Its pixels with a rim around its box, as far as the page goes; and the corner of that, x and y."""
        left, top = max(self.left - rim, 0), max(self.top - rim, 0)
        height, width = self.runs.shape
        shape = (min(self.bottom + rim, height) - top, min(self.right + rim, width) - left)
        return Runs(self.runs.row - top, self.runs.start - left, self.runs.end - left, shape).mask(), (left, top)


@dataclass(frozen=True, slots=True)
class Blobs:
    """All components of a mask: runs sorted by component, and for each component its area and box."""

    runs: Runs
    label: _Index
    area: _Index
    left: _Index
    top: _Index
    right: _Index
    bottom: _Index

    @classmethod
    def of(cls, runs: Runs, label: _Index) -> "Blobs":
        """Components by their numbers, 0 to n - 1 without gaps."""
        order = np.argsort(label, kind="stable")
        runs, label = runs.take(order), label[order]
        first = np.flatnonzero(np.append(True, np.diff(label) > 0)) if len(label) else np.zeros(0, np.int64)
        extremes = (
            function.reduceat(values, first) if len(first) else first
            for function, values in (
                (np.add, runs.length), (np.minimum, runs.start), (np.minimum, runs.row), (np.maximum, runs.end),
                (np.maximum, runs.row + 1),
            )
        )  # fmt: skip
        return cls(runs, label, *extremes)

    def __len__(self) -> int:
        return len(self.area)

    @property
    def height(self) -> _Index:
        """Of each box."""
        return self.bottom - self.top

    @property
    def width(self) -> _Index:
        """Of each box."""
        return self.right - self.left

    @property
    def middle(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Of each box: x, y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def take(self, chosen: npt.NDArray[np.bool_]) -> "Blobs":
        """Some of the components."""
        number = np.cumsum(chosen) - 1
        is_kept = chosen[self.label]
        return Blobs.of(self.runs.take(is_kept), number[self.label[is_kept]])

    def single(self, number: int) -> Blob:
        """One of them."""
        first, last = np.searchsorted(self.label, (number, number + 1))
        runs = self.runs.take(np.arange(first, last))
        return Blob(runs, *(int(side[number]) for side in (self.left, self.top, self.right, self.bottom)))


def scale_of(blobs: Blobs) -> float:
    """The height of a typical digit, in pixels: of the blobs that hold the median of the ink; 0 without blobs.

    Larger blobs count more than their area, so that thousands of specks do not outweigh a few digits.
    """
    # A digit may be a flat piece so far; a blob of full width is no digit.
    height = np.maximum(blobs.height, blobs.width * 0.75)
    is_digit = np.maximum(blobs.height, blobs.width) >= SMALLEST
    if not is_digit.any():
        return 0.0
    height, weight = height[is_digit], blobs.area[is_digit] ** 1.5
    order = np.argsort(height)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(height[order][np.searchsorted(share, 0.5)])


def digit_like(blobs: Blobs, scale: float, ink: Ink) -> tuple[npt.NDArray[np.bool_], int]:
    """Which blobs have the size of a digit, and neither fainter ink nor thinner strokes than all others.

    What is left of a line or at the edge of a table is faint or thin. And how many have such ink, but are much too
    large. ink: (height, width).
    """
    is_large = (blobs.height > _TALLEST * scale) | (blobs.width > _BROADEST * scale)
    is_high = blobs.height >= max(_LOWEST * scale, SMALLEST)
    is_size = is_high & ~is_large
    if not is_size.any():
        return is_size, 0
    total = np.cumsum(np.pad(ink, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    runs = blobs.runs
    strength = np.bincount(blobs.label, total[runs.row, runs.end] - total[runs.row, runs.start]) / blobs.area
    # The mean length of runs: of a level stroke its length, of others little more than their thickness.
    breadth = blobs.area / np.bincount(blobs.label)
    weight = blobs.area * is_size
    is_written = strength > _FAINTER * _weighted_median(strength, weight)
    is_written &= breadth > _THINNER * _weighted_median(breadth, weight)
    is_filled = blobs.area > _FILLED * blobs.height * blobs.width
    return is_size & is_written, int((is_high & is_large & is_written & is_filled).sum())


def _weighted_median(values: npt.NDArray[np.float64], weight: _Index) -> float:
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])


def joined(blobs: Blobs, scale: float, gap: float) -> Blobs:
    """Blobs without specks, and the pieces of a broken digit as one.

    gap: what a removed line tears apart, in pixels.
    """
    blobs = blobs.take(np.maximum(blobs.height, blobs.width) >= _SPECK * scale)
    if len(blobs) > _MANY:
        return blobs
    group = _groups(blobs, scale, max(_PIECE_GAP * scale, gap))
    return Blobs.of(blobs.runs, np.unique(group, return_inverse=True)[1].reshape(-1)[blobs.label])


def _groups(blobs: Blobs, scale: float, near: float) -> _Index:
    """The group of pieces that each blob belongs to, nearest pieces first."""
    boxes = np.stack([blobs.left, blobs.top, blobs.right, blobs.bottom], axis=1)
    across = np.maximum.outer(blobs.left, blobs.left) - np.minimum.outer(blobs.right, blobs.right)
    along = np.maximum.outer(blobs.top, blobs.top) - np.minimum.outer(blobs.bottom, blobs.bottom)
    apart = np.maximum(across, 0) + np.maximum(along, 0)
    is_piece = np.maximum(blobs.height, blobs.width) < _PIECE * scale
    is_tall = blobs.height > _LOWEST * scale
    # Two tall blobs beside each other are two digits.
    fits = (
        (apart <= near)
        & np.logical_or.outer(is_piece, is_piece)
        & ~((across > 0) & np.logical_and.outer(is_tall, is_tall))
    )
    pairs = np.argwhere(np.triu(fits, 1))
    group = np.arange(len(blobs))
    for one, other in pairs[np.argsort(apart[pairs[:, 0], pairs[:, 1]], kind="stable")]:
        first, second = group[one], group[other]
        left, top = np.minimum(boxes[first, :2], boxes[second, :2])
        right, bottom = np.maximum(boxes[first, 2:], boxes[second, 2:])
        if first != second and max(right - left, bottom - top) <= _JOINED * scale:
            boxes[first] = left, top, right, bottom
            group[group == second] = first
    return group


def parted(blob: Blob, scale: float) -> list[Blob]:
    """The digits of a blob that touch each other, beside or below, if there is one place that clearly joins them."""
    runs = blob.runs
    if blob.width > max(_WIDEST * scale, blob.height * _WIDEST):
        columns = np.repeat(runs.start - blob.left, runs.length) + _counting(runs.length)
        if cut := _thin_place(np.bincount(columns, minlength=blob.width), round(_NARROWEST_PART * scale)):
            cut += blob.left
            parts = [
                Runs(runs.row, np.minimum(runs.start, cut), np.minimum(runs.end, cut), runs.shape),
                Runs(runs.row, np.maximum(runs.start, cut), np.maximum(runs.end, cut), runs.shape),
            ]
            return _parts(blob, [each.take(each.length > 0) for each in parts], scale)
    elif blob.height > _HIGHEST * scale:
        lines = np.bincount(runs.row - blob.top, runs.length, blob.height)
        if cut := _thin_place(lines, round(_LOWEST * scale)):
            is_upper = runs.row < blob.top + cut
            return _parts(blob, [runs.take(is_upper), runs.take(~is_upper)], scale)
    return [blob]


def _thin_place(ink: npt.NDArray[Any], margin: int) -> int:
    """Where a blob is thinnest along its length, its ends apart, which are always thin; 0 if it is thin nowhere."""
    inner = ink[margin : len(ink) - margin]
    if not len(inner) or inner.min() > _BRIDGE * np.median(ink):
        return 0
    thinnest = np.flatnonzero(inner == inner.min())
    return margin + int(thinnest[np.abs(thinnest - len(inner) / 2).argmin()])


def _parts(blob: Blob, parts: list[Runs], scale: float) -> list[Blob]:
    """Both parts, parted further; or the blob if one of them is too low for a digit."""
    halves = [Blobs.of(part, np.zeros(len(part), np.int64)).single(0) for part in parts]
    if min(half.height for half in halves) < _LOWEST * scale:
        return [blob]
    return [digit for half in halves for digit in parted(half, scale)]


def _counting(lengths: _Index) -> _Index:
    """0, 1, ... up to each length, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
