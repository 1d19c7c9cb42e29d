"""The confusion matrix: what is right in blue; mistakes in orange on a scale of their own, for else none would show."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.figures.slide import BLUE, GREY, INK, ORANGE, short, slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PAIRS: Final = 8


def confusion_matrix(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with labels."""
    counts = np.array(report["confusion_matrix"], np.int64)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(figure: "Figure") -> None:
        _draw_matrix(figure, counts, shares, report["classes"])
        _draw_pairs(figure.add_axes((0.655, 0.12, 0.30, 0.72)), counts, shares)

    subtitle = f"{report['correct']:,} of {report['labelled']:,} labelled rows right: {100 * report['accuracy']:.2f} %"
    return slide("Which digits are taken for which", subtitle, footer, draw)


def _draw_matrix(figure: "Figure", counts: Any, shares: Any, classes: list[str]) -> None:
    import seaborn as sns  # noqa: PLC0415  # three seconds

    axes = figure.add_axes((0.085, 0.155, 0.40, 0.675))
    scale = figure.add_axes((0.535, 0.155, 0.012, 0.675))
    is_right = np.eye(len(counts), dtype=bool)
    texts = np.array([[short(cell) if cell else "" for cell in row] for row in counts.tolist()])
    common = {"ax": axes, "annot": texts, "fmt": "", "linewidths": 1.5, "linecolor": "white", "annot_kws": {"size": 13}}
    common |= {"xticklabels": classes, "yticklabels": classes}
    right = sns.light_palette(BLUE, as_cmap=True)
    wrong = sns.light_palette(ORANGE, as_cmap=True)
    highest = max(float(shares[~is_right].max()), 1e-9)
    sns.heatmap(shares, mask=~is_right, cmap=right, vmin=0, vmax=110, cbar=False, **common)
    sns.heatmap(shares, mask=is_right, cmap=wrong, vmin=0, vmax=highest, cbar_ax=scale, **common)
    axes.set_xlabel("predicted digit", labelpad=8)
    axes.set_ylabel("true digit", labelpad=8)
    axes.tick_params(length=0, labelsize=16)
    axes.tick_params("y", rotation=0)
    scale.set_ylabel("mistakes, % of the true digit's rows", size=13)
    scale.tick_params(labelsize=12, length=3)


def _draw_pairs(axes: "Axes", counts: Any, shares: Any) -> None:
    """The pairs that are confused most often, in words."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    pairs = [(-counts[a, b], a, b) for a, b in np.ndindex(counts.shape) if a != b and counts[a, b]]
    axes.text(0, 0.965, "Most often" if pairs else "No mistake", size=20, weight="bold", va="center")
    for place, (negative, a, b) in enumerate(sorted(pairs)[:_MOST_PAIRS]):
        y = 0.86 - 0.105 * place
        axes.text(0, y, f"{a} taken for {b}", size=18, va="center", color=INK)
        axes.text(0.70, y, short(-negative), size=18, va="center", ha="right", weight="bold", color=ORANGE)
        axes.text(1, y, f"{shares[a, b]:.2f} %", size=15, va="center", ha="right", color=GREY)
