"""The examples of a report depend neither on how the rows were cut nor on the order of merging."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scored import part_of, scored_batch

from job.contract import NO_LABEL, NO_PREDICTION
from job.report.appearance import Appearance
from job.report.examples import Collector, Examples
from job.report.tally import Tally


@st.composite
def scored(draw, most_rows=700):
    """A batch with its pixels; coarse probabilities make many rows tie."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(0, most_rows))
    batch = scored_batch(
        random, rows, sharpness=draw(st.sampled_from([0.05, 1])), has_labels=draw(st.booleans()), rejected=0.1
    )
    batch.probabilities[:] = np.round(batch.probabilities, draw(st.sampled_from([1, 6])))
    return batch, random.integers(0, 256, (rows, 784), dtype=np.uint8)


def sorted_rows(batch, is_wanted, sign):
    """The wanted rows of a batch, by confidence and then by row, in plain Python."""
    rows = [row for row in range(len(batch.predictions)) if is_wanted(row)]
    return sorted(rows, key=lambda row: (sign * float(batch.confidences[row]), row))


def expected(batch):
    """The rows that a report shows of a batch, by definition."""
    labels = np.full(len(batch.predictions), NO_LABEL) if batch.labels is None else batch.labels
    predictions = batch.predictions

    def is_mistake(row):
        return predictions[row] != NO_PREDICTION and labels[row] not in {NO_LABEL, predictions[row]}

    surest = sorted_rows(batch, is_mistake, -1)
    pairs = {(label, guess): [] for label, guess in itertools.product(range(10), repeat=2)}
    for row in surest:
        pairs[int(labels[row]), int(predictions[row])].append(row)
    confused = sorted((pair for pair in pairs if pairs[pair]), key=lambda pair: (-len(pairs[pair]), pair))
    firsts = {digit: np.flatnonzero(predictions == digit)[:4].tolist() for digit in range(10)}
    return {
        "by_prediction": [(digit, rows) for digit, rows in firsts.items() if rows],
        "sure_mistakes": surest[:40],
        "unsure": sorted_rows(batch, lambda row: predictions[row] != NO_PREDICTION, 1)[:40],
        "confused_pairs": [(*pair, len(pairs[pair]), pairs[pair][:4]) for pair in confused[:5]],
    }


def rows_in(report):
    """The rows of a report, in the form of `expected`."""
    pairs = [
        (each["label"], each["prediction"], each["count"], [one["row"] for one in each["examples"]])
        for each in report["confused_pairs"]
    ]
    return {
        "by_prediction": [
            (each["prediction"], [one["row"] for one in each["examples"]]) for each in report["by_prediction"]
        ],
        **{name: [each["row"] for each in report[name]] for name in ("sure_mistakes", "unsure")},
        "confused_pairs": pairs,
    }


@settings(deadline=None, max_examples=60)
@given(content=scored(), cuts=st.lists(st.integers(0, 700), max_size=5))
def test_any_cut_gives_the_rows_of_the_definition(content, cuts):
    """Batches of a part, and parts of an input, may begin anywhere."""
    batch, pixels = content
    places = [0, *sorted(min(cut, len(pixels)) for cut in cuts), len(pixels)]
    collector, merged = Collector(), Examples.none()
    for start, stop in itertools.pairwise(places):
        piece = part_of(batch, start, stop)
        collector.add(piece, pixels[start:stop])
        merged += Examples.of(piece, pixels[start:stop]).placed(0, start)
    assert collector.examples() == merged == Examples.of(batch, pixels)
    assert rows_in(merged.for_report(["a.csv"], Tally.of(batch).confusion)) == expected(batch)


@settings(deadline=None, max_examples=40)
@given(contents=st.lists(scored(), min_size=3, max_size=3))
def test_addition_is_associative_and_commutative_and_none_is_neutral(contents):
    """Parts and inputs can be merged in any grouping and order."""
    a, b, c = (Examples.of(*content).placed(index, 0) for index, content in enumerate(contents))
    assert (a + b) + c == a + (b + c) == (c + a) + b
    assert a + b == b + a
    assert Examples.none() + a == a


@settings(deadline=None, max_examples=40)
@given(content=scored())
def test_examples_are_serialised_whole_and_bounded(content):
    """Their bytes hold everything, and at most 40 + 40 rows, and 4 of each of 10 digits and 90 pairs."""
    examples = Examples.of(*content)
    assert Examples.from_bytes(examples.to_bytes()) == examples
    assert len(examples.records) <= 40 + 40 + 4 * 10 + 4 * 90


@settings(deadline=None, max_examples=40)
@given(content=scored(), cut=st.integers(0, 700))
def test_appearances_add_up(content, cut):
    """Counting images in two parts, in either order, gives the counts of the whole."""
    _, pixels = content
    first, second = Appearance.of(pixels[:cut]), Appearance.of(pixels[cut:])
    assert first + second == second + first == Appearance.of(pixels)
    assert Appearance.zero() + first == first
    assert Appearance.from_json(first.to_json()) == first


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_ties_are_ordered_by_input_and_row(order):
    """Of equal rows, that of the first input is shown first, whichever was merged first."""
    batch = scored_batch(np.random.default_rng(0), 30, rejected=0)
    batch.probabilities[:] = 0.1
    pixels = np.zeros((30, 784), np.uint8)
    both = [Examples.of(batch, pixels).placed(0, 50), Examples.of(batch, pixels).placed(1, 0)]
    shown = (both[order[0]] + both[order[1]]).for_report(["a", "b"], Tally.of(batch).confusion)["unsure"]
    assert [(each["path"], each["row"]) for each in shown] == [("a", row) for row in range(50, 80)] + [
        ("b", row) for row in range(10)
    ]
