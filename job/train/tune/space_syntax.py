"""How a search space is written: a JSON object of flags of `train`, each with a list of choices or a range.

It comes from the file of `--space` or from `--vary`, whose choices are the texts that would follow the flag.
`search_space` has the defaults, and checks what fits the search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from job.errors import UsageError
from job.train.train_settings import (
    Activation,
    ClassWeights,
    Optimizer,
    Range,
    SearchSpace,
    parse_widths,
    widths_text,
)

_RANGE_KEYS: Final = {"min", "max", "scale"}


def _widths(value: Any) -> tuple[int, ...]:
    if isinstance(value, str):
        return parse_widths(value)
    if not isinstance(value, list) or any(type(each) is not int for each in value):
        raise TypeError
    return tuple(value)


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _whole(value: Any) -> int:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise TypeError
    return int(value)


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[value]


@dataclass(frozen=True)
class _Kind:
    """How the choices of a setting are read.

    parse: from a JSON value or a text; raises ValueError, TypeError, LookupError or UsageError. expected: for errors.
    """

    parse: Callable[[Any], Any]
    expected: str
    has_ranges: bool = False


def _word(words: Any) -> _Kind:
    allowed = get_args(words)
    return _Kind(lambda value: allowed[allowed.index(value)], f"one of {', '.join(allowed)}")


_NUMBER: Final = _Kind(_number, "a number", has_ranges=True)
_WHOLE: Final = _Kind(_whole, "a whole number", has_ranges=True)
# Not early stopping: it would choose the epoch by the very images that rate the trial.
_KINDS: Final = {
    "hidden": _Kind(_widths, "the widths of a network's hidden layers, such as [128, 128] or 128-128, or none"),
    "activation": _word(Activation),
    "dropout": _NUMBER,
    "epochs": _WHOLE,
    "batch-size": _WHOLE,
    "optimizer": _word(Optimizer),
    "learning-rate": _NUMBER,
    "weight-decay": _NUMBER,
    "class-weights": _word(ClassWeights),
    "augment": _Kind(_switch, "true or false"),
}
# What a search can vary: flags of `train`.
NAMES: Final = tuple(_KINDS)
_WITH_RANGES: Final = tuple(name for name, kind in _KINDS.items() if kind.has_ranges)


def parse_space(content: Mapping[str, Any]) -> SearchSpace:
    """The space in a JSON object; a choice is a JSON value, or the text that would follow the flag.

    Raises ValueError for an unknown key, a value of the wrong type, and anything but a list or a range.
    """
    if not content:
        raise ValueError(f"names no setting to vary, expected some of {', '.join(NAMES)}")
    return {name: _parse_values(name, values) for name, values in content.items()}


def space_json(space: SearchSpace) -> dict[str, Any]:
    """The JSON object that `parse_space` reads this space from."""
    return {
        name: {"min": values.low, "max": values.high, "scale": "log" if values.is_log else "linear"}
        if isinstance(values, Range)
        else [list(each) if isinstance(each, tuple) else each for each in values]
        for name, values in space.items()
    }


def choice_text(value: Any) -> str:
    """A setting as tables show it: `128-128`, `0.001`, `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return widths_text(tuple(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parse_values(name: str, values: Any) -> tuple[Any, ...] | Range:
    if name not in NAMES:
        raise ValueError(f"{name!r:.100} is not a setting that can vary, expected one of {', '.join(NAMES)}")
    if isinstance(values, dict):
        return _parse_range(name, values)
    if not isinstance(values, list) or not values:
        found = "an empty list" if values == [] else f"{values!r:.50}"
        raise ValueError(f"{name} is {found}, expected a list of choices or a range with min and max")
    choices = tuple(_parse_choice(name, each) for each in values)
    for place, each in enumerate(choices):
        if each in choices[:place]:
            raise ValueError(f"{name} has {choice_text(each)} twice")
    return choices


def _parse_choice(name: str, value: Any) -> Any:
    try:
        return _KINDS[name].parse(value)
    except (ValueError, TypeError, LookupError, OverflowError, UsageError):
        raise ValueError(f"{name} has {value!r:.50}, expected {_KINDS[name].expected}") from None


def _parse_range(name: str, values: dict[str, Any]) -> Range:
    if name not in _WITH_RANGES:
        raise ValueError(f"{name} is a range, expected a list of choices; ranges are for {', '.join(_WITH_RANGES)}")
    unknown = values.keys() - _RANGE_KEYS
    if unknown or not {"min", "max"} <= values.keys():
        found = f"has {min(unknown)!r:.50}" if unknown else f"lacks {min({'min', 'max'} - values.keys())}"
        raise ValueError(f'{name}: its range {found}, expected {{"min": ..., "max": ..., "scale": "log" or "linear"}}')
    low, high = (_parse_choice(name, values[each]) for each in ("min", "max"))
    scale = values.get("scale", "linear")
    if scale not in {"log", "linear"}:
        raise ValueError(f"{name}: scale is {scale!r:.50}, expected log or linear")
    if not low < high:
        raise ValueError(f"{name}: min is {low:g} and max {high:g}, expected min to be the lower one")
    if scale == "log" and low <= 0:
        raise ValueError(f"{name}: min is {low:g}, expected more than 0 on a log scale")
    return Range(low, high, is_log=scale == "log")
