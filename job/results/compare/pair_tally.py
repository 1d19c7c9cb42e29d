"""What a comparison of two runs is computed from, as integer counts that add up exactly, in any order; see `tally`."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, Labels

Counts = npt.NDArray[np.int64]
_SHAPES: Final = ((2, 2), (CLASSES, CLASSES), (2, 2))


@dataclass(frozen=True, eq=False)
class PairTally:
    """Counts over some rows that two runs, A and B, have scored. `+` merges two; `PairTally.zero()` is neutral.

    scored (2, 2): all rows, by whether A scored it and whether B did; the rest was rejected.
    digits (10, 10): rows that both scored, A's digit x B's digit.
    right (2, 2): those of them that have a label, by whether A is right and whether B is.
    """

    scored: Counts
    digits: Counts
    right: Counts

    @classmethod
    def zero(cls) -> Self:
        """Nothing counted."""
        return cls(*(np.zeros(shape, np.int64) for shape in _SHAPES))

    @classmethod
    def of(cls, a: Labels, b: Labels, labels: Labels) -> Self:
        """The counts of some rows: the digits of A, of B, and the true ones, int8 (n,) each, -1 where there is none."""
        by_a, by_b = a != NO_PREDICTION, b != NO_PREDICTION
        is_compared = by_a & by_b
        has_label = is_compared & (labels != NO_LABEL)
        first, second, truth = a[has_label], b[has_label], labels[has_label]
        return cls(
            scored=_table(by_a, by_b, 2),
            digits=_table(a[is_compared], b[is_compared], CLASSES),
            right=_table(first == truth, second == truth, 2),
        )

    def __add__(self, other: Self) -> Self:
        """The counts of both."""
        return type(self)(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __eq__(self, other: object) -> bool:
        """Equal counts."""
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
        """Rows that both scored."""
        return int(self.digits.sum())

    @property
    def same(self) -> int:
        """Rows that both scored as the same digit."""
        return int(self.digits.trace())

    @property
    def labelled(self) -> int:
        """Rows that both scored and that have a label."""
        return int(self.right.sum())

    @property
    def correct_a(self) -> int:
        """Labelled rows that A has right."""
        return int(self.right[1].sum())

    @property
    def correct_b(self) -> int:
        """Labelled rows that B has right."""
        return int(self.right[:, 1].sum())


def _table(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic], size: int) -> Counts:
    """How often each pair of values below `size` occurs in two columns: int64 (size, size)."""
    pairs = first.astype(np.int64) * size + second.astype(np.int64)
    return np.bincount(pairs, minlength=size**2).reshape(size, size)
