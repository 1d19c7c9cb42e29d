"""The figures of a report as slides: PNG files of 1920 x 1080.

The same report gives the same bytes, whatever matplotlib is configured to. `report.plots` draws the same figures as SVG
for the page. Outside `train`, only this module imports matplotlib, and only when it draws.
"""

import base64
import io
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.compiled.cache import library_folder
from job.contract import SIDE, Pixels
from job.documents.report_json import ExampleRow, Report
from job.report.confidence_bins import MILLION
from job.report.metrics import confused_pairs, wilson_interval
from job.storage import Storage, join, refuse_foreign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#1c2733"
GREY: Final = "#66707c"
PALE: Final = "#d5dae1"
BLUE: Final = "#264478"
LIGHT_BLUE: Final = "#587096"
ORANGE: Final = "#d1662b"
_INCHES: Final = (13.333333333333334, 7.5)
_DOTS_PER_INCH: Final = 144
_LEFT: Final = 0.045
# The area of a plot with its axes on both sides: left, bottom, width, height, as shares of the slide.
_PLOT: Final = (0.115, 0.165, 0.835, 0.655)
_STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # matplotlib ships it
    "font.size": 18,
    "axes.labelsize": 18,
    "xtick.labelsize": 16.5,
    "ytick.labelsize": 16.5,
    "legend.fontsize": 16.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": GREY,
    "grid.color": PALE,
    "axes.linewidth": 1.9,
    "grid.linewidth": 1.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 10,
    "ytick.major.pad": 10,
    "axes.labelpad": 8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Above this brightness, from 0 to 1, text on a cell of the matrix is dark.
_BRIGHT: Final = 0.45
_MAX_PAIRS: Final = 8
# By the number of mistakes: how many fit on the slide, in how many columns, and the size of the text.
_SHEETS: Final = ((4, 4, 24), (10, 5, 18), (24, 8, 13))
_TEN_THOUSAND: Final = 10_000


@dataclass(frozen=True, slots=True)
class FigureFiles:
    """What `draw_figures` did. paths: the files it wrote. left_out: for each figure not drawn, the reason."""

    paths: list[str]
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class Caption:
    """The title of a slide and the line below it."""

    title: str
    subtitle: str


Draw = Callable[["Figure", Report], Caption]


def draw_figures(storage: Storage, report: Report, location: str) -> FigureFiles:
    """Write the figures of a report.json into a folder. A figure that cannot be drawn is deleted from it.

    Raises OutputOccupied, before it writes, where another file has the name of a figure.
    """
    folder, files = storage.resolve(location), FigureFiles([], {})
    for name in _FIGURES:
        advice = "choose another folder, or move the file"
        refuse_foreign(storage, join(folder, name), _is_slide, expected="a figure of digit-job", advice=advice)
    for name, (draw, reason_to_skip) in _FIGURES.items():
        path = join(folder, name)
        if reason := reason_to_skip(report):
            files.left_out[name] = reason
            storage.remove(path)
            continue
        content = slide(draw, report)
        storage.write(path, content)
        files.paths.append(path)
    return files


