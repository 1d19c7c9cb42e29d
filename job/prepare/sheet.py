"""One page with many handwritten digits -> each digit in MNIST's form, in reading order.

    page -> page_light: ink -> skew: level -> ruled_lines: without lines -> blobs: digits -> reading_order -> mnist_form

A page of any size is brought to a working size first, so that memory is bounded. Boxes are in pixels of the page as it
came. Used by `prepare`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from job.contract import Pixels
from job.prepare.blobs import SMALLEST, Blob, Blobs, joined, parted, scale_of
from job.prepare.form_standin import form_of_ink
from job.prepare.page_light import Grey, Ink, ink_of, noise_of
from job.prepare.reading_order import reading_order
from job.prepare.ruled_lines import RuledLine, ruled_lines
from job.prepare.runs import Mask, Runs
from job.prepare.skew import skew_of, skew_of_digits

_LONGEST: Final = 2400
_ENLARGED_BELOW: Final = 1000

# Ink is what is darker than the paper by at least this share, and by this multiple of the noise.
_FAINTEST: Final = 0.08
_NOISES: Final = 4.5


@dataclass(frozen=True, slots=True)
class FoundDigit:
    """A digit of a page: its row and column from 1, its box in pixels of the page, and itself in MNIST's form.

    box: x, y, width, height. pixels: uint8 (784,), ink 255 on 0.
    """

    row: int
    column: int
    box: tuple[int, int, int, int]
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Sheet:
    """The digits of a page in reading order, the angle that it was turned by in degrees, and what is doubtful."""

    digits: tuple[FoundDigit, ...]
    angle: float
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Level:
    """A page turned level: its ink, where it is above the noise, and the way back to the page as it came."""

    ink: Ink
    mask: Mask
    angle: float
    size: tuple[int, int]
    factor: float

    def back(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Points of this page, x and y (n,), on the page as it came: (2, n)."""
        height, width = self.ink.shape
        turn = np.deg2rad(self.angle)
        dx, dy = x - width / 2, y - height / 2
        across = self.size[0] / 2 + dx * np.cos(turn) - dy * np.sin(turn)
        along = self.size[1] / 2 + dx * np.sin(turn) + dy * np.cos(turn)
        return np.stack([across, along]) / self.factor


def read_sheet(page: Grey) -> Sheet:
    """Find the digits of a page.

    page: uint8 (height, width), ink dark on light or light on dark.
    """
    grey, factor = _working_size(page)
    if _is_light_on_dark(grey):
        grey = 255 - grey
    ink, paper = ink_of(grey)
    mask = ink > np.maximum(_FAINTEST, _NOISES * noise_of(ink) / paper)
    y, x = np.nonzero(mask)
    level = _turned(ink, mask, skew_of(x.astype(np.float64), y.astype(np.float64), 2.0), factor)
    lines, columns, blobs, scale = _found(level)
    # Where no lines are, digits say better how the page is turned than all of its ink.
    if not (lines or columns) and (angle := skew_of_digits(*blobs.middle, scale)):
        level = _turned(ink, mask, level.angle + angle, factor)
        lines, columns, blobs, scale = _found(level)
    digits = [digit for number in range(len(blobs)) for digit in parted(blobs.single(number), scale)]
    return _sheet(level, digits, scale)


def _working_size(page: Grey) -> tuple[Grey, float]:
    """The page with at most so many pixels, at least as many as thin lines need; and the factor that it was scaled by."""
    longest = max(page.shape)
    factor = min(_LONGEST / longest, 2.0 if longest < _ENLARGED_BELOW else 1.0)
    if factor == 1:
        return page, 1.0
    size = (max(round(page.shape[1] * factor), 1), max(round(page.shape[0] * factor), 1))
    picture = Image.fromarray(page)
    return np.asarray(picture.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC)), factor


def _is_light_on_dark(grey: Grey) -> bool:
    """Whether ink is light: most of the page is dark, and thin things on it are lighter rather than darker."""
    return bool(np.median(grey) < 100 and np.mean(grey) > np.median(grey))


def _turned(ink: Ink, mask: Mask, degrees: float, factor: float) -> _Level:
    size = (ink.shape[1], ink.shape[0])
    if degrees:
        turned = Image.fromarray(ink).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        ink = np.clip(np.asarray(turned), 0, 1)
        mask = (
            np.asarray(
                Image.fromarray(mask.astype(np.uint8) * 255).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
            )
            > 127
        )
    return _Level(ink, mask, degrees, size, factor)


