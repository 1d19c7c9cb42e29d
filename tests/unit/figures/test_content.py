"""What figures show, read off their axes."""

import base64

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from job.figures import slides
from job.figures.slides import ORANGE
from job.report.metrics import wilson_interval


@pytest.fixture
def figure():
    found = Figure()
    FigureCanvasAgg(found)
    return found


def test_the_matrix_has_a_row_for_each_true_digit(figure):
    """Counts stand in their cells, none where there is nothing, and the pairs beside it are those counted most."""
    counts = np.zeros((10, 10), np.int64)
    counts[4, 9], counts[9, 4], counts[7, 1], counts[3, 3] = 12, 30, 12, 20_000
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    slides._draw_matrix(figure, counts, shares, list("0123456789"))
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert cells == {(9.5, 4.5): "12", (4.5, 9.5): "30", (1.5, 7.5): "12", (3.5, 3.5): "20.0k"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted digit", "true digit")
    assert axes.yaxis_inverted()
    pairs = figure.add_axes((0, 0, 1, 1))
    slides._draw_pairs(pairs, counts, shares)
    assert [text.get_text() for text in pairs.texts] == [
        "Most often", "9 taken for 4", "30", "100.00 %", "4 taken for 9", "12", "100.00 %", "7 taken for 1", "12",
        "100.00 %",
    ]  # fmt: skip


def test_the_curve_goes_through_the_bins(figure):
    """A point at each bin's mean confidence and accuracy, with its Wilson interval and its rows."""
    bins = [{"confidence": 0.72, "accuracy": 0.5, "count": 8}, {"confidence": 0.98, "accuracy": 0.99, "count": 12_300}]
    slides._draw_calibration(figure, bins)
    (axes,) = figure.axes
    (curve,) = (line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(curve.get_xydata(), [[72, 50], [98, 99]])
    (bars,) = axes.collections
    low, high = wilson_interval(4, 8)
    np.testing.assert_allclose(bars.get_segments()[0], [[72, 100 * low], [72, 100 * high]])
    assert [text.get_text() for text in axes.texts] == ["8", "12.3k"]


def test_the_histogram_counts_all_rows_and_the_wrong_ones(figure):
    """A bar for each bin of the report, in its place."""
    counts, wrong = np.arange(20) ** 3, np.arange(20)
    slides._draw_confidence(figure, counts, wrong)
    (axes,) = figure.axes
    heights = {True: [], False: []}
    for bar in axes.patches:
        heights[bar.get_facecolor() == to_rgba(ORANGE)].append((bar.get_x() + bar.get_width() / 2, bar.get_height()))
    np.testing.assert_allclose(heights[False], np.column_stack([np.arange(2.5, 100, 5), counts]))
    np.testing.assert_allclose(heights[True], np.column_stack([np.arange(2.5, 100, 5), wrong]))


def test_a_mistake_is_drawn_with_its_digits(figure):
    """Ink is dark, whatever its position; label, prediction and confidence stand around it."""
    pixels = np.arange(784).astype(np.uint8)
    example = {"label": 4, "prediction": 9, "confidence": 0.98765, "pixels": "", "path": "a.csv", "row": 0}
    example["pixels"] = base64.b64encode(pixels.tobytes()).decode()
    axes = figure.subplots()
    slides._draw_mistakes(axes, example, 13)
    np.testing.assert_array_equal(axes.images[0].get_array(), pixels.reshape(28, 28))
    assert axes.images[0].cmap.name == "gray_r"
    assert [text.get_text() for text in axes.texts] == ["4 taken for 9", "98.77 % sure"]
