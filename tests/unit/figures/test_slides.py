"""Slides as files, and what their figures show, read off matplotlib's axes."""

import base64
import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from job.contract import ScoredBatch
from job.errors import OutputOccupied
from job.figures import slides
from job.figures.slides import ORANGE, draw_figures, short, slide, surest_mistakes
from job.report.metrics import figures, wilson_interval
from job.report.tally import Tally

DRAW = {name: draw for name, (draw, _) in slides._FIGURES.items()}
NAMES = list(DRAW)
# What a slide is known by.
_MARK = b"\x89PNG tEXtSoftware\0digit-job "


def make_report(*, rows=500, has_labels=True, is_correct=False, name="model"):
    """A report on random rows, with their mistakes as examples."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, rows).astype(np.int8)
    shares = np.exp(random.normal(0, 1, (rows, 10)) + (50 if is_correct else 4) * np.eye(10)[labels])
    probabilities = np.round(shares / shares.sum(axis=1, keepdims=True), 6).astype(np.float32)
    predictions = probabilities.argmax(axis=1).astype(np.int8)
    batch = ScoredBatch(predictions, probabilities, labels if has_labels else None, ())
    wrong = np.flatnonzero(predictions != labels) if has_labels else []
    mistakes = [
        {
            "path": "a.csv", "row": int(row), "label": int(labels[row]), "prediction": int(predictions[row]),
            "confidence": float(probabilities[row].max()),
            "pixels": base64.b64encode(random.integers(0, 256, 784, dtype=np.uint8).tobytes()).decode(),
        }
        for row in wrong
    ]  # fmt: skip
    model = {"name": name, "digest": "d" * 64}
    return {**figures(Tally.of(batch)), "examples": {"sure_mistakes": mistakes[:40]}, "model": model}


@pytest.fixture(scope="module")
def report():
    return make_report()


@pytest.fixture(scope="module")
def pictures(report):
    """The slides of `report`, by name."""
    return {name: slide(draw, report) for name, draw in DRAW.items()}


@pytest.fixture
def undrawn(monkeypatch):
    """For tests of which files are written: each slide is the name of the function that would draw it."""
    monkeypatch.setattr(slides, "slide", lambda draw, _report: _MARK + draw.__name__.encode())


@pytest.fixture
def figure():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure


def _ink(picture):
    """Where a slide is not white, bool (1080, 1920); checks that nothing touches the edges."""
    ink = np.asarray(Image.open(io.BytesIO(picture)).convert("L")) < 255
    inner = ink[8:-8, 8:-8].sum()
    assert ink.sum() == inner
    return ink


def test_every_figure_is_a_slide(pictures):
    """A PNG of 1920 x 1080, with nothing cut off at its edges, and without author or date."""
    for content in pictures.values():
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.size) == ("PNG", (1920, 1080))
        assert set(picture.info) <= {"dpi", "Software"}
        assert _ink(content).mean() > 0.01


@pytest.mark.usefixtures("undrawn")
def test_every_figure_is_a_file(report, storage, tmp_path):
    """Under its own name, in the folder that was asked for."""
    files = draw_figures(storage, report, str(tmp_path / "slides"))
    assert files.paths == [f"{tmp_path}/slides/{name}" for name in NAMES]
    assert [storage.read(path).removeprefix(_MARK).decode() for path in files.paths] == [
        draw.__name__ for draw in DRAW.values()
    ]
    assert files.left_out == {}


def test_same_report_same_bytes_whatever_matplotlib_is_set_to(pictures, report):
    """A user's own settings change fonts and colours of everything else, not of these."""
    with mpl.rc_context({"font.size": 40, "axes.facecolor": "red", "savefig.dpi": 30, "lines.linewidth": 9}):
        assert {name: slide(draw, report) for name, draw in DRAW.items()} == pictures
        assert mpl.rcParams["font.size"] == 40


