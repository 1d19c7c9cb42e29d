import functools
import operator

import numpy as np
import pytest

from job.contract import Reason, Reject, ScoredBatch
from job.report.label_census import MAX_TEXTS, LabelCensus


def _batch(labels, predictions=None):
    """A batch whose labels, if not None, could not be read."""
    predictions = np.array(predictions or [0] * len(labels), np.int8)
    rejects = [Reject(row, Reason.BAD_LABEL, "", label=text) for row, text in enumerate(labels) if text is not None]
    return ScoredBatch(predictions, np.zeros((len(labels), 10), np.float32), None, tuple(rejects))


def _content(census):
    return census.to_json()["texts"]


def test_texts_are_counted_by_predicted_digit():
    """Whatever the form of a number, and upper or lower case; rejected rows have no digit."""
    census = LabelCensus.of(_batch([None, "10", "10.0", "Ten", "ten"], [5, 0, 1, -1, 3]))
    assert census.first == "10"
    tens, words = _content(census)["10"], _content(census)["ten"]
    assert (tens, sum(words), words[3]) == ([1, 1] + [0] * 8, 1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_depends_neither_on_order_nor_on_grouping(seed):
    """Of more texts than are kept, the same ones are, with all their rows."""
    random = np.random.default_rng(seed)
    texts = [f"{number:x}" for number in random.integers(0, 300, 2000)]
    digits = random.integers(0, 10, len(texts)).tolist()
    whole = LabelCensus.of(_batch(texts, digits))
    pieces = [LabelCensus.of(_batch(texts[at : at + 50], digits[at : at + 50])) for at in range(0, len(texts), 50)]
    random.shuffle(pieces)
    half = len(pieces) // 2
    grouped = functools.reduce(operator.add, pieces[:half]) + functools.reduce(operator.add, pieces[half:])
    assert len(_content(whole)) == MAX_TEXTS
    assert _content(grouped) == _content(whole)
    assert _content(LabelCensus.from_json(grouped.to_json())) == _content(whole)


def test_the_first_is_that_of_the_first_part_that_has_any():
    """As the parts are added in order."""
    parts = [LabelCensus(), LabelCensus.of(_batch(["b"])), LabelCensus.of(_batch(["a"]))]
    assert sum(parts, LabelCensus()).first == "b"
