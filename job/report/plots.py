"""The plots of the reports' pages, as SVG: calibration, confidence, distributions, training curves, accuracy interval.

Each is narrow enough for a phone, and its description gives the figures in words for readers who cannot see it. The
confusion matrix is a table of `Cell`s, whose colours are steps at fixed bounds: a colour means the same share in every
report, and text on it is legible. `figures.slides` draws the same figures as PNG.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from job.report.metrics import wilson_interval
from job.report.svg import Frame, Scale, drawing, element, path
from job.report.words import count, percent

# Where the colours of the matrix change: shares of a digit's rows predicted correctly, and predicted as another digit.
RIGHT_BOUNDS: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
WRONG_BOUNDS: Final = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)

# In units of the SVG: the size of a plot, and the area between its axes.
_SIZE: Final = (360.0, 250.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 350.0, 24.0, 212.0
_STRIP: Final = (360.0, 34.0)
_SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# The width of a bar, as a share of its bin's.
_BAR: Final = 0.8
# A curve of fewer epochs has a dot at each.
_MAX_DOTS: Final = 30
_MAX_TICKS: Final = 6
# The number of characters that fit below an axis.
_MAX_LABEL_CHARACTERS: Final = 44
# The accuracy of a bin with fewer rows is mostly chance, and not connected to the others.
_MIN_ROWS: Final = 10


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix. share: of the true digit's rows, None if there are none.

    style: the CSS class of its colour, `right0` to `right6` or `wrong1` to `wrong7`; empty for a cell without rows.
    """

    count: int
    share: float | None
    style: str


def heat_map(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """The cells of a confusion matrix, true digit by predicted digit."""
    return [
        [_cell(rows, sum(line), is_correct=digit == prediction) for prediction, rows in enumerate(line)]
        for digit, line in enumerate(matrix)
    ]


def _cell(rows: int, total: int, *, is_correct: bool) -> Cell:
    if not total:
        return Cell(rows, None, "")
    share = rows / total
    if is_correct:
        return Cell(rows, share, f"right{bisect_right(RIGHT_BOUNDS, share)}")
    return Cell(rows, share, f"wrong{min(7, bisect_right(WRONG_BOUNDS, share))}" if rows else "")


def interval_strip(share: float, interval: Sequence[float], expected: float | None) -> Markup:
    """A share with its 95 % interval on a line up to 100 %, and the expected share as a triangle, if there is one."""
    low, high = interval
    lowest = min(low, share if expected is None else expected)
    floor = max(0.0, 1 - _rounded_up(max(0.001, 1.3 * (1 - lowest))))
    scale = Scale(floor, 1.0, 6.0, 354.0)
    description, marks = f"{percent(share)}, 95 % confidence interval {percent(low)} to {percent(high)}", []
    if expected is not None:
        description += f"; on the model's own test images {percent(expected)}"
        marks.append(element("path", d=f"M{scale(expected):.2f} 15l-4.5 -8h9z", class_="expected"))
    return drawing(
        "interval",
        "Accuracy and its 95 % interval",
        f"{description}.",
        _STRIP,
        [
            element("line", x1=scale.start, x2=scale.end, y1=16.0, y2=16.0, class_="grid"),
            element(
                "rect", x=scale(low), y=13.0, width=max(2.0, scale(high) - scale(low)), height=6.0, rx=3, class_="span"
            ),
            element("circle", cx=scale(share), cy=16.0, r=5, class_="dot"),
            *marks,
            element("text", f"{100 * floor:g} %", x=scale.start - 4, y=31.0, class_="tick"),
            element("text", "100 %", x=scale.end + 4, y=31.0, class_="tick", text_anchor="end"),
        ],
    )


def calibration_plot(name: str, series: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup:
    """A reliability diagram: accuracy by confidence with 95 % intervals; on the diagonal, both are equal.

    series: the bins of report.json by name; the last series is emphasised.
    """
    frame = Frame(Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.0, 1.0, _BOTTOM, _TOP))
    parts = _grid_of_shares(frame)
    parts.append(element("line", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_TOP, class_="ideal"))
    for place, bins in enumerate(series.values()):
        parts += _reliability(frame, bins, "second" if place < len(series) - 1 else "first")
    last = [each for each in list(series.values())[-1] if each["count"]]
    description = "; ".join(
        f"of {count(each['count'])} at {percent(each['confidence'])}: {percent(each['accuracy'])}" for each in last[-5:]
    )
    return drawing(
        name,
        "Calibration: accuracy by confidence",
        f"On the diagonal, accuracy equals confidence. Accuracy in the highest bins: {description}.",
        _SIZE,
        [*parts, *frame.axis_titles("confidence", "accuracy")],
    )


def _reliability(frame: Frame, bins: Sequence[Mapping[str, Any]], class_: str) -> list[Markup]:
    """A point with its interval for each bin with rows, and a line through those that have enough of them."""
    parts, points = [], []
    for each in bins:
        if not each["count"]:
            continue
        x, y = frame.x(each["confidence"]), frame.y(each["accuracy"])
        low, high = wilson_interval(round(each["accuracy"] * each["count"]), each["count"]) or [0.0, 1.0]
        parts.append(element("line", x1=x, x2=x, y1=frame.y(low), y2=frame.y(high), class_=f"whisker {class_}"))
        parts.append(element("circle", cx=x, cy=y, r=3.5, class_=f"dot {class_}"))
        if each["count"] >= _MIN_ROWS:
            points.append((x, y))
    return [path(points, f"line {class_}"), *parts] if points else parts


def confidence_plot(name: str, counts: Sequence[int], wrong: Sequence[int] | None) -> Markup:
    """Rows by confidence on a logarithmic scale, and the misclassified among them, where known.

    counts, wrong: rows per bin; the bins have equal width and reach from 0 to 1.
    """
    top = 10 ** max(1, math.ceil(math.log10(max(1, *counts))))
    frame = Frame(Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.7, top, _BOTTOM, _TOP, is_log=True))
    decades = range(round(math.log10(top)) + 1)
    step = math.ceil(len(decades) / _MAX_TICKS)
    parts = [each for power in decades[::step] for each in frame.grid_line(10**power, _short(10**power))]
    parts += [frame.tick_label(frame.x(share), f"{100 * share:.0f} %") for share in _SHARES]
    width = (_RIGHT - _LEFT) / len(counts)
    for values, class_, share in ((counts, "first", _BAR), (wrong or (), "wrong", _BAR / 2)):
        for place, value in enumerate(values):
            if value:
                x = _LEFT + (place + (1 - share) / 2) * width
                y = frame.y(value)
                parts.append(element("rect", x=x, y=y, width=share * width, height=_BOTTOM - y, class_=f"bar {class_}"))
    total = max(1, sum(counts))
    description = f"{percent(counts[-1] / total)} of {count(sum(counts))} rows are in the highest bin"
    description += f", and {count(wrong[-1])} of the {count(sum(wrong))} misclassified" if wrong else ""
    parts += frame.axis_titles("confidence", "rows")
    return drawing(name, "Rows by confidence", f"{description}.", _SIZE, parts)