def _found(level: _Level) -> tuple[list[RuledLine], list[RuledLine], Blobs, float]:
    rows, on_rows = ruled_lines(level.mask)
    columns, on_columns = ruled_lines(np.ascontiguousarray(level.mask.T))
    mask = level.mask & ~on_rows & ~on_columns.T
    level.ink[(on_rows | on_columns.T)] = 0
    runs = Runs.of(mask)
    blobs = Blobs.of(runs, runs.labels())
    blobs = blobs.take(~_at_edge(blobs, level) & (np.maximum(blobs.height, blobs.width) < 0.5 * max(mask.shape)))
    scale = scale_of(blobs)
    gap = max((line.thickness for line in (*rows, *columns)), default=0) + 4
    blobs = joined(blobs, scale, gap)
    return rows, columns, blobs.take(_is_digit_like(blobs, scale, level.ink)), scale


def _at_edge(blobs: Blobs, level: _Level) -> npt.NDArray[np.bool_]:
    """Whether a blob reaches the edge of the page."""
    edges = []
    for x, y in (
        (blobs.left, blobs.top),
        (blobs.right, blobs.top),
        (blobs.left, blobs.bottom),
        (blobs.right, blobs.bottom),
    ):
        across, along = level.back(x.astype(np.float64), y.astype(np.float64)) * level.factor
        edges.append(np.minimum(np.minimum(across, along), np.minimum(level.size[0] - across, level.size[1] - along)))
    return np.min(edges, axis=0) < 3


def _is_digit_like(blobs: Blobs, scale: float, ink: Ink) -> npt.NDArray[np.bool_]:
    is_size = (blobs.height >= 0.45 * scale) & (blobs.height <= 2.2 * scale) & (blobs.width <= 4 * scale)
    is_size &= blobs.height >= SMALLEST
    if not is_size.any():
        return is_size
    total = np.cumsum(np.pad(ink, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    runs = blobs.runs
    of_runs = total[runs.row, runs.end] - total[runs.row, runs.start]
    strength = np.bincount(blobs.label, of_runs, len(blobs)) / blobs.area
    breadth = blobs.area / np.bincount(blobs.label, minlength=len(blobs))
    weight = blobs.area * is_size
    typical_strength, typical_breadth = (_weighted_median(each, weight) for each in (strength, breadth))
    return is_size & (strength > 0.4 * typical_strength) & (breadth > 0.35 * typical_breadth)


def _weighted_median(values: npt.NDArray[np.float64], weight: npt.NDArray[np.int64]) -> float:
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])


def _sheet(level: _Level, digits: list[Blob], scale: float) -> Sheet:
    if not digits:
        return Sheet((), level.angle, ())
    x = np.array([(digit.left + digit.right) / 2 for digit in digits])
    y = np.array([(digit.top + digit.bottom) / 2 for digit in digits])
    places = reading_order(x, y, scale)
    found = [
        FoundDigit(int(places.row[number]), int(places.column[number]), *_cut(level, digits[number]))
        for number in places.order
    ]
    return Sheet(tuple(found), level.angle, ())


def _cut(level: _Level, digit: Blob) -> tuple[tuple[int, int, int, int], Pixels]:
    """The box of a digit on the page as it came, and its ink in MNIST's form."""
    rim = 2
    height, width = level.ink.shape
    left, top = max(digit.left - rim, 0), max(digit.top - rim, 0)
    right, bottom = min(digit.right + rim, width), min(digit.bottom + rim, height)
    ink = level.ink[top:bottom, left:right]
    own = np.zeros(ink.shape, bool)
    for row, start, end in zip(digit.runs.row - top, digit.runs.start - left, digit.runs.end - left, strict=True):
        own[row, start:end] = True
    full = np.quantile(ink[own], 0.9)
    wide = np.pad(own, 1)
    near = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:] | own
    strength = np.clip((ink / full - 0.25) / 0.5, 0, 1) * near
    y, x = np.nonzero(strength >= 0.5)
    if not len(x):
        y, x = np.nonzero(own)
    across, along = level.back(x + left + 0.5, y + top + 0.5)
    box = (across.min() - 0.5, along.min() - 0.5, across.max() + 0.5, along.max() + 0.5)
    corner = (round(box[0]), round(box[1]))
    return (*corner, round(box[2]) - corner[0], round(box[3]) - corner[1]), form_of_ink(
        (strength * 255).round().astype(np.uint8)
    )