def test_each_figure_shows_its_own_part_of_the_report(pictures, report):
    """It changes with that part, and with no part of another figure."""
    changes = {
        "confusion-matrix.png": {"confusion_matrix": (np.array(report["confusion_matrix"]) * 2).tolist()},
        "calibration.png": {"calibration": {**report["calibration"], "ece": 0.5}},
        "confidence.png": {"confidence_histogram": [7] * 20},
        "mistakes.png": {"examples": {"sure_mistakes": report["examples"]["sure_mistakes"][1:]}},
    }
    all_changes = {key: value for change in changes.values() for key, value in change.items()}
    for name, draw in DRAW.items():
        changed = slide(draw, {**report, **changes[name]})
        assert changed != pictures[name]
        assert changed == slide(draw, {**report, **all_changes})


@pytest.mark.usefixtures("undrawn")
def test_figures_that_need_labels_are_deleted_without_them(storage, tmp_path):
    """Figures of one folder are of one run; other files stay."""
    earlier = slide(DRAW[NAMES[0]], make_report())
    for name in [*NAMES, "mine.png"]:
        (tmp_path / name).write_bytes(earlier)
    files = draw_figures(storage, make_report(has_labels=False), str(tmp_path))
    assert files.paths == [f"{tmp_path}/confidence.png"]
    assert files.left_out == dict.fromkeys(set(NAMES) - {"confidence.png"}, "no row has a label")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confidence.png", "mine.png"]


@pytest.mark.usefixtures("undrawn")
def test_a_picture_of_the_same_name_is_kept(report, storage, tmp_path):
    """Only what the job drew is replaced or deleted, also where the figure would be left out."""
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "png")
    for name in NAMES:
        for content in (report, make_report(has_labels=False)):
            folder = tmp_path / name.replace(".", "-")
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(picture.getvalue())
            with pytest.raises(OutputOccupied, match=f"{name}: already exists and is not a figure of digit-job"):
                draw_figures(storage, content, str(folder))
            assert [each.read_bytes() for each in folder.iterdir()] == [picture.getvalue()]


@pytest.mark.usefixtures("undrawn")
def test_what_a_report_does_not_have_is_left_out(storage, tmp_path):
    """With the reason, and without an error: no mistakes, no examples as in earlier versions, no rows, no accuracy."""
    withheld = {**make_report(), "accuracy": None, "accuracy_withheld": "labels look odd", "calibration": None}
    earlier = make_report()
    del earlier["examples"]
    for content, left_out in (
        (make_report(is_correct=True), {"mistakes.png": "there are no mistakes"}),
        (earlier, {"mistakes.png": "the report has no examples; score again"}),
        (withheld, dict.fromkeys(set(NAMES) - {"confidence.png"}, "the accuracy is withheld")),
        (make_report(rows=0), dict.fromkeys(NAMES, "no row has a label") | {"confidence.png": "no row was scored"}),
    ):
        files = draw_figures(storage, content, str(tmp_path))
        assert files.left_out == left_out
        assert files.paths == [f"{tmp_path}/{name}" for name in NAMES if name not in left_out]


def test_the_smallest_reports_have_figures():
    """One row, or rows without a mistake."""
    for content in (make_report(rows=1), make_report(rows=50, is_correct=True)):
        for name in NAMES[:3]:
            assert _ink(slide(DRAW[name], content)).any()


def test_images_of_mistakes_fill_the_slide_however_many_there_are(report):
    """The fewer, the larger; none is cut off."""
    for count in (1, 4, 5, 10, 11, 24, 40):
        examples = (report["examples"]["sure_mistakes"] * 40)[:count]
        ink = _ink(slide(surest_mistakes, {**report, "examples": {"sure_mistakes": examples}}))
        assert ink[300:, :].any(axis=1).mean() > 0.3


@pytest.mark.parametrize("name", ["$x^", "a_b\\frac{", "数字"])
def test_a_model_may_have_any_name(report, name):
    """No name is parsed as a formula, and letters that the font lacks are no error."""
    content = slide(slides.confidence_histogram, {**report, "model": {"name": name, "digest": "d" * 64}})
    assert _ink(content)[-60:].any()


