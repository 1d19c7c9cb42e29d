"""The counts that a comparison of two runs is computed from: integers, whose sums do not depend on their order."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, Labels

Counts = npt.NDArray[np.int64]
_SHAPES: Final = ((2, 2), (CLASSES, CLASSES), (2, 2))


@dataclass(frozen=True, eq=False)
class PairTally:
    """Counts over rows of two runs, A and B. `+` merges two tallies; `PairTally.zero()` is neutral.

    scored (2, 2): all rows, by whether A and whether B scored (1) or rejected (0) them.
    digits (10, 10): rows scored by both, A's digit x B's digit.
    correct (2, 2): labelled rows scored by both, by whether A and whether B classifies them correctly (1).
    """

    scored: Counts
    digits: Counts
    correct: Counts

    @classmethod
    def zero(cls) -> Self:
        """No rows."""
        return cls(*(np.zeros(shape, np.int64) for shape in _SHAPES))

    @classmethod
    def of(cls, a: Labels, b: Labels, labels: Labels) -> Self:
        """The counts over n rows. a, b, labels: int8 (n,), predictions of A and B, and labels; -1 if there is none."""
        by_a, by_b = a != NO_PREDICTION, b != NO_PREDICTION
        is_compared = by_a & by_b
        has_label = is_compared & (labels != NO_LABEL)
        first, second, truth = a[has_label], b[has_label], labels[has_label]
        return cls(
            scored=_table(by_a, by_b, 2),
            digits=_table(a[is_compared], b[is_compared], CLASSES),
            correct=_table(first == truth, second == truth, 2),
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PairTally) and all(
            np.array_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    @property
    def read(self) -> int:
        """All rows."""
        return int(self.scored.sum())

    @property
    def compared(self) -> int:
        """Rows scored by both."""
        return int(self.digits.sum())

    @property
    def same(self) -> int:
        """Rows that both classify as the same digit."""
        return int(self.digits.trace())

    @property
    def changed(self) -> int:
        """Rows that the two classify as different digits."""
        return self.compared - self.same

    @property
    def labelled(self) -> int:
        """Labelled rows scored by both."""
        return int(self.correct.sum())

    @property
    def correct_a(self) -> int:
        """Labelled rows that A classifies correctly."""
        return int(self.correct[1].sum())

    @property
    def correct_b(self) -> int:
        """Labelled rows that B classifies correctly."""
        return int(self.correct[:, 1].sum())


def _table(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic], size: int) -> Counts:
    """int64 (size, size): how often each pair of values below `size` occurs."""
    pairs = first.astype(np.int64) * size + second.astype(np.int64)
    return np.bincount(pairs, minlength=size**2).reshape(size, size)
