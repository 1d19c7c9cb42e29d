"""One page with many handwritten digits -> each digit in MNIST's form, in reading order.

    page -> page_light: ink -> skew: level -> ruled_lines: no lines -> blobs: digits -> reading_order -> MNIST's form

A page of any size is brought to a working size first, so that memory is bounded. Boxes are in pixels of the page as it
came. Used by `sheet_digits`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from job.contract import Pixels
from job.normalize.mnist_form import form_of_ink
from job.prepare.blobs import Blob, Blobs, digit_like, joined, parted, scale_of
from job.prepare.page_light import Grey, Ink, ink_of
from job.prepare.reading_order import ReadingOrder, reading_order
from job.prepare.ruled_lines import ruled_lines
from job.prepare.runs import Mask, Runs
from job.prepare.skew import skew_of, skew_of_digits

_Floats = npt.NDArray[np.floating[Any]]

# The longer side of a page that is worked on, at most; and below which it is enlarged, as thin strokes need.
WORKING_SIDE: Final = 2400
_SMALL_SIDE: Final = 1000
# A page darker than that, on which lighter things are, is light on dark.
_DARK: Final = 100
# Ink is what is darker than the paper by at least this share, and by this multiple of the noise.
_FAINTEST: Final = 0.08
_NOISES: Final = 4.5
_LINE_BIN: Final = 2.0
# What is so near the edge of the page, in pixels, is cut off.
_EDGE: Final = 3
# Of a digit's full ink: what counts as paper, and what as full.
_PAPER: Final = 0.25
_FULL: Final = 0.75
_INK: Final = 0.5
# Doubtful are digits of fewer pixels, what is so much wider than high or higher than others, and such a share of empty
# cells.
_FEW_PIXELS: Final = 11
_WIDE: Final = 1.3
_HIGH: Final = 1.75
_EMPTY: Final = 0.04


@dataclass(frozen=True, slots=True)
class SheetDigit:
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

    digits: tuple[SheetDigit, ...]
    angle: float
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _LevelPage:
    """A page turned level: its ink, where it is above the noise, and the way back to the page as it came.

    angle: in degrees, counter-clockwise. size: width and height before the turn. factor: of the working size.
    """

    ink: Ink
    mask: Mask
    angle: float
    size: tuple[int, int]
    factor: float

    def before_turn(self, x: _Floats, y: _Floats) -> _Floats:
        """Points of this page, x and y (n,), before it was turned: (2, n)."""
        height, width = self.ink.shape
        turn = np.deg2rad(self.angle)
        dx, dy = x - width / 2, y - height / 2
        across = self.size[0] / 2 + dx * np.cos(turn) - dy * np.sin(turn)
        along = self.size[1] / 2 + dx * np.sin(turn) + dy * np.cos(turn)
        return np.stack([across, along])


@dataclass(frozen=True, slots=True)
class _Digits:
    """What looks like digits on a page. scale: the height of a typical one. left_out: shapes that are too large."""

    blobs: Blobs
    scale: float
    have_lines: bool
    left_out: int


def read_sheet(page: Grey, *, is_dark: bool | None = None) -> Sheet:
    """Find the digits of a page.

    page: uint8 (height, width), 0 is black. is_dark: whether ink is darker than paper; None: the page decides.
    """
    grey, factor = _working_size(page)
    if not (_is_ink_dark(grey) if is_dark is None else is_dark):
        grey = 255 - grey
    inked = ink_of(grey)
    ink, mask = inked.ink, inked.ink > np.maximum(_FAINTEST, _NOISES * inked.noise / inked.paper)
    y, x = np.nonzero(mask)
    level = _turned(ink, mask, skew_of(x.astype(np.float64), y.astype(np.float64), _LINE_BIN), factor)
    some = _digits(level)
    # Where no lines are, digits say better how the page is turned than all of its ink.
    if not some.have_lines:
        if level.angle:
            level = _turned(ink, mask, 0.0, factor)
            some = _digits(level)
        if angle := skew_of_digits(*some.blobs.middle, some.scale):
            level = _turned(ink, mask, angle, factor)
            some = _digits(level)
    blobs, scale = some.blobs, some.scale
    if not len(blobs):
        return Sheet((), level.angle, ())
    digits = [digit for number in range(len(blobs)) for digit in parted(blobs.single(number), scale)]
    middles = np.array([digit.middle for digit in digits], np.float64).reshape(-1, 2)
    places = reading_order(middles[:, 0], middles[:, 1], scale)
    found = [
        SheetDigit(int(places.row[number]), int(places.column[number]), *_cut(level, digits[number]))
        for number in places.order
    ]
    return Sheet(tuple(found), level.angle, tuple(_doubts(digits, places, some, factor)))


def _doubts(digits: Sequence[Blob], places: ReadingOrder, some: _Digits, factor: float) -> Iterator[str]:
    """What makes a page doubtful, as sentences without their subject."""
    scale = some.scale
    if some.left_out:
        yield f"has {some.left_out} shapes that are left out, too large for digits: several may touch there"
    if scale / factor < _FEW_PIXELS:
        yield f"shows digits of {scale / factor:.0f} pixels, too few to read them well; scan or photograph it larger"
    large = sum(digit.width > _WIDE * max(digit.height, scale) or digit.height > _HIGH * scale for digit in digits)
    if large:
        yield f"has {large} of {len(digits)} digits that are wider or higher than digits are: several may touch there"
    if places.is_grid:
        rows, columns = int(places.row.max()), int(places.column.max())
        # The last row may be short.
        empty = (rows - 1) * columns - int((places.row < rows).sum())
        if empty > _EMPTY * len(digits):
            yield (
                f"has {len(digits)} digits in a grid of {rows} rows and {columns} columns: cells are empty, or their "
                "digits were not found"
            )


def _working_size(page: Grey) -> tuple[Grey, float]:
    """The page with at most so many pixels, and as many as thin lines need; and the factor that it was scaled by."""
    longest = max(page.shape)
    factor = min(WORKING_SIDE / longest, 2.0 if longest < _SMALL_SIDE else 1.0)
    if factor == 1:
        return page, 1.0
    size = (max(round(page.shape[1] * factor), 1), max(round(page.shape[0] * factor), 1))
    method = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(page).resize(size, method)), factor


def _is_ink_dark(grey: Grey) -> bool:
    """Whether ink is darker than paper: most of a page is light, or what differs from most of it is darker."""
    return bool(np.median(grey) >= _DARK or np.mean(grey) < np.median(grey))


def _turned(ink: Ink, mask: Mask, degrees: float, factor: float) -> _LevelPage:
    size = (ink.shape[1], ink.shape[0])
    if degrees:
        turned = Image.fromarray(ink).rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        is_ink = Image.fromarray(mask).convert("L").rotate(degrees, Image.Resampling.BILINEAR, expand=True)
        ink, mask = np.clip(np.asarray(turned), 0, 1), np.asarray(is_ink) > np.iinfo(np.int8).max
    return _LevelPage(ink, mask, degrees, size, factor)


def _digits(level: _LevelPage) -> _Digits:
    """What looks like digits on a page, of which the ink of lines is erased."""
    lines = ruled_lines(level.mask, level.ink)
    level.ink[lines.mask] = 0
    runs = Runs.of(level.mask & ~lines.mask)
    blobs = Blobs.of(runs, runs.labels())
    is_small = np.maximum(blobs.height, blobs.width) < max(level.mask.shape) / 2
    blobs = blobs.take(is_small & ~_is_cut_off(blobs, level))
    scale = scale_of(blobs)
    blobs = joined(blobs, scale, lines.thickness + _EDGE)
    is_digit, large = digit_like(blobs, scale, level.ink)
    return _Digits(blobs.take(is_digit), scale, bool(lines.rows or lines.columns), large)


def _is_cut_off(blobs: Blobs, level: _LevelPage) -> npt.NDArray[np.bool_]:
    """Whether each blob reaches the edge of the page."""
    nearest = np.full(len(blobs), np.inf)
    for side, end in (
        (blobs.left, blobs.top),
        (blobs.right, blobs.top),
        (blobs.left, blobs.bottom),
        (blobs.right, blobs.bottom),
    ):
        x, y = level.before_turn(side.astype(np.float64), end.astype(np.float64))
        for distance in (x, y, level.size[0] - x, level.size[1] - y):
            nearest = np.minimum(nearest, distance)
    is_cut_off: npt.NDArray[np.bool_] = nearest < _EDGE
    return is_cut_off


def _cut(level: _LevelPage, digit: Blob) -> tuple[tuple[int, int, int, int], Pixels]:
    """The box of a digit on the page as it came, and its ink in MNIST's form."""
    own, (left, top) = digit.mask(rim=2)
    ink = level.ink[top : top + own.shape[0], left : left + own.shape[1]]
    near = np.pad(own, 1)
    near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | own
    strength = np.clip((ink / np.quantile(ink[own], 0.9) - _PAPER) / (_FULL - _PAPER), 0, 1) * near
    y, x = np.nonzero(strength >= _INK if strength.max() >= _INK else own)
    points = level.before_turn(x + left + 0.5, y + top + 0.5)
    (first_x, first_y), (last_x, last_y) = points.min(axis=1) - 0.5, points.max(axis=1) + 0.5
    box = [round(float(side / level.factor)) for side in (first_x, first_y, last_x, last_y)]
    pixels = form_of_ink((strength * 255).round().astype(np.uint8))
    return (box[0], box[1], box[2] - box[0], box[3] - box[1]), pixels