def test_counts_are_short_enough_for_a_cell():
    """Five characters at most, up to a thousand million."""
    counts = (0, 9_999, 12_345, 123_456, 4_560_000, 123_456_789)
    assert [short(count) for count in counts] == ["0", "9,999", "12.3k", "123k", "4.6M", "123M"]


def _texts(axes):
    return [text.get_text() for text in axes.texts]


def test_the_matrix_has_a_row_for_each_true_digit(figure):
    """Counts in their cells, nothing where there are none; beside it the most confused pairs."""
    counts = np.zeros((10, 10), np.int64)
    counts[4, 9], counts[9, 4], counts[7, 1], counts[3, 3] = 12, 30, 12, 20_000
    report = {"confusion_matrix": counts.tolist(), "classes": list("0123456789")}
    slides.confusion_matrix(figure, {**report, "correct": 20_000, "labelled": 20_054, "accuracy": 0.9973})
    axes, _, pairs = figure.axes[0], *figure.axes[1:]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(9.5, 4.5): "12", (4.5, 9.5): "30", (1.5, 7.5): "12", (3.5, 3.5): "20.0k"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted digit", "true digit")
    assert axes.yaxis_inverted()
    assert _texts(pairs) == [
        "Most confused pairs", "9 predicted as 4", "30", "100.00 %", "4 predicted as 9", "12", "100.00 %",
        "7 predicted as 1", "12", "100.00 %",
    ]  # fmt: skip


def test_the_curve_goes_through_the_bins(figure):
    """A point at each bin's mean confidence and accuracy, with its Wilson interval and its number of rows."""
    bins = [
        {"confidence": 0.72, "accuracy": 0.5, "count": 8},
        {"confidence": None, "accuracy": None, "count": 0},
        {"confidence": 0.98, "accuracy": 0.99, "count": 12_300},
    ]
    slides.calibration(figure, {"calibration": {"bins": bins, "ece": 0.1}})
    (axes,) = figure.axes
    (curve,) = (line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(curve.get_xydata(), [[72, 50], [98, 99]])
    (bars,) = axes.collections
    low, high = wilson_interval(4, 8)
    np.testing.assert_allclose(bars.get_segments()[0], [[72, 100 * low], [72, 100 * high]])
    assert _texts(axes) == ["8", "12.3k"]


def test_the_histogram_counts_all_rows_and_the_misclassified(figure):
    """A bar for each bin of the report, in its place."""
    counts, wrong = np.arange(20) ** 3, np.arange(20)
    bins = [
        {"count": int(count), "accuracy": 1 - part / count if count else None}
        for count, part in zip(counts, wrong, strict=True)
    ]
    slides.confidence_histogram(figure, {"confidence_histogram": counts.tolist(), "calibration": {"bins": bins}})
    (axes,) = figure.axes
    heights = {True: [], False: []}
    for bar in axes.patches:
        heights[bar.get_facecolor() == to_rgba(ORANGE)].append((bar.get_x() + bar.get_width() / 2, bar.get_height()))
    np.testing.assert_allclose(heights[False], np.column_stack([np.arange(2.5, 100, 5), counts]))
    np.testing.assert_allclose(heights[True], np.column_stack([np.arange(2.5, 100, 5), wrong]))


def test_a_mistake_is_shown_with_its_digits(figure):
    """Ink is dark, whatever its position; label, prediction and confidence stand around it."""
    pixels = np.arange(784).astype(np.uint8)
    example = {"label": 4, "prediction": 9, "confidence": 0.98765, "path": "a.csv", "row": 0}
    example["pixels"] = base64.b64encode(pixels.tobytes()).decode()
    caption = surest_mistakes(figure, {"examples": {"sure_mistakes": [example]}, "labelled": 9, "correct": 6})
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), pixels.reshape(28, 28))
    assert axes.images[0].cmap.name == "gray_r"
    assert _texts(axes) == ["4 → 9", "98.77 %"]
    assert caption.subtitle.startswith("the 1 surest of 3 misclassified rows: ")
