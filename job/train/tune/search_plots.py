"""The plots of a search's page: the accuracy of each trial by one of its settings, and two settings as a heat map.

Accuracies are drawn so that equal distances are equal ratios of misclassified images: one bad trial does not press the
others together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from job.report.svg import Frame, Scale, drawing, element
from job.report.words import percent
from job.train.train_settings import Range, SearchSpace
from job.train.tune.search_trial import Trial
from job.train.tune.space_syntax import choice_text

# In units of the SVG.
_WIDTH: Final = 360.0
_HEIGHT: Final = 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 350.0, 24.0, 212.0
_LINE: Final = 24.0
_CHARACTER: Final = 6.2
_MAX_TICKS: Final = 7
_STEPS: Final = (1, 2, 5)
_SHADES: Final = 6
_PARAMETERS: Final = 2


def settings_plot(name: str, setting: str, values: Any, trials: Sequence[Trial], best: Trial) -> Markup:
    """The accuracy of each trial by a setting, with the standard deviation of its folds.

    name: unique on the page. values: the setting's in the search space. trials: those that did not diverge.
    """
    axis = _Accuracies(trials)
    draw = _by_number if isinstance(values, Range) else _by_choice
    size, parts, texts = draw(axis, setting, values, trials, best)
    title = f"Accuracy by {setting.replace('-', ' ')}"
    return drawing(name, title, f"Best accuracy by value: {'; '.join(texts)}.", size, parts)


@dataclass(frozen=True)
class HeatCell:
    """A combination of two settings. style: the CSS class of its colour; empty where it diverged or was not tried."""

    text: str
    deviation: str
    style: str


def heat_cells(space: SearchSpace, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """A grid of two settings as a table of accuracies: `rows`, `columns`, their `names`, `cells`; None for others.

    Settings with a single choice do not count.
    """
    varied = {name: values for name, values in space.items() if not isinstance(values, Range) and len(values) > 1}
    has_others = any(isinstance(values, Range) for values in space.values())
    if has_others or len(varied) != _PARAMETERS:
        return None
    (row, rows), (column, columns) = ((name, list(map(choice_text, values))) for name, values in varied.items())
    found = {(each.setting_texts[row], each.setting_texts[column]): each for each in trials}
    tried = [found[one, other].accuracy for one in rows for other in columns if (one, other) in found]
    known = [each for each in tried if each is not None]
    cells = [[_heat_cell(found.get((one, other)), known) for other in columns] for one in rows]
    return {"names": (row, column), "rows": rows, "columns": columns, "cells": cells}


def _heat_cell(trial: Trial | None, known: Sequence[float]) -> HeatCell:
    if trial is None or trial.accuracy is None:
        return HeatCell("" if trial is None else "diverged", "", "")
    low, high = min(known), max(known)
    shade = round(_SHADES * (trial.accuracy - low) / (high - low)) if high > low else _SHADES
    deviation = "" if trial.deviation is None else f"{100 * trial.deviation:.2f}"
    return HeatCell(f"{100 * trial.accuracy:.2f}", deviation, f"right{shade}")


class _Accuracies:
    """The scale of the accuracies, from a round one below all of them to a round one above."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._smallest = 0.5 / max(each.images for each in trials)
        errors = [max(self._smallest, 1 - (each.accuracy or 0.0)) for each in trials]
        first, last = (math.floor(math.log10(each)) for each in (min(errors), max(errors)))
        steps = [step * 10.0**power for power in range(first, last + 2) for step in _STEPS]
        low = max(step for step in steps if step <= min(errors) * (1 + 1e-9))
        high = min(1.0, next(step for step in steps if step >= max(errors) * (1 - 1e-9) and step > low))
        self._ticks = [step for step in steps if low <= step <= high]
        while len(self._ticks) > _MAX_TICKS:
            self._ticks = self._ticks[::2]
        self._ends = (-math.log10(high), -math.log10(low))

    def scale(self, start: float, end: float) -> Scale:
        """Maps what `place` returns to positions."""
        return Scale(*self._ends, start, end)

    def place(self, accuracy: float) -> float:
        """An accuracy in 0-1 on the axis."""
        return -math.log10(max(self._smallest, min(1.0, 1 - accuracy)))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places on the axis, and their names."""
        return [(-math.log10(step), f"{100 * (1 - step):.6g} %") for step in self._ticks]


def _by_choice(
    axis: _Accuracies, setting: str, values: Sequence[Any], trials: Sequence[Trial], best: Trial
) -> tuple[tuple[float, float], list[Markup], list[str]]:
    """A line for each choice, and for what the recipe has instead; the accuracies from left to right."""
    names = _choices(setting, values, trials)
    left = 12 + _CHARACTER * max(map(len, names))
    bottom = _TOP + _LINE * len(names)
    scale = axis.scale(left + 8, _RIGHT)
    parts = []
    for place, text in axis.ticks[:: 1 + len(axis.ticks) // 5]:
        x = scale(place)
        parts.append(element("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        parts.append(element("text", text, x=x, y=bottom + 16, class_="tick", text_anchor="middle"))
    for line, text in enumerate(names):
        y = _TOP + _LINE * (line + 0.5)
        parts.append(element("text", text, x=left, y=y + 3.5, class_="tick", text_anchor="end"))
        parts.append(element("line", x1=left + 8, x2=_RIGHT, y1=y, y2=y, class_="grid"))
    for each in _best_last(trials, best):
        y = _TOP + _LINE * (names.index(each.setting_texts[setting]) + 0.5)
        low, high = (scale(axis.place(value)) for value in _span(each))
        if high > low:
            parts.append(element("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker {_style(each, best)}"))
        parts.append(_dot(scale(axis.place(each.accuracy or 0.0)), y, each, best))
    middle = (left + 8 + _RIGHT) / 2
    parts.append(element("text", "accuracy", x=middle, y=bottom + 33, class_="axis", text_anchor="middle"))
    parts.append(element("text", setting.replace("-", " "), x=0, y=11, class_="axis"))
    known = {text: [each.accuracy or 0.0 for each in trials if each.setting_texts[setting] == text] for text in names}
    texts = [f"{text} {percent(max(found))}" for text, found in known.items() if found]
    return (_WIDTH, bottom + 38), parts, texts


def _by_number(
    axis: _Accuracies, setting: str, values: Range, trials: Sequence[Trial], best: Trial
) -> tuple[tuple[float, float], list[Markup], list[str]]:
    """The setting from left to right, the accuracies from bottom to top."""
    numbers = [float(str(each.settings[setting])) for each in trials]
    low, high = min(values.low, *numbers), max(values.high, *numbers)
    x = Scale(low, high, _LEFT + 8, _RIGHT - 8, is_log=values.is_log and low > 0)
    frame = Frame(x, axis.scale(_BOTTOM, _TOP))
    parts = [each for place, text in axis.ticks for each in frame.grid_line(place, text)]
    parts += [frame.tick_label(x(each), f"{each:g}") for each in _ends_and_middle(x)]
    for each in _best_last(trials, best):
        number = float(str(each.settings[setting]))
        low, high = (frame.y(axis.place(value)) for value in _span(each))
        if low > high:
            parts.append(
                element("line", x1=x(number), x2=x(number), y1=low, y2=high, class_=f"whisker {_style(each, best)}")
            )
        parts.append(_dot(x(number), frame.y(axis.place(each.accuracy or 0.0)), each, best))
    parts += frame.axis_titles(setting.replace("-", " "), "accuracy")
    text = f"{best.setting_texts[setting]} {percent(best.accuracy)}"
    return (_WIDTH, _HEIGHT), parts, [text]


def _choices(setting: str, values: Sequence[Any], trials: Sequence[Trial]) -> list[str]:
    """The choices of a setting and what else was tried; numbers from the lowest."""
    found = {choice_text(each): each for each in (*values, *(each.settings[setting] for each in trials))}
    is_numeric = all(type(each) in {int, float} for each in found.values())
    return sorted(found, key=float) if is_numeric else list(found)


def _ends_and_middle(x: Scale) -> tuple[float, float, float]:
    middle = math.sqrt(x.low * x.high) if x.is_log else (x.low + x.high) / 2
    return x.low, float(f"{middle:.2g}"), x.high


def _span(trial: Trial) -> tuple[float, float]:
    """One standard deviation to both sides."""
    accuracy, deviation = trial.accuracy or 0.0, trial.deviation or 0.0
    return accuracy - deviation, accuracy + deviation


def _best_last(trials: Sequence[Trial], best: Trial) -> list[Trial]:
    return sorted(trials, key=lambda each: each.number == best.number)


def _style(trial: Trial, best: Trial) -> str:
    return "first" if trial.number == best.number else "second"


def _dot(x: float, y: float, trial: Trial, best: Trial) -> Markup:
    """A dot that says which trial it is; of the default, unless it is the best, in another colour."""
    style = "expected" if trial.number == 0 != best.number else f"dot {_style(trial, best)}"
    title = element("title", f"{trial.name}: {trial.result}")
    return element("circle", title, cx=x, cy=y, r=3.5, class_=style)
