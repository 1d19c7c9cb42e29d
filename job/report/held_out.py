"""The confidences of labelled rows that a network has not learned from, right and wrong: what its promises rest on.

A model's card has those of its validation images, computed by the scorer on the saved network. `tally` counts the same
bins while it scores, so that the rows of a run can be compared with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from job.documents.model_json import ConfidenceCounts
from job.report.confidence_bins import CONFIDENCE_BINS, DOUBTS, MILLION, RIGHT, WRONG, bins_of
from job.report.tally import Counts, Tally

_COUNT_LIMIT = 1 << 53


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Labelled rows by the bins of `confidence_bins`, the surest first.

    right, wrong: int64 (CONFIDENCE_BINS,), rows classified correctly, and not.
    """

    right: Counts
    wrong: Counts

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """The labelled rows of a tally."""
        return cls(tally.confidence[:, RIGHT], tally.confidence[:, WRONG])

    @property
    def counts(self) -> Counts:
        """int64 (CONFIDENCE_BINS,): rows per bin."""
        return self.right + self.wrong

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float | None:
        """The share classified correctly; None without rows."""
        return int(self.right.sum()) / self.rows if self.rows else None

    def to_json(self) -> ConfidenceCounts:
        """The bins that have rows, by their highest doubt in millionths."""
        found = np.flatnonzero(self.counts)
        return {
            "doubts": [DOUBTS[index] for index in found],
            "right": self.right[found].tolist(),
            "wrong": self.wrong[found].tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for what it cannot have returned.

        The bins of another version may be others: then rows count as if they had the highest doubt of their bin.
        """
        doubts, right, wrong = (_whole_numbers(content, name) for name in ("doubts", "right", "wrong"))
        if not len(doubts) == len(right) == len(wrong) or (np.diff(doubts) <= 0).any() or (doubts > MILLION).any():
            raise ValueError("its doubts are not ascending, with a count of right and of wrong rows for each")
        bins, counted = bins_of(MILLION - doubts), cls(*np.zeros((2, CONFIDENCE_BINS), np.int64))
        np.add.at(counted.right, bins, right)
        np.add.at(counted.wrong, bins, wrong)
        return counted


def _whole_numbers(content: Mapping[str, Any], name: str) -> Counts:
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(type(each) is int and 0 <= each < _COUNT_LIMIT for each in found):
        raise ValueError(f"its {name} are not whole numbers")
    return np.array(found, np.int64)
