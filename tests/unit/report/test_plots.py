import re

import pytest
from support.reports import make_report

from job.report import plots


def _bars(drawn, class_):
    """(left, top, height) of each."""
    found = re.findall(rf'<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" class="bar {class_}"', drawn)
    return [tuple(map(float, each)) for each in found]


def test_calibration_points_lie_at_their_figures():
    """A bin that is 50 % sure and right in half of its rows lies on the diagonal, with its interval around it."""
    bins = [{"from": 0.5, "to": 0.55, "count": 100, "confidence": 0.5, "accuracy": 0.5},
            {"from": 0.55, "to": 0.6, "count": 0, "confidence": None, "accuracy": None}]  # fmt: skip
    drawn = plots.calibration_plot("a", {"run": bins})
    ((x, y),) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert (float(x), float(y)) == ((44 + 350) / 2, (212 + 24) / 2)
    low, high = map(float, re.search(r'y1="([\d.]+)" y2="([\d.]+)" class="whisker', drawn).groups())
    assert high < float(y) < low
    assert "of 100 at 50.00 %: 50.00 %" in drawn


def test_bars_of_rows_are_logarithmic():
    """Ten times as many rows are one step higher; a bin without rows has no bar."""
    bars = _bars(plots.confidence_plot("a", [10, 0, 100, 1000], None), "first")
    assert len(bars) == 3
    steps = [bars[index][1] - bars[index + 1][1] for index in range(2)]
    assert steps[0] == pytest.approx(steps[1], abs=0.02)


def test_wrong_rows_stand_within_the_others():
    """And are told in words."""
    drawn = plots.confidence_plot("a", [10, 990], [5, 2])
    assert len(_bars(drawn, "wrong")) == 2
    assert "99.00 % of 1,000 rows are in the highest bin, and 2 of the 7 wrong ones." in drawn


def test_shares_stand_before_those_of_training():
    """One bar each, as high as its share."""
    drawn = plots.paired_bars("a", "Digits", ["0", "1"], [0.25, 0.75], [0.5, 0.5], "digit")
    first, second = _bars(drawn, "first"), _bars(drawn, "second")
    assert first[1][2] == pytest.approx(3 * first[0][2], abs=0.05)
    assert second[0][2] == second[1][2]
    assert "0: 25.00 %, in training 50.00 %; 1: 75.00 %, in training 50.00 %." in drawn


def test_curves_mark_the_epoch_that_was_kept():
    """A value of nought, which has no logarithm, leaves a gap."""
    drawn = plots.curves_plot("a", "loss", {"training": [1.0, 0.1, 0.0], "validation": [1.0, 0.5, 0.7]}, 2)
    assert drawn.count('class="ideal"') == 1
    assert "training: from 1 to 0; validation: from 1 to 0.7" in drawn
    assert "Over 0 epochs." in plots.curves_plot("a", "loss", {"training": [], "validation": []}, 0)
    assert 'class="ideal"' not in plots.curves_plot("a", "loss", {"training": [1.0, 0.5]}, 2)


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 0.987, 0.9999, 1.0])
def test_an_interval_is_within_its_strip(accuracy):
    """However good a run is."""
    drawn = plots.interval_strip(accuracy, [max(0.0, accuracy - 0.01), min(1.0, accuracy + 0.001)], 0.9)
    x, width = map(float, re.search(r'<rect x="([\d.]+)" y="13" width="([\d.]+)"', drawn).groups())
    assert 6 <= x <= x + width <= 357


def test_a_whole_report_can_be_drawn_from_any_number_of_rows():
    """Also from one."""
    report = make_report(rows=1, files=1)
    assert "<svg" in plots.calibration_plot("a", {"run": report["calibration"]["bins"]})
    assert "<svg" in plots.confidence_plot("a", report["confidence_histogram"], None)