def slide(draw: Draw, report: Report) -> bytes:
    """One PNG. draw: adds axes to the figure, between 10 and 84 % of its height, and returns the caption."""
    # matplotlib warns when $HOME is read-only; that does not matter here.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # Its list of fonts goes into the job's cache. It asks for the folder once.
    if folder := library_folder("matplotlib"):
        os.environ.setdefault("MPLCONFIGDIR", folder)
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with warnings.catch_warnings(), matplotlib.style.context(_STYLE, after_reset=True):
        # Letters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(_INCHES, _DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        caption, model = draw(figure, report), report["model"]
        footer = f"digit-job  ·  model {model['name']}  ·  digest {model['digest'][:12]}"
        # parse_math=False: a model's name may hold dollar signs.
        figure.text(_LEFT, 0.93, caption.title, size=30, weight="bold", va="center", parse_math=False)
        figure.text(_LEFT, 0.868, caption.subtitle, size=18, color=GREY, va="center", parse_math=False)
        figure.text(_LEFT, 0.028, footer, size=12, color=GREY, va="center", parse_math=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": "digit-job"})
    return file.getvalue()


def _is_slide(start: bytes) -> bool:
    """Whether a file with these first bytes is a slide."""
    return start.startswith(b"\x89PNG") and b"tEXtSoftware\0digit-job" in start


def confusion_matrix(figure: "Figure", report: Report) -> Caption:
    """Counts, coloured by their share of the true digit's rows, and the most confused pairs. Requires labels."""
    counts = np.array(report["confusion_matrix"], np.int64)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    _draw_matrix(figure, counts, shares, report["classes"])
    _draw_pairs(figure.add_axes((0.655, 0.12, 0.30, 0.72)), counts, shares)
    subtitle = f"{report['correct']:,} of {report['labelled']:,} labelled rows classified correctly"
    return Caption("Confusion matrix", f"{subtitle}: {100 * (report['accuracy'] or 0):.2f} %")


def _draw_matrix(figure: "Figure", counts: Any, shares: Any, classes: list[str]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    is_correct = np.eye(len(counts), dtype=bool)
    correct_map = LinearSegmentedColormap.from_list("correct", ["#eef1f7", BLUE])
    wrong_map = LinearSegmentedColormap.from_list("wrong", ["#f8f2ee", ORANGE])
    wrong_scale = ScalarMappable(Normalize(0, float(shares[~is_correct].max()) or 1), wrong_map)
    colours = np.where(is_correct[..., np.newaxis], correct_map(shares / 110), wrong_scale.to_rgba(shares))
    axes = figure.add_axes((0.085, 0.155, 0.40, 0.675))
    axes.pcolormesh(colours, edgecolors="white", linewidth=1.5)
    is_bright = colours[..., :3] @ (0.299, 0.587, 0.114) > _BRIGHT
    for row, column in np.argwhere(counts).tolist():
        colour = INK if is_bright[row, column] else "white"
        axes.text(column + 0.5, row + 0.5, short(counts[row, column]), size=12, ha="center", va="center", color=colour)
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    axes.set_xticks(np.arange(len(counts)) + 0.5, classes)
    axes.set_yticks(np.arange(len(counts)) + 0.5, classes)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(wrong_scale, cax=figure.add_axes((0.515, 0.155, 0.012, 0.675)), ticks=MaxNLocator(5))
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter("{x:g} %")
    bar.ax.tick_params(labelsize=12, pad=6)
    bar.set_label("mistakes, share of the true digit's rows", size=13)


def _draw_pairs(axes: "Axes", counts: Any, shares: Any) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    pairs = confused_pairs(counts, _MAX_PAIRS)
    axes.text(0, 0.965, "Most confused pairs" if pairs else "No mistakes", size=20, weight="bold", va="center")
    for place, pair in enumerate(pairs):
        y = 0.86 - 0.105 * place
        axes.text(0, y, f"{pair.label} predicted as {pair.prediction}", size=18, va="center")
        axes.text(0.74, y, short(pair.count), size=18, va="center", ha="right", weight="bold", color=ORANGE)
        share = f"{shares[pair.label, pair.prediction]:.2f} %"
        axes.text(1, y, share, size=15, va="center", ha="right", color=GREY)


def calibration(figure: "Figure", report: Report) -> Caption:
    """Accuracy by mean confidence for each bin, with 95 % intervals and the number of rows. Requires labels."""
    from matplotlib.patheffects import withStroke

    figures = report["calibration"] or {"ece": 0.0, "bins": []}
    bins = [each for each in figures["bins"] if each["count"]]
    axes = figure.add_axes(_PLOT)
    confidences = 100 * np.array([each["confidence"] for each in bins], np.float64)
    accuracies = 100 * np.array([each["accuracy"] for each in bins], np.float64)
    intervals = [wilson_interval(round((each["accuracy"] or 0) * each["count"]), each["count"]) for each in bins]
    low, high = 100 * np.array(intervals).T
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=(0, (5, 4)), linewidth=1.5)
    errors = np.maximum(0, [accuracies - low, high - accuracies])
    axes.errorbar(confidences, accuracies, errors, fmt="none", ecolor=BLUE, alpha=0.45, elinewidth=2.5, capsize=5)
    marker: dict[str, Any] = {"marker": "o", "markersize": 11, "markeredgecolor": "white", "markeredgewidth": 1.1}
    axes.plot(confidences, accuracies, color=BLUE, linewidth=2.5, zorder=3, **marker)
    label: dict[str, Any] = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center", "size": 12, "color": GREY}
    label["path_effects"] = [withStroke(linewidth=3, foreground="white")]
    for confidence, top, each in zip(confidences, high, bins, strict=True):
        axes.annotate(short(each["count"]), (confidence, top), **label)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 108)
    ticks = range(0, 101, 20)
    axes.set_xticks(ticks, [f"{tick} %" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick} %" for tick in ticks])
    axes.grid(visible=True)
    axes.set_xlabel("mean confidence of each bin, with its number of rows")
    axes.set_ylabel("accuracy")
    error = 100 * figures["ece"]
    return Caption(
        "Calibration", f"expected calibration error {error:.2f} %; on the dashed line, confidence equals accuracy"
    )


def confidence_histogram(figure: "Figure", report: Report) -> Caption:
    """Rows by confidence, and the misclassified ones among them. Requires a scored row."""
    counts = np.array(report["confidence_histogram"], np.int64)
    axes = figure.add_axes(_PLOT)
    edges = np.linspace(0, 100, len(counts) + 1)
    middles, width = (edges[:-1] + edges[1:]) / 2, edges[1]
    edge: dict[str, Any] = {"edgecolor": "white", "linewidth": 1.5}
    axes.bar(middles, counts, width, color=LIGHT_BLUE, label="all rows", **edge)
    if report["calibration"]:
        bins = report["calibration"]["bins"]
        wrong = [round(each["count"] * (1 - (each["accuracy"] or 0))) for each in bins]
        axes.bar(middles, wrong, 0.55 * width, color=ORANGE, label="misclassified", **edge)
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(0.7, max(2.0, 2.5 * float(counts.max())))
    axes.set_xlim(0, 100)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xticks(range(0, 101, 10), [f"{tick} %" for tick in range(0, 101, 10)])
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("confidence")
    axes.set_ylabel("rows")
    axes.legend(loc="upper left", framealpha=1, edgecolor="white")
    share, scored = 100 * counts[-1] / counts.sum(), int(counts.sum())
    return Caption(
        "Confidence",
        f"{share:.1f} % of {scored:,} scored rows have at least {100 * (1 - 1 / len(counts)):.0f} % confidence; "
        "logarithmic scale",
    )


def surest_mistakes(figure: "Figure", report: Report) -> Caption:
    """The images of the surest mistakes, with their digits and confidence. Requires one in the report's examples."""
    mistakes = report["examples"]["sure_mistakes"][: _SHEETS[-1][0]]
    wrong = report["labelled"] - (report["correct"] or 0)
    _, columns, size = next(sheet for sheet in _SHEETS if len(mistakes) <= sheet[0])
    rows = -(-len(mistakes) // columns)
    grid = {"left": 0.045, "right": 0.955, "bottom": 0.105, "top": 0.785, "wspace": 0.30, "hspace": 0.60}
    cells = figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid).ravel()
    for axes, example in zip(cells, mistakes, strict=False):
        _draw_mistake(axes, example, size)
    for axes in cells[len(mistakes) :]:
        axes.set_axis_off()
    selected = "all" if len(mistakes) == wrong else f"the {len(mistakes)} surest of"
    subtitle = f"{selected} {wrong:,} misclassified rows: true digit → predicted digit, and its confidence"
    return Caption("Surest mistakes", subtitle)


def _draw_mistake(axes: "Axes", example: ExampleRow, size: int) -> None:
    axes.imshow(pixels_of(example).reshape(SIDE, SIDE), cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=PALE)
    place: dict[str, Any] = {"ha": "center", "transform": axes.transAxes}
    axes.text(0.5, 1.05, f"{example['label']} → {example['prediction']}", size=size, va="bottom", **place)
    axes.text(0.5, -0.05, f"{100 * example['confidence']:.2f} %", size=size, color=ORANGE, va="top", **place)


def pixels_of(example: ExampleRow) -> Pixels:
    """The image of one of a report's examples, uint8 (784,)."""
    return np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)


