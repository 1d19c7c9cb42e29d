"""How reports write numbers, durations and settings: the filters of the templates, used by Python code as well."""

from collections.abc import Sequence
from typing import Any, Final

DASH: Final = "–"  # noqa: RUF001  # a dash is meant
_MINUTE: Final = 60
_HOUR: Final = 3600
_NAMED: Final = 3


def percent(share: float | None) -> str:
    """0.9953 as `99.53 %`; a dash for None."""
    return DASH if share is None else f"{100 * share:.2f} %"


def count(number: float | None) -> str:
    """A whole number with thousands separators; a dash for None."""
    return DASH if number is None else f"{round(number):,}"


def figure(value: float | None) -> str:
    """A number with four decimals; a dash for None."""
    return DASH if value is None else f"{value:.4f}"


def many(number: int, thing: str, things: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def some(names: Sequence[str]) -> str:
    """`a`, `a, b and c`, or the first three and how many more there are."""
    first, more = names[:_NAMED], len(names) - _NAMED
    if more > 0:
        return f"{', '.join(first)} and {more:,} more"
    return " and ".join([*([", ".join(first[:-1])] if first[:-1] else []), *first[-1:]])


def duration(seconds: float) -> str:
    """`0.42 s`, `1 min 05 s`, `2 h 03 min`."""
    if seconds < _MINUTE:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02} s" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60:02} min"


def setting(value: Any) -> str:
    """The value of a setting: `yes` or `no`, lists with commas; a dash for None and empty lists."""
    if value is None or value in ([], ()):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {setting(each)}" for name, each in value.items())
    return ", ".join(map(setting, value)) if isinstance(value, list | tuple) else str(value)