def risk_coverage_plot(
    name: str, points: Sequence[Mapping[str, float]], accepted: tuple[float, float] | None, limit: float | None
) -> Markup:
    """The share wrong among accepted rows by the share accepted, surest first.

    points: report.json's, with `coverage` and `error`. accepted: coverage and error of the run's accepted rows. limit:
    the share wrong that was promised.
    """
    highest = _rounded_up(max(0.001, *(each["error"] for each in points), limit or 0.0))
    frame = Frame(Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.0, highest, _BOTTOM, _TOP))
    parts = [each for share in _SHARES for each in frame.grid_line(share * highest, f"{100 * share * highest:.3g} %")]
    parts += [frame.tick_label(frame.x(share), f"{100 * share:.0f} %") for share in _SHARES]
    if limit is not None:
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=frame.y(limit), y2=frame.y(limit), class_="ideal"))
    # Rows of one confidence are accepted together, so that nothing is known of fewer.
    parts.append(path([(frame.x(each["coverage"]), frame.y(each["error"])) for each in points], "line first"))
    description = f"Of all rows, {percent(points[-1]['error'])} are wrong"
    if accepted is not None:
        coverage, error = accepted
        parts.append(element("circle", cx=frame.x(coverage), cy=frame.y(error), r=4.0, class_="dot first"))
        description += f"; of the {percent(coverage)} accepted, {percent(error)}"
    parts += frame.axis_titles("share of rows accepted, the surest first", "wrong among them")
    return drawing(name, "Errors by coverage", f"{description}.", _SIZE, parts)


