"""Figures in words: how a report writes numbers, and what it makes of them. Pure functions of what they are given."""

from typing import Any, Final

DASH: Final = "–"  # noqa: RUF001  # a dash is meant
# Below and above which a shift is taken for none, and for a large one.
# Source: E. M. Lewis, An Introduction to Credit Scoring (2nd ed. 1994); N. Siddiqi, Credit Risk Scorecards (2006).
SOME_SHIFT: Final = 0.1
LARGE_SHIFT: Final = 0.25
# The 95 % quantile of the standard normal distribution.
_Z: Final = 1.6448536269514722
_MINUTE: Final = 60
_HOUR: Final = 3600


def percent(share: float | None) -> str:
    """A share in hundredths of a per cent; a dash for none."""
    return DASH if share is None else f"{100 * share:.2f} %"


def count(number: float | None) -> str:
    """A whole number in groups of three; a dash for none."""
    return DASH if number is None else f"{round(number):,}"


def figure(value: float | None) -> str:
    """A number with four decimals; a dash for none."""
    return DASH if value is None else f"{value:.4f}"


def many(number: int, thing: str, things: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def duration(seconds: float) -> str:
    """Seconds for people: `0.42 s`, `1 min 05 s`, `2 h 03 min`."""
    if seconds < _MINUTE:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02} s" if seconds < _HOUR else f"{minutes // 60} h {minutes % 60:02} min"


def setting(value: Any) -> str:
    """A setting's value for people."""
    if value is None or value in ([], ()):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {setting(each)}" for name, each in value.items())
    return ", ".join(map(setting, value)) if isinstance(value, list | tuple) else str(value)


def shift(psi: float | None, rows: int, bins: int) -> str:
    """What a population stability index says, in plain words: of `rows` rows in `bins` bins.

    An index that chance alone passes in one of twenty samples of so many rows says nothing, however high.
    """
    if psi is None:
        return "nothing to compare"
    if psi < SOME_SHIFT:
        return "no shift"
    if psi < chance_level(rows, bins):
        return "too few rows to tell"
    return "some shift" if psi <= LARGE_SHIFT else "large shift"


def is_shift(reading: str) -> bool:
    """Whether a reading is one to look into."""
    return reading in {"some shift", "large shift"}


def chance_level(rows: int, bins: int) -> float:
    """The index that 95 % of samples of so many rows stay below though nothing has shifted.

    `rows` times the index follows a chi-squared distribution of `bins - 1` degrees of freedom where far more rows were
    trained on; its quantile is that of E. B. Wilson and M. M. Hilferty, PNAS 17 (1931) 684-688.
    Source: B. Yurdakul, J. Naranjo, Statistical properties of the population stability index, J. Risk Model
    Validation 14 (2020).
    """
    degrees = max(1, bins - 1)
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + _Z * spread**0.5) ** 3 / max(1, rows))
