"""Which rows of a run people are to look at. What is kept of each part is in tests/property/test_examples_add_up.py."""

import itertools

import numpy as np
import pytest
from support.scored import part_of, scored_batch

from job.contract import NO_PREDICTION
from job.report.examples import Collector, Examples
from job.report.review_rows import contact_sheet, kept_for, review_rows


def scored(rows, *, has_labels=True, seed=3):
    random = np.random.default_rng(seed)
    return scored_batch(random, rows, has_labels=has_labels), random.integers(0, 256, (rows, 784), dtype=np.uint8)


def reviewed(batch, pixels, limit, *, are_labels_judged=True):
    examples = Examples.of(batch, pixels, kept_for(limit))
    return review_rows(examples, ["a.csv"], limit, are_labels_judged=are_labels_judged)


@pytest.mark.parametrize("limit", [1, 7, 60, 500])
@pytest.mark.parametrize("has_labels", [True, False])
def test_surest_mistakes_come_first_then_the_least_sure(limit, has_labels):
    """By definition, in plain Python; half of the rows at most are mistakes, and no row is there twice."""
    batch, pixels = scored(300, has_labels=has_labels)
    rows = [row for row in range(300) if batch.predictions[row] != NO_PREDICTION]
    wrong = [row for row in rows if has_labels and batch.labels[row] not in {-1, batch.predictions[row]}]
    mistakes = sorted(wrong, key=lambda row: (-batch.confidences[row], row))[: (limit + 1) // 2]
    unsure = sorted(set(rows) - set(mistakes), key=lambda row: (batch.confidences[row], row))
    expected = [*mistakes, *unsure][:limit]
    found = reviewed(batch, pixels, limit)
    assert [each.row for each in found] == expected
    assert [each.why for each in found] == ["mistake"] * len(mistakes) + ["unsure"] * (len(expected) - len(mistakes))
    assert [each.number for each in found] == [*range(1, len(expected) + 1)]
    for each in found:
        assert each.pixels == pixels[each.row].tobytes()
        assert each.prediction == batch.predictions[each.row]
        ordered = np.sort(batch.probabilities[each.row])
        assert batch.probabilities[each.row, each.second] == ordered[-2]
        assert each.second != each.prediction
        assert each.confidence == pytest.approx(batch.confidences[each.row], abs=1e-6)
        assert each.label == (None if not has_labels or batch.labels[each.row] < 0 else batch.labels[each.row])


def test_labels_in_doubt_give_no_mistakes():
    """What they mean is not known."""
    assert {each.why for each in reviewed(*scored(100), 50, are_labels_judged=False)} == {"unsure"}


@pytest.mark.parametrize("cuts", [(0, 1000), (0, 3, 500, 500, 999, 1000)])
def test_the_rows_do_not_depend_on_parts_and_batches(cuts):
    """More rows are kept than the report shows."""
    batch, pixels = scored(1000)
    limit = 150
    collector, merged = Collector(limit), Examples.none(limit)
    for start, stop in itertools.pairwise(cuts):
        collector.add(part_of(batch, start, stop), pixels[start:stop])
        merged += Examples.of(part_of(batch, start, stop), pixels[start:stop], limit).placed(0, start)
    expected = reviewed(batch, pixels, limit)
    for examples in (collector.examples(), merged):
        assert review_rows(examples, ["a.csv"], limit, are_labels_judged=True) == expected


def test_the_contact_sheet_shows_every_row_and_escapes_names():
    """It is one page without anything to load."""
    batch, pixels = scored(40)
    rows = review_rows(Examples.of(batch, pixels), ["<b>.csv"], 10, are_labels_judged=True)
    page = contact_sheet(rows)
    assert page.count("<img ") == len(rows) == 10
    assert "<b>.csv" not in page
    assert "&lt;b&gt;.csv" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "There are none" in contact_sheet([])
