"""The confidence histogram: how sure the network is of its rows, and of those that it has wrong."""

from typing import TYPE_CHECKING, Any

import numpy as np

from job.figures.slide import BLUE, ORANGE, slide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confidence_histogram(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with at least one scored row."""
    counts = np.array(report["confidence_histogram"], np.int64)
    scored = int(counts.sum())
    wrong = None
    if report["calibration"]:
        bins = report["calibration"]["bins"]
        wrong = np.array([round(each["count"] * (1 - (each["accuracy"] or 0))) for each in bins], np.int64)

    def draw(figure: "Figure") -> None:
        _draw(figure, counts, wrong)

    subtitle = (
        f"{100 * counts[-1] / scored:.1f} % of {scored:,} scored rows are at least "
        f"{100 * (1 - 1 / len(counts)):.0f} % sure; counts on a logarithmic scale"
    )
    return slide("How sure it is", subtitle, footer, draw)


def _draw(figure: "Figure", counts: Any, wrong: Any) -> None:
    import seaborn as sns  # noqa: PLC0415  # three seconds

    axes = figure.add_axes((0.115, 0.165, 0.835, 0.655))
    edges = np.linspace(0, 100, len(counts) + 1)
    common = {"bins": edges.tolist(), "ax": axes, "edgecolor": "white", "linewidth": 1.5, "alpha": 1}
    middles = (edges[:-1] + edges[1:]) / 2
    sns.histplot(x=middles, weights=counts, color=sns.light_palette(BLUE, 5)[3], label="all rows", **common)
    if wrong is not None:
        sns.histplot(x=middles, weights=wrong, color=ORANGE, shrink=0.55, label="predicted wrong", **common)
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(0.7, max(2.0, 2.5 * float(counts.max())))
    axes.set_xlim(0, 100)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xticks(range(0, 101, 10), [f"{tick} %" for tick in range(0, 101, 10)])
    axes.grid(visible=True, axis="y")
    axes.set_axisbelow(True)
    axes.set_xlabel("confidence", labelpad=8)
    axes.set_ylabel("rows", labelpad=8)
    axes.legend(loc="upper left", frameon=False)
