"""Two streams of predictions of the same rows, side by side, however each of them is cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from job.contract import Labels
from job.score.predicted import Predicted

_NOTHING: Final = Predicted(np.empty(0, np.int8), np.empty(0, np.float32), np.empty(0, np.int8))


@dataclass(frozen=True, slots=True)
class Pair:
    """What A and B say of the same n rows. labels: int8 (n,), from either, -1 where neither has one."""

    a: Predicted
    b: Predicted
    labels: Labels


def side_by_side(a: Iterator[Predicted], b: Iterator[Predicted]) -> Iterator[tuple[Predicted, Predicted]]:
    """The rows of two streams in pieces of the same length, however each is cut; the last has rows of one alone."""
    first, second = _NOTHING, _NOTHING
    while True:
        first, second = (_filled(left, stream) for left, stream in ((first, a), (second, b)))
        rows = min(len(first), len(second))
        if not rows:
            break
        yield first[:rows], second[:rows]
        first, second = first[rows:], second[rows:]
    if len(first) or len(second):
        yield first, second


def _filled(left: Predicted, stream: Iterator[Predicted]) -> Predicted:
    """What is left of a batch, or the next one with rows; nothing at the end."""
    while not len(left) and (following := next(stream, None)) is not None:
        left = following
    return left
