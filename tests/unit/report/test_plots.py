import re

import pytest
from support.reports import make_report

from job.report import plots
from job.report.plots import Cell, heat_map


def test_cells_have_their_share_of_the_row():
    """Correct and misclassified shares have their own colours, by fixed bounds; empty cells and rows have none."""
    cells = heat_map([[990, 10], [0, 0]])
    assert cells[0] == [Cell(990, 0.99, "right6"), Cell(10, 0.01, "wrong5")]
    assert cells[1] == [Cell(0, None, ""), Cell(0, None, "")]


def test_every_mistake_has_a_colour():
    """One in a million too, and a digit that is always misclassified; an empty cell off the diagonal has none."""
    cells = heat_map([[10**6, 1, 0], [5, 0, 0], [0, 0, 1]])
    assert [cell.style for cell in cells[0]] == ["right6", "wrong1", ""]
    assert [cell.style for cell in cells[1]] == ["wrong7", "right0", ""]


def _bars(svg, class_):
    """(left, top, height) of each."""
    found = re.findall(rf'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" class="bar {class_}"', svg)
    return [tuple(map(float, each)) for each in found]


def test_calibration_points_are_at_their_figures():
    """A bin of 50 % confidence and 50 % accuracy is on the diagonal, with its interval around it."""
    bins = [{"from": 0.5, "to": 0.55, "count": 100, "confidence": 0.5, "accuracy": 0.5},
            {"from": 0.55, "to": 0.6, "count": 0, "confidence": None, "accuracy": None}]  # fmt: skip
    svg = plots.calibration_plot("a", {"run": bins})
    ((x, y),) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert (float(x), float(y)) == ((44 + 350) / 2, (212 + 24) / 2)
    low, high = map(float, re.search(r'y1="([\d.]+)" y2="([\d.]+)" class="whisker', svg).groups())
    assert high < float(y) < low
    assert "of 100 at 50.00 %: 50.00 %" in svg


def test_bars_of_rows_are_logarithmic():
    """Ten times as many rows are one step higher; an empty bin has no bar."""
    bars = _bars(plots.confidence_plot("a", [10, 0, 100, 1000], None), "first")
    assert len(bars) == 3
    steps = [bars[index][1] - bars[index + 1][1] for index in range(2)]
    assert steps[0] == pytest.approx(steps[1], abs=0.02)


def test_misclassified_rows_have_bars_within_the_others():
    """And are in the description."""
    svg = plots.confidence_plot("a", [10, 990], [5, 2])
    assert len(_bars(svg, "wrong")) == 2
    assert "99.00 % of 1,000 rows are in the highest bin, and 2 of the 7 misclassified." in svg


def test_shares_are_in_front_of_those_of_training():
    """One bar each, as high as its share."""
    svg = plots.paired_bars("a", "Digits", ["0", "1"], [0.25, 0.75], [0.5, 0.5], "digit")
    first, second = _bars(svg, "first"), _bars(svg, "second")
    assert first[1][2] == pytest.approx(3 * first[0][2], abs=0.05)
    assert second[0][2] == second[1][2]
    assert "0: 25.00 %, in training 50.00 %; 1: 75.00 %, in training 50.00 %." in svg


def test_curves_mark_the_epoch_that_was_kept():
    """A value of zero, which has no logarithm, leaves a gap."""
    svg = plots.curves_plot("a", "loss", {"training": [1.0, 0.1, 0.0], "validation": [1.0, 0.5, 0.7]}, 2)
    assert svg.count('class="ideal"') == 1
    assert "training: from 1 to 0; validation: from 1 to 0.7" in svg
    assert "Over 0 epochs." in plots.curves_plot("a", "loss", {"training": [], "validation": []}, 0)
    assert 'class="ideal"' not in plots.curves_plot("a", "loss", {"training": [1.0, 0.5]}, 2)


def test_an_interval_is_within_its_strip():
    """However accurate a run is."""
    for accuracy in (0.0, 0.5, 0.987, 0.9999, 1.0):
        svg = plots.interval_strip(accuracy, [max(0.0, accuracy - 0.01), min(1.0, accuracy + 0.001)], 0.9)
        x, width = map(float, re.search(r'<rect x="([\d.]+)" y="13" width="([\d.]+)"', svg).groups())
        assert 6 <= x <= x + width <= 357


def test_one_row_is_enough_for_all_plots():
    """Without dividing by zero."""
    report = make_report(rows=1, files=1)
    assert "<svg" in plots.calibration_plot("a", {"run": report["calibration"]["bins"]})
    assert "<svg" in plots.confidence_plot("a", report["confidence_histogram"], None)
