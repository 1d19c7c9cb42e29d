"""A confusion matrix as a heat map: for each cell its count, its share of the row, and the step of its colour.

Shares are told by steps at fixed bounds, not by a shade of their own, so that a colour means the same in every report,
and text on it can be read.

The plots of the reports, from the figures in them.

All are narrow enough for a phone, and say in words what they show.
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

# Bounds of a digit's share that was predicted right, and of those taken for another.
RIGHT_BOUNDS: Final = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
WRONG_BOUNDS: Final = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)


@dataclass(frozen=True)
class Cell:
    """Rows of one digit that were taken for one digit. share: of the digit's rows, None if it has none.

    style: the class of its colour: `right0` to `right6`, `wrong1` to `wrong7`, or none for an empty one.
    """

    count: int
    share: float | None
    style: str


def heat_map(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """The cells of a confusion matrix, true digit by predicted digit."""
    return [[_cell(count, sum(row), is_right=digit == guess) for guess, count in enumerate(row)]
            for digit, row in enumerate(matrix)]  # fmt: skip


def _cell(count: int, total: int, *, is_right: bool) -> Cell:
    if not total:
        return Cell(count, None, "")
    share = count / total
    if is_right:
        return Cell(count, share, f"right{bisect_right(RIGHT_BOUNDS, share)}")
    return Cell(count, share, f"wrong{min(7, bisect_right(WRONG_BOUNDS, share))}" if count else "")


_SIZE: Final = (360.0, 250.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 350.0, 24.0, 212.0
_SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_STRIP: Final = (360.0, 34.0)
# A bar's width, as a share of the place it has.
_BAR: Final = 0.8
# A line of fewer points would be hard to see, or none.
_FEW: Final = 30
_MOST_TICKS: Final = 6
# Of fewer rows the share right is mostly chance.
_ENOUGH: Final = 10


def interval_strip(share: float, interval: Sequence[float], expected: float | None) -> Markup:
    """A share and its 95 % interval as a mark on a line, and what was expected of it as another, if anything was."""
    low, high = interval
    lowest = min(low, share if expected is None else expected)
    floor = max(0.0, 1 - _rounded_up(max(0.001, 1.3 * (1 - lowest))))
    scale = Scale(floor, 1.0, 6.0, 354.0)
    marks = [] if expected is None else [
        element("path", d=f"M{scale(expected):.2f} 15l-4.5 -8h9z", class_="expected"),
    ]  # fmt: skip
    said = f"{percent(share)}, with 95 % certainty between {percent(low)} and {percent(high)}"
    more = "" if expected is None else f"; on the model's own test images {percent(expected)}"
    return drawing(
        "interval",
        "Accuracy and its 95 % interval",
        f"{said}{more}.",
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
    """How often digits are right, by how sure the network is of them, with 95 % intervals; the diagonal is perfect.

    series: bins as in report.json, by what they are of; the last is drawn the strongest.
    """
    frame = Frame(Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.0, 1.0, _BOTTOM, _TOP))
    parts = _grid_of_shares(frame)
    parts.append(element("line", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_TOP, class_="ideal"))
    for place, bins in enumerate(series.values()):
        parts += _reliability(frame, bins, "second" if place < len(series) - 1 else "first")
    last = [each for each in list(series.values())[-1] if each["count"]]
    said = "; ".join(f"of {count(each['count'])} at {percent(each['confidence'])}: {percent(each['accuracy'])}"
                     for each in last[-5:])  # fmt: skip
    return drawing(
        name,
        "Calibration: share right by confidence",
        f"Points on the diagonal are as sure as they are right. Share right of the rows in the highest bins: {said}.",
        _SIZE,
        [*parts, *frame.titles("confidence", "share right")],
    )


def _reliability(frame: Frame, bins: Sequence[Mapping[str, Any]], class_: str) -> list[Markup]:
    """Points with whiskers for the bins with rows, and a line through those with enough of them to mean something."""
    parts, points = [], []
    for each in bins:
        if not each["count"]:
            continue
        x, y = frame.x(each["confidence"]), frame.y(each["accuracy"])
        low, high = wilson_interval(round(each["accuracy"] * each["count"]), each["count"]) or [0.0, 1.0]
        parts.append(element("line", x1=x, x2=x, y1=frame.y(low), y2=frame.y(high), class_=f"whisker {class_}"))
        parts.append(element("circle", cx=x, cy=y, r=3.5, class_=f"dot {class_}"))
        if each["count"] >= _ENOUGH:
            points.append((x, y))
    return [path(points, f"line {class_}"), *parts] if points else parts


def confidence_plot(name: str, counts: Sequence[int], wrong: Sequence[int] | None) -> Markup:
    """Rows by confidence, in bins of equal width from 0 to 1, on a logarithmic scale; `wrong` of them, where known."""
    top = 10 ** max(1, math.ceil(math.log10(max(1, *counts))))
    frame = Frame(Scale(0.0, 1.0, _LEFT, _RIGHT), Scale(0.7, top, _BOTTOM, _TOP, is_log=True))
    decades = range(round(math.log10(top)) + 1)
    step = math.ceil(len(decades) / _MOST_TICKS)
    parts = [each for power in decades[::step] for each in frame.across(10**power, _short(10**power))]
    parts += [frame.below(frame.x(share), f"{100 * share:.0f} %") for share in _SHARES]
    width = (_RIGHT - _LEFT) / len(counts)
    for values, class_, share in ((counts, "first", _BAR), (wrong or (), "wrong", _BAR / 2)):
        for place, value in enumerate(values):
            if value:
                x = _LEFT + (place + (1 - share) / 2) * width
                y = frame.y(value)
                parts.append(element("rect", x=x, y=y, width=share * width, height=_BOTTOM - y, class_=f"bar {class_}"))
    total = max(1, sum(counts))
    said = f"{percent(counts[-1] / total)} of {count(sum(counts))} rows are in the highest bin"
    errors = f", and {count(wrong[-1])} of the {count(sum(wrong))} wrong ones" if wrong else ""
    return drawing(
        name, "Rows by confidence", f"{said}{errors}.", _SIZE, [*parts, *frame.titles("confidence", "rows")]
    )  # fmt: skip


def paired_bars(  # noqa: PLR0913, PLR0917  # what to draw, and what to call it
    name: str, title: str, names: Sequence[str], shares: Sequence[float], expected: Sequence[float] | None, x: str
) -> Markup:
    """Shares of the input, as bars, each before what it was in training, where that is known."""
    highest = min(1.0, _rounded_up(max(0.01, *shares, *(expected or ()))))
    frame = Frame(Scale(0.0, len(names), _LEFT, _RIGHT), Scale(0.0, highest, _BOTTOM, _TOP))
    parts = [each for share in _SHARES for each in frame.across(share * highest, f"{100 * share * highest:.3g} %")]
    width = (_RIGHT - _LEFT) / len(names)
    # Under narrow bars only every second name, or fewer, has room.
    step = math.ceil(len(names) * max(map(len, names)) / 44)
    for values, class_, left, wide in ((expected or (), "second", 0.1, 0.5), (shares, "first", 0.35, 0.5)):
        for place, value in enumerate(values):
            y = frame.y(value)
            parts.append(
                element(
                    "rect", x=_LEFT + (place + left) * width, y=y, width=wide * width, height=_BOTTOM - y,
                    class_=f"bar {class_}",
                )
            )  # fmt: skip
    parts += [frame.below(_LEFT + (place + 0.5) * width, each) for place, each in enumerate(names) if not place % step]
    return drawing(name, title, _in_words(names, shares, expected), _SIZE, [*parts, *frame.titles(x, "share")])


def _in_words(names: Sequence[str], shares: Sequence[float], expected: Sequence[float] | None) -> str:
    if expected is None:
        return "; ".join(f"{name}: {percent(share)}" for name, share in zip(names, shares, strict=True)) + "."
    both = zip(names, shares, expected, strict=True)
    return "; ".join(f"{name}: {percent(share)}, in training {percent(was)}" for name, share, was in both) + "."


def curves_plot(name: str, what: str, lines: Mapping[str, Sequence[float]], kept_epoch: int) -> Markup:
    """Values epoch by epoch, from 1, on a logarithmic scale, a line for each name; the kept epoch is marked.

    A value of nought, which has no logarithm, leaves a gap; of no epochs, there is no line.
    """
    known = [value for values in lines.values() for value in values if value > 0]
    low, high = (min(known), max(known)) if known else (0.1, 1.0)
    low, high = low / 1.15, high * 1.15
    epochs = max(map(len, lines.values()))
    frame = Frame(Scale(1, max(2, epochs), _LEFT + 8, _RIGHT - 4), Scale(low, high, _BOTTOM, _TOP, is_log=True))
    parts = [each for tick in _log_ticks(low, high) for each in frame.across(tick, f"{tick:g}")]
    parts += [frame.below(frame.x(epoch), str(epoch)) for epoch in _whole_ticks(max(1, epochs))]
    if kept_epoch < epochs:
        x = frame.x(kept_epoch)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="ideal"))
    for values, class_ in zip(lines.values(), ("second", "first"), strict=False):
        points = [(frame.x(epoch), frame.y(value) if value > 0 else math.nan) for epoch, value in enumerate(values, 1)]
        parts.append(path(points, f"line {class_}"))
        if len(points) < _FEW:
            parts += [element("circle", cx=x, cy=y, r=2.5, class_=f"dot {class_}") for x, y in points if y == y]  # noqa: PLR0124
    said = "; ".join(f"{each}: from {values[0]:.4g} to {values[-1]:.4g}" for each, values in lines.items() if values)
    return drawing(name, what, f"Over {epochs} epochs. {said}.", _SIZE, [*parts, *frame.titles("epoch", what)])


def _grid_of_shares(frame: Frame) -> list[Markup]:
    lines = [each for share in _SHARES for each in frame.across(share, f"{100 * share:.0f} %")]
    return lines + [frame.below(frame.x(share), f"{100 * share:.0f} %") for share in _SHARES]


def _rounded_up(value: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _short(number: int) -> str:
    """1, 10, 1k, 1M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two values; powers alone where those would be many."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    ticks = [step * power for power in powers for step in (1, 2, 5) if low <= step * power <= high]
    return ticks if len(ticks) <= 2 * _MOST_TICKS else [power for power in powers if low <= power <= high]


def _whole_ticks(last: int) -> list[int]:
    """1 and a few round numbers up to the last."""
    step = math.ceil(_rounded_up(last / _MOST_TICKS))
    return [1, *range(max(2, step), last + 1, step)]
