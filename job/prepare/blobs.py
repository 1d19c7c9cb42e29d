"""Connected ink -> digits: pieces of a broken digit are joined, touching digits parted, everything else is left out.

All is relative to the page's own scale, the height of the blobs that hold the median pixel of ink: neither dust nor a
long edge shifts it. Used by `sheet`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from job.prepare.runs import Runs

_Index = npt.NDArray[np.int64]

# Of the scale. Smaller blobs are dust, crossings of removed lines, or noise.
_SPECK: Final = 0.16
_LOWEST: Final = 0.45
_TALLEST: Final = 2.2
# A digit's pieces are nearer to each other than digits are, and together no larger than a digit.
_PIECE_GAP: Final = 0.16
_PIECE: Final = 0.8
_JOINED: Final = 1.35
_MANY: Final = 4000


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
    """The height of a typical digit, in pixels: of the blobs that hold the median pixel; 0 without blobs."""
    if not len(blobs):
        return 0.0
    # A digit may lie on its side, or be a flat piece; a blob of full width is no digit.
    height = np.maximum(blobs.height, blobs.width * 0.75)
    order = np.argsort(height)
    share = np.cumsum(blobs.area[order]) / blobs.area.sum()
    return float(height[order][np.searchsorted(share, 0.5)])


def joined(blobs: Blobs, scale: float, gap: float) -> Blobs:
    """Blobs without specks, and the pieces of a broken digit as one.

    gap: what a removed line tears apart, in pixels.
    """
    blobs = blobs.take(np.maximum(blobs.height, blobs.width) >= _SPECK * scale)
    if len(blobs) > _MANY:
        return blobs
    near = max(_PIECE_GAP * scale, gap)
    while True:
        pair = _nearest_pieces(blobs, scale, near)
        if pair is None:
            return blobs
        one, other = pair
        number = np.arange(len(blobs))
        number[other] = one
        blobs = Blobs.of(blobs.runs, np.unique(number, return_inverse=True)[1].reshape(-1)[blobs.label])


def _nearest_pieces(blobs: Blobs, scale: float, near: float) -> tuple[int, int] | None:
    """The two blobs that most surely are pieces of one digit."""
    width = np.maximum.outer(blobs.right, blobs.right) - np.minimum.outer(blobs.left, blobs.left)
    height = np.maximum.outer(blobs.bottom, blobs.bottom) - np.minimum.outer(blobs.top, blobs.top)
    across = np.maximum.outer(blobs.left, blobs.left) - np.minimum.outer(blobs.right, blobs.right)
    along = np.maximum.outer(blobs.top, blobs.top) - np.minimum.outer(blobs.bottom, blobs.bottom)
    apart = np.maximum(across, 0) + np.maximum(along, 0)
    is_piece = (blobs.height < _PIECE * scale) & (blobs.width < _PIECE * scale)
    fits = (apart <= near) & (height <= _JOINED * scale) & (width <= _JOINED * scale)
    fits &= np.logical_or.outer(is_piece, is_piece)
    # Beside each other stand two digits; only one within the other's height is a piece of it.
    is_beside = (across > 0) & np.logical_and.outer(blobs.height > _LOWEST * scale, blobs.height > _LOWEST * scale)
    fits &= ~is_beside
    np.fill_diagonal(fits, val=False)
    if not fits.any():
        return None
    cost = np.where(fits, apart + height * 1e-3, np.inf)
    one, other = np.unravel_index(int(cost.argmin()), cost.shape)
    return (int(min(one, other)), int(max(one, other)))
