"""A report -> pictures for slides: PNG files of 1920 x 1080.

Outside the train stage the only code that imports matplotlib.
"""

import base64
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import SIDE, Pixels
from job.report.metrics import wilson_interval
from job.report.tally import MILLION
from job.storage import Storage, join

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


INK: Final = "#1c2733"
GREY: Final = "#66707c"
PALE: Final = "#d5dae1"
BLUE: Final = "#264478"
ORANGE: Final = "#d1662b"
_INCHES: Final = (13.333333333333334, 7.5)
_DOTS_PER_INCH: Final = 144
_LEFT: Final = 0.045
_TEN_THOUSAND: Final = 10_000


def slide(title: str, subtitle: str, footer: str, draw: Callable[["Figure"], None]) -> bytes:
    """A PNG. draw: puts axes into the figure, between 0.10 and 0.84 of its height."""
    # A home that cannot be written to is no trouble, and no news.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib.style
    import seaborn as sns
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    look = {
        **sns.axes_style("white"),
        **sns.plotting_context("talk"),
        "font.family": "DejaVu Sans",  # comes with matplotlib
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": PALE,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with warnings.catch_warnings(), matplotlib.style.context(look, after_reset=True):
        # A name may hold letters that the font does not have; they are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(_INCHES, _DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        # What comes from outside, such as a name with dollar signs, is no formula.
        figure.text(_LEFT, 0.93, title, size=30, weight="bold", va="center", parse_math=False)
        figure.text(_LEFT, 0.868, subtitle, size=18, color=GREY, va="center", parse_math=False)
        figure.text(_LEFT, 0.028, footer, size=12, color=GREY, va="center", parse_math=False)
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def short(count: int) -> str:
    """A count in as few characters as a cell has room for: 9,999, 12.3k, 4.6M, 123M."""
    if count < _TEN_THOUSAND:
        return f"{count:,}"
    value, unit = (count / MILLION, "M") if count >= MILLION else (count / 1000, "k")
    return f"{value:.1f}{unit}" if value < 100 else f"{value:,.0f}{unit}"  # noqa: PLR2004  # three digits


_LAST: Final = 95


def calibration_curve(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with labels."""
    bins = [each for each in report["calibration"]["bins"] if each["count"]]

    def draw(figure: "Figure") -> None:
        _draw_calibration(figure, bins)

    subtitle = (
        f"expected calibration error {100 * report['calibration']['ece']:.2f} %; on the dashed line, "
        "90 % sure means 90 % right"
    )
    return slide("How far to trust a confidence", subtitle, footer, draw)


def _draw_calibration(figure: "Figure", bins: list[dict[str, Any]]) -> None:
    import seaborn as sns

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


def confidence_histogram(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with at least one scored row."""
    counts = np.array(report["confidence_histogram"], np.int64)
    scored = int(counts.sum())
    wrong = None
    if report["calibration"]:
        bins = report["calibration"]["bins"]
        wrong = np.array([round(each["count"] * (1 - (each["accuracy"] or 0))) for each in bins], np.int64)

    def draw(figure: "Figure") -> None:
        _draw_confidence(figure, counts, wrong)

    subtitle = (
        f"{100 * counts[-1] / scored:.1f} % of {scored:,} scored rows are at least "
        f"{100 * (1 - 1 / len(counts)):.0f} % sure; counts on a logarithmic scale"
    )
    return slide("How sure it is", subtitle, footer, draw)


def _draw_confidence(figure: "Figure", counts: Any, wrong: Any) -> None:
    import seaborn as sns

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
    import seaborn as sns

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


_MOST: Final = 24
# Up to how many pictures, how many in a row, and the size of letters: the fewer, the larger.
_SHEETS: Final = ((4, 4, 24), (10, 5, 18), (_MOST, 8, 13))


def surest_mistakes(report: dict[str, Any], footer: str) -> bytes:
    """A PNG of a report with at least one mistake among its examples."""
    found = report["examples"]["sure_mistakes"][:_MOST]
    wrong = report["labelled"] - report["correct"]
    _, columns, size = next(sheet for sheet in _SHEETS if len(found) <= sheet[0])
    rows = -(-len(found) // columns)

    def draw(figure: "Figure") -> None:
        grid = {"left": 0.045, "right": 0.955, "bottom": 0.105, "top": 0.785, "wspace": 0.30, "hspace": 0.60}
        cells = figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid).ravel()
        for axes, example in zip(cells, found, strict=False):
            _draw_mistakes(axes, example, size)
        for axes in cells[len(found) :]:
            axes.set_axis_off()

    subtitle = (
        f"the {len(found)} of {wrong:,} wrong rows of which it is surest"
        if len(found) < wrong
        else f"all {wrong:,} wrong rows"
    )
    return slide("Where it is wrong and sure of it", subtitle, footer, draw)


def _draw_mistakes(axes: "Axes", example: dict[str, Any], size: int) -> None:
    axes.imshow(pixels_of(example).reshape(SIDE, SIDE), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=PALE)
    label: dict[str, Any] = {"ha": "center", "va": "bottom", "transform": axes.transAxes}
    axes.text(0.5, 1.05, f"{example['label']} taken for {example['prediction']}", size=size, color=INK, **label)
    label["va"] = "top"
    axes.text(0.5, -0.05, f"{100 * example['confidence']:.2f} % sure", size=size - 1, color=ORANGE, **label)


def pixels_of(example: dict[str, Any]) -> Pixels:
    """The image of an example, uint8 (784,)."""
    return np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)


def _without_labels(report: dict[str, Any]) -> str | None:
    return None if report["labelled"] else "no row has a label"


def _without_rows(report: dict[str, Any]) -> str | None:
    return None if report["rows"]["scored"] else "no row was scored"


def _without_mistakes(report: dict[str, Any]) -> str | None:
    if not report["labelled"]:
        return _without_labels(report)
    if report["labelled"] == report["correct"]:
        return "there is no mistake"
    return None if report.get("examples", {}).get("sure_mistakes") else "the report has no examples; score again"


# For each file what draws it from a report and a footer, and what says why it cannot, if so.
_FIGURES: Final[dict[str, tuple[Callable[[dict[str, Any], str], bytes], Callable[[dict[str, Any]], str | None]]]] = {
    "confusion-matrix.png": (confusion_matrix, _without_labels),
    "calibration.png": (calibration_curve, _without_labels),
    "confidence.png": (confidence_histogram, _without_rows),
    "mistakes.png": (surest_mistakes, _without_mistakes),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """paths: of the files that were written. left_out: by name, why a figure was not drawn."""

    paths: list[str]
    left_out: dict[str, str]


def draw_figures(storage: Storage, report: dict[str, Any], location: str) -> Drawn:
    """Write the figures of a report into a folder; one of that name that cannot be drawn is removed from it."""
    folder, drawn = storage.resolve(location), Drawn([], {})
    for name, (figure, why_not) in _FIGURES.items():
        path = join(folder, name)
        if reason := why_not(report):
            drawn.left_out[name] = reason
            storage.remove(path)
            continue
        content = figure(report, _footer(report))
        with storage.commit(path) as file:
            file.write(content)
        drawn.paths.append(path)
    return drawn


def _footer(report: dict[str, Any]) -> str:
    model = report["model"]
    return f"digit-job  ·  model {model['name']}  ·  digest {model['digest'][:12]}"
