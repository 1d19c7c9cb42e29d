"""Labels that could not be read, as text and by the digit that was predicted; `label_convention` judges them.

Counts add up exactly, in any order, and are bounded: of very many different texts a census keeps the shortest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from job.contract import CLASSES, NO_PREDICTION, ScoredBatch
from job.report.tally import Counts, parse_counts

MAX_TEXTS: Final = 32


@dataclass(frozen=True, eq=False)
class LabelCensus:
    """The unreadable labels of some records. `a + b` merges two; `first` is that of `a`, if it has any.

    first: the first one as it stands in the file. texts: int64 (10,), scored rows by predicted digit, of each text; of
    more than MAX_TEXTS the shortest, of equally long ones the first by their letters. Whatever the order of merging,
    each that is kept has been kept everywhere, so that its counts are complete.
    """

    first: str | None = None
    texts: Mapping[str, Counts] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: ScoredBatch) -> Self:
        """The unreadable labels of a batch."""
        unreadable = [(each.row, each.label) for each in batch.rejects if each.label is not None]
        texts: dict[str, Counts] = {}
        for row, label in unreadable:
            counts = texts.setdefault(_plain(label), np.zeros(CLASSES, np.int64))
            if batch.predictions[row] != NO_PREDICTION:
                counts[batch.predictions[row]] += 1
        return cls(unreadable[0][1] if unreadable else None, _bounded(texts))

    def __add__(self, other: Self) -> Self:
        texts = dict(self.texts)
        for text, counts in other.texts.items():
            texts[text] = texts[text] + counts if text in texts else counts
        return type(self)(self.first if self.first is not None else other.first, _bounded(texts))

    def to_json(self) -> dict[str, Any]:
        """Texts and lists of integers."""
        return {"first": self.first, "texts": {text: counts.tolist() for text, counts in self.texts.items()}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError for what it cannot have returned."""
        first, texts = (content.get(name) if isinstance(content, dict) else None for name in ("first", "texts"))
        if not (first is None or isinstance(first, str)) or not isinstance(texts, dict) or len(texts) > MAX_TEXTS:
            raise ValueError("its labels are not as they were written")
        return cls(first, {text: parse_counts(texts, text, (CLASSES,)) for text in texts})


def _plain(label: str) -> str:
    """The same text for the same label: `10` for 10.0, and lower case."""
    try:
        value = float(label)
    except ValueError:
        return label.strip().casefold()
    return str(int(value)) if value.is_integer() else label.strip()


def _bounded(texts: Mapping[str, Counts]) -> dict[str, Counts]:
    kept = sorted(texts, key=lambda text: (len(text), text))[:MAX_TEXTS]
    return {text: texts[text] for text in kept}
