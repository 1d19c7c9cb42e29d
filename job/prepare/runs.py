"""Runs: the horizontal stretches of a mask, and its connected components made of them.

A page has some ten thousand runs where it has millions of pixels, so that NumPy labels components without a compiled
kernel. `ruled_lines` works on runs, too: a line is where the runs across it are short. Used by all of `sheet`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
_Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of pixels, sorted by row and start: `start` to `end`, the latter exclusive; each int64 (n,)."""

    row: _Index
    start: _Index
    end: _Index
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: Mask) -> Self:
        """The runs of a mask (height, width)."""
        edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1).ravel()
        width = mask.shape[1] + 1
        row, start = np.divmod(np.flatnonzero(edges == 1), width)
        return cls(row, start, np.flatnonzero(edges == -1) % width, mask.shape)

    def __len__(self) -> int:
        return len(self.row)

    @property
    def length(self) -> _Index:
        """Pixels of each run."""
        return self.end - self.start

    def take(self, chosen: npt.NDArray[np.bool_] | _Index) -> "Runs":
        """Some of the runs, in order."""
        return Runs(self.row[chosen], self.start[chosen], self.end[chosen], self.shape)

    def mask(self) -> Mask:
        """The mask that these are the runs of: bool (height, width)."""
        height, width = self.shape
        edges = np.zeros((height, width + 1), np.int8)
        edges[self.row, self.start] = 1
        edges[self.row, self.end] -= 1  # runs never touch, but after `bridged`
        return np.cumsum(edges, axis=1, dtype=np.int8)[:, :width].astype(bool)

    def bridged(self, gap: int) -> "Runs":
        """Runs of the same row with at most `gap` pixels between them as one."""
        if not len(self):
            return self
        parted = np.append(True, (np.diff(self.row) > 0) | (self.start[1:] - self.end[:-1] > gap))
        first = np.flatnonzero(parted)
        return Runs(self.row[first], self.start[first], self.end[np.append(first[1:], len(self)) - 1], self.shape)

    def labels(self) -> _Index:
        """The number of each run's component, from 0: runs that touch, also at a corner, are one component."""
        width = self.shape[1] + 2
        below = (self.row + 1) * width
        first = np.searchsorted(self.row * width + self.end, below + self.start)
        last = np.searchsorted(self.row * width + self.start, below + self.end, side="right")
        upper = np.repeat(np.arange(len(self)), last - first)
        lower = np.arange(len(upper)) - np.repeat(np.cumsum(last - first) - last, last - first)
        return _joined(len(self), upper, lower)


def _joined(count: int, one: _Index, other: _Index) -> _Index:
    """Connected components of a graph with `count` nodes and edges one-other, numbered from 0 without gaps.

    Hooks each root to the smallest neighbouring one, then halves all paths, until nothing changes (Shiloach and
    Vishkin 1982).
    """
    root = np.arange(count)
    while True:
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        if np.array_equal(low, high):
            return np.unique(root, return_inverse=True)[1].reshape(-1)
        np.minimum.at(root, high, low)
        while not np.array_equal(root, shorter := root[root]):
            root = shorter
