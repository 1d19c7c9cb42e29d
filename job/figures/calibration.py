"""The calibration curve: of the rows that are so sure, how many are right; with the 95 % interval of each point."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.figures.slide import BLUE, GREY, short, slide
from job.report.metrics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LAST: Final = 95


def calibration_curve(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with labels."""
    bins = [each for each in report["calibration"]["bins"] if each["count"]]

    def draw(figure: "Figure") -> None:
        _draw(figure, bins)

    subtitle = (
        f"expected calibration error {100 * report['calibration']['ece']:.2f} %; on the dashed line, "
        "90 % sure means 90 % right"
    )
    return slide("How far to trust a confidence", subtitle, footer, draw)


def _draw(figure: "Figure", bins: list[dict[str, Any]]) -> None:
    import seaborn as sns  # noqa: PLC0415  # three seconds

    axes = figure.add_axes((0.115, 0.165, 0.835, 0.655))
    sure = np.array([100 * each["confidence"] for each in bins])
    right = np.array([100 * each["accuracy"] for each in bins])
    intervals = [wilson_interval(round(each["accuracy"] * each["count"]), each["count"]) for each in bins]
    low, high = 100 * np.array(intervals).T
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=(0, (5, 4)), linewidth=1.5)
    errors = np.maximum(0, [right - low, high - right])
    axes.errorbar(sure, right, errors, fmt="none", ecolor=BLUE, alpha=0.45, elinewidth=2.5, capsize=5)
    # Without an estimator: of points at one place it would draw the mean, with an interval made by chance.
    line: dict[str, Any] = {
        "estimator": None,
        "color": BLUE,
        "linewidth": 2.5,
        "marker": "o",
        "markersize": 11,
        "zorder": 3,
    }
    sns.lineplot(x=sure, y=right, ax=axes, **line)
    for x, y, each in zip(sure, right, bins, strict=True):
        # Beside the last point there is no room to its right.
        side, place = ("left", (10, -14)) if x < _LAST else ("center", (-4, 20))
        where: dict[str, Any] = {"xytext": place, "textcoords": "offset points", "ha": side, "va": "center"}
        axes.annotate(short(each["count"]), (x, y), size=12, color=GREY, **where)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 108)
    ticks = range(0, 101, 20)
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick} %" for tick in ticks])
    axes.grid(visible=True)
    axes.set_xlabel("how sure (mean confidence of a bin; beside each point, its rows)", labelpad=8)
    axes.set_ylabel("how many right", labelpad=8)
