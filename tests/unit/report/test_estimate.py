"""The estimate of an accuracy without labels, and when there is none."""

import json

import numpy as np
import pytest
from support.scored import scored_batch

from job.contract import ScoredBatch
from job.documents.report_json import EstimateFigures
from job.report.appearance import Appearance
from job.report.drift import Distribution, drift
from job.report.estimate import estimate, estimate_in_words
from job.report.held_out import HeldOut
from job.report.tally import Tally

NONE = {"estimated_accuracy": None, "estimated_accuracy_range": None}


def rows(confidences, wrong=(), predictions=None):
    """A tally of rows with these confidences, some of them wrong."""
    size = len(confidences)
    predictions = np.arange(size) % 10 if predictions is None else predictions
    probabilities = np.zeros((size, 10), np.float32)
    probabilities[np.arange(size), predictions] = confidences
    labels = predictions.copy()
    labels[list(wrong)] = (labels[list(wrong)] + 1) % 10
    return Tally.of(ScoredBatch(predictions.astype(np.int8), probabilities, labels.astype(np.int8), ()))


def drift_of(tally):
    """Against training images of which each digit is as frequent."""
    appearance = Appearance.of(np.zeros((1, 784), np.uint8))
    training = Distribution(appearance, np.full(10, 1000))
    return drift(training, [("a.csv", Distribution(appearance, tally.predicted))])


def estimated(tally, held_out):
    return estimate(tally, HeldOut.of(held_out), drift_of(tally))


@pytest.fixture
def held_out():
    """1,000 rows of which 100 are wrong: as many lie below a confidence of 0.7."""
    confidences = np.repeat([0.995, 0.6], [900, 100])
    return rows(confidences, wrong=range(850, 950))


def test_the_estimate_is_the_share_above_the_threshold(held_out):
    """Of rows like the held-out ones it is their accuracy; of less sure ones it is lower."""
    assert estimated(held_out, held_out)["estimated_accuracy"] == 0.9
    half = rows(np.repeat([0.995, 0.6], [500, 500]))
    assert estimated(half, held_out)["estimated_accuracy"] == 0.5


def test_ties_at_the_threshold_count_in_part():
    """Half of the rows with one confidence are wrong, so half of such rows are taken to be right."""
    held_out = rows(np.full(1000, 0.9), wrong=range(500))
    assert estimated(rows(np.full(200, 0.9)), held_out)["estimated_accuracy"] == 0.5


def test_the_range_holds_the_estimate_and_widens_with_its_distance(held_out):
    """Chance alone where the rows are like the held-out ones; up to half of the distance besides."""
    found = [estimated(rows(np.repeat([0.995, 0.6], [sure, 1000 - sure])), held_out) for sure in (900, 800, 600)]
    widths = []
    for each in found:
        low, high = each["estimated_accuracy_range"]
        assert 0 <= low < each["estimated_accuracy"] < high <= 1
        widths.append(high - low)
    assert widths == sorted(widths)
    assert widths[0] < 0.1
    assert widths[2] > 0.3


def test_few_rows_have_a_wide_range(held_out):
    """The same shares of more rows say more."""
    few, many = (
        estimated(rows(np.repeat([0.995, 0.6], [9 * size, size])), held_out)["estimated_accuracy_range"]
        for size in (20, 2000)
    )
    assert few[0] < many[0] < many[1] < few[1]


def test_a_perfect_model_has_an_estimate():
    """Nothing is below the threshold but what is less sure than any held-out row."""
    held_out = rows(np.full(500, 0.99))
    assert estimated(rows(np.full(200, 0.995)), held_out)["estimated_accuracy"] == 1
    assert estimated(rows(np.repeat([0.995, 0.5], [150, 50])), held_out)["estimated_accuracy"] == 0.75


@pytest.mark.parametrize(
    ("tally", "reason"),
    [
        (rows(np.full(500, 0.99), predictions=np.zeros(500, int)), "the predicted digits have drifted"),
        (rows(np.full(99, 0.99)), "99 rows are too few to tell"),
        (rows(np.full(0, 0.99)), "0 rows are too few to tell"),
    ],
)
def test_no_estimate_where_it_is_not_to_be_trusted(tally, held_out, reason):
    """However sure the network is."""
    found = estimated(tally, held_out)
    assert reason in found.pop("estimated_accuracy_withheld")
    assert found == NONE


def test_no_estimate_without_what_the_card_must_have(held_out):
    """Cards of earlier versions and of networks from elsewhere."""
    found = estimate(held_out, None, drift_of(held_out))
    assert "no confidences on held-out images" in found["estimated_accuracy_withheld"]
    assert "no confidences" in estimated(held_out, Tally.zero())["estimated_accuracy_withheld"]
    found = estimate(held_out, HeldOut.of(held_out), None)
    assert "does not describe its training data" in found["estimated_accuracy_withheld"]


def test_the_estimate_depends_on_the_rows_alone(held_out):
    """Parts add up, and the figures are plain numbers."""
    random = np.random.default_rng(0)
    parts = [Tally.of(scored_batch(random, 300, rejected=0)) for _ in range(3)]
    once, again = (estimated(sum(order, Tally.zero()), held_out) for order in (parts, parts[::-1]))
    assert json.dumps(once) == json.dumps(again)
    assert once.keys() == EstimateFigures.__annotations__.keys()


def test_words():
    """For the log, the terminal and the page; none where labels tell the accuracy."""
    report = {
        "accuracy": None,
        "rows": {"scored": 5},
        "estimated_accuracy": 0.9,
        "estimated_accuracy_range": [0.8, 0.95],
    }
    assert estimate_in_words(report) == "about 90.00 % (80.00 % to 95.00 %), estimated without labels"
    unknown = {**report, **NONE, "estimated_accuracy_withheld": "of drift"}
    assert estimate_in_words(unknown) == "unknown; an estimate is not to be trusted here, because of drift"
    assert estimate_in_words({**report, "accuracy": 0.9}) is None
    assert estimate_in_words({**report, "rows": {"scored": 0}}) is None
    assert estimate_in_words({"accuracy": None, "rows": {"scored": 5}, "estimated_accuracy": 0.9}) is None