def paired_bars(  # noqa: PLR0913, PLR0917  # two histograms and their labels
    name: str, title: str, names: Sequence[str], shares: Sequence[float], expected: Sequence[float] | None, x: str
) -> Markup:
    """A histogram of shares, in front of the expected one, if there is one. names: of the bins. x: of the axis."""
    highest = min(1.0, _rounded_up(max(0.01, *shares, *(expected or ()))))
    frame = Frame(Scale(0.0, len(names), _LEFT, _RIGHT), Scale(0.0, highest, _BOTTOM, _TOP))
    parts = [each for share in _SHARES for each in frame.grid_line(share * highest, f"{100 * share * highest:.3g} %")]
    width = (_RIGHT - _LEFT) / len(names)
    # Below narrow bars only every second name, or fewer, fit.
    step = math.ceil(len(names) * max(map(len, names)) / _MAX_LABEL_CHARACTERS)
    for values, class_, left, wide in ((expected or (), "second", 0.1, 0.5), (shares, "first", 0.35, 0.5)):
        for place, value in enumerate(values):
            y = frame.y(value)
            parts.append(
                element(
                    "rect", x=_LEFT + (place + left) * width, y=y, width=wide * width, height=_BOTTOM - y,
                    class_=f"bar {class_}",
                )
            )  # fmt: skip
    parts += [
        frame.tick_label(_LEFT + (place + 0.5) * width, each) for place, each in enumerate(names) if not place % step
    ]
    description = _describe_shares(names, shares, expected)
    return drawing(name, title, description, _SIZE, [*parts, *frame.axis_titles(x, "share")])


def _describe_shares(names: Sequence[str], shares: Sequence[float], expected: Sequence[float] | None) -> str:
    if expected is None:
        return "; ".join(f"{name}: {percent(share)}" for name, share in zip(names, shares, strict=True)) + "."
    both = zip(names, shares, expected, strict=True)
    return "; ".join(f"{name}: {percent(share)}, in training {percent(was)}" for name, share, was in both) + "."


def curves_plot(name: str, what: str, lines: Mapping[str, Sequence[float]], kept_epoch: int) -> Markup:
    """Values by epoch, from 1, on a logarithmic scale: a line for each name. The kept epoch is marked.

    Values of zero leave a gap; without epochs there is no line. what: the title and the name of the y axis.
    """
    known = [value for values in lines.values() for value in values if value > 0]
    low, high = (min(known), max(known)) if known else (0.1, 1.0)
    low, high = low / 1.15, high * 1.15
    epochs = max(map(len, lines.values()))
    frame = Frame(Scale(1, max(2, epochs), _LEFT + 8, _RIGHT - 4), Scale(low, high, _BOTTOM, _TOP, is_log=True))
    parts = [each for tick in _log_ticks(low, high) for each in frame.grid_line(tick, f"{tick:g}")]
    parts += [frame.tick_label(frame.x(epoch), str(epoch)) for epoch in _whole_ticks(max(1, epochs))]
    if kept_epoch < epochs:
        x = frame.x(kept_epoch)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="ideal"))
    for values, class_ in zip(lines.values(), ("second", "first"), strict=False):
        points = [(frame.x(epoch), frame.y(value) if value > 0 else math.nan) for epoch, value in enumerate(values, 1)]
        parts.append(path(points, f"line {class_}"))
        if len(points) < _MAX_DOTS:
            parts += [element("circle", cx=x, cy=y, r=2.5, class_=f"dot {class_}") for x, y in points if y == y]  # noqa: PLR0124
    ranges = (f"{each}: from {values[0]:.4g} to {values[-1]:.4g}" for each, values in lines.items() if values)
    description = f"Over {epochs} epochs. {'; '.join(ranges)}."
    return drawing(name, what, description, _SIZE, [*parts, *frame.axis_titles("epoch", what)])


def _grid_of_shares(frame: Frame) -> list[Markup]:
    lines = [each for share in _SHARES for each in frame.grid_line(share, f"{100 * share:.0f} %")]
    return lines + [frame.tick_label(frame.x(share), f"{100 * share:.0f} %") for share in _SHARES]


def _rounded_up(value: float) -> float:
    """The lowest of 1, 2 and 5 times a power of ten that is not below `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _short(number: int) -> str:
    """A power of ten as 1, 10, 1k, 1M, 1G."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; only the powers if those would be too many."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    ticks = [step * power for power in powers for step in (1, 2, 5) if low <= step * power <= high]
    return ticks if len(ticks) <= 2 * _MAX_TICKS else [power for power in powers if low <= power <= high]


def _whole_ticks(last: int) -> list[int]:
    """1 and a few round numbers up to `last`."""
    step = math.ceil(_rounded_up(last / _MAX_TICKS))
    return [1, *range(max(2, step), last + 1, step)]
