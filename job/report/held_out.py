"""The confidences of labelled rows that a network has not learned from, right and wrong: what its promises rest on.

A model's card has those of its validation images, computed by the scorer on the saved network. `tally` counts the same
bins while it scores, so that the rows of a run can be compared with them.
"""

import math
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

    right, wrong: int64 (CONFIDENCE_BINS,), rows classified correctly, and not. design_effect: how many rows tell as
    much as one that is independent of the others, because rows of one writer are alike; at least 1.
    """

    right: Counts
    wrong: Counts
    design_effect: float = 1.0

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

    def effective(self, rows: int, wrong: int) -> tuple[int, int]:
        """As many independent rows, and wrong ones among them, as tell the same; never more, or fewer wrong ones.

        Source: E. L. Korn, B. I. Graubard, Survey Methodology 24 (1998) 193-201.
        """
        fewer = math.floor(rows / self.design_effect)
        return fewer, min(fewer, math.ceil(wrong / self.design_effect))

    def repeated(self, times: float) -> Self:
        """The rows that several times as many would have, if they are like these; errors are rounded up."""
        right, wrong = np.floor(times * self.right), np.ceil(times * self.wrong)
        return type(self)(right.astype(np.int64), wrong.astype(np.int64), self.design_effect)

    def to_json(self) -> ConfidenceCounts:
        """The bins that have rows, by their highest doubt in millionths."""
        found = np.flatnonzero(self.counts)
        return {
            "doubts": [DOUBTS[index] for index in found],
            "right": self.right[found].tolist(),
            "wrong": self.wrong[found].tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], design_effect: float = 1.0) -> Self:
        """The inverse of `to_json`. Raises ValueError for what it cannot have returned.

        The bins of another version may be others: then rows count as if they had the highest doubt of their bin.
        """
        doubts, right, wrong = (_whole_numbers(content, name) for name in ("doubts", "right", "wrong"))
        if not len(doubts) == len(right) == len(wrong) or (np.diff(doubts) <= 0).any() or (doubts > MILLION).any():
            raise ValueError("its doubts are not ascending, with a count of right and of wrong rows for each")
        bins, empty = bins_of(MILLION - doubts), np.zeros(CONFIDENCE_BINS, np.int64)
        counted = cls(empty, empty.copy(), design_effect)
        np.add.at(counted.right, bins, right)
        np.add.at(counted.wrong, bins, wrong)
        return counted


def _whole_numbers(content: Mapping[str, Any], name: str) -> Counts:
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(type(each) is int and 0 <= each < _COUNT_LIMIT for each in found):
        raise ValueError(f"its {name} are not whole numbers")
    return np.array(found, np.int64)