def short(count: int) -> str:
    """A count in at most five characters, up to 10**9: 9,999, 12.3k, 4.6M, 123M."""
    if count < _TEN_THOUSAND:
        return f"{count:,}"
    value, unit = (count / MILLION, "M") if count >= MILLION else (count / 1000, "k")
    return f"{value:.1f}{unit}" if value < 100 else f"{value:,.0f}{unit}"  # noqa: PLR2004  # three digits


def _reason_without_labels(report: Report) -> str | None:
    if report["accuracy"] is not None:
        return None
    return "the accuracy is withheld" if report["labelled"] else "no row has a label"


def _reason_without_rows(report: Report) -> str | None:
    return None if report["rows"]["scored"] else "no row was scored"


def _reason_without_mistakes(report: Report) -> str | None:
    if report["accuracy"] is None:
        return _reason_without_labels(report)
    if report["labelled"] == report["correct"]:
        return "there are no mistakes"
    return None if report.get("examples", {}).get("sure_mistakes") else "the report has no examples; score again"


# By file name: how to draw the figure, and the reason why a report does not have it, if any.
_FIGURES: Final[dict[str, tuple[Draw, Callable[[Report], str | None]]]] = {
    "confusion-matrix.png": (confusion_matrix, _reason_without_labels),
    "calibration.png": (calibration, _reason_without_labels),
    "confidence.png": (confidence_histogram, _reason_without_rows),
    "mistakes.png": (surest_mistakes, _reason_without_mistakes),
}
