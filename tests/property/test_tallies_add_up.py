"""The algebra that allows parts to be counted separately."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scored import part_of, scored_batch

from job.report.tally import Tally


@st.composite
def scored_batches(draw):
    """A batch with missing labels and records rejected for various reasons."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return scored_batch(random, draw(st.integers(0, 30)), has_labels=draw(st.booleans()))


@settings(deadline=None)
@given(batch=scored_batches(), cut=st.integers(0, 30))
def test_tallies_of_parts_add_up_in_any_order(batch, cut):
    """Counting a batch in two parts, in either order, gives the counts of the whole."""
    first, second = Tally.of(part_of(batch, 0, cut)), Tally.of(part_of(batch, cut, len(batch.predictions)))
    assert first + second == second + first == Tally.of(batch)


@settings(deadline=None)
@given(batches=st.lists(scored_batches(), min_size=3, max_size=3))
def test_addition_is_associative_and_zero_is_neutral(batches):
    """Tallies can be merged in any grouping, starting from zero."""
    a, b, c = map(Tally.of, batches)
    assert (a + b) + c == a + (b + c)
    assert Tally.zero() + a == a


@settings(deadline=None)
@given(batch=scored_batches())
def test_every_record_is_scored_or_rejected(batch):
    """`read` is `scored` plus `rejected` plus `skipped`, and each count is the sum of its breakdown."""
    tally = Tally.of(batch)
    assert tally.read == len(batch.predictions) == tally.scored + tally.rejected + tally.skipped
    assert tally.scored == tally.predicted.sum() == tally.confidence.sum()
    right, wrong, unlabelled = tally.confidence.sum(axis=0)
    assert tally.labelled == tally.confusion.sum() == right + wrong == tally.scored - unlabelled
    assert tally.correct == tally.confusion.trace() == right


@settings(deadline=None)
@given(batch=scored_batches())
def test_a_tally_is_serialised_whole(batch):
    """Its JSON form holds everything."""
    assert Tally.from_json(Tally.of(batch).to_json()) == Tally.of(batch)
