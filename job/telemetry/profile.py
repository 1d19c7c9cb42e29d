"""Where a run's time went, as a table: threads down, stages across."""

import re
from collections.abc import Iterable, Mapping, Sequence

from job.score.observer import Stage

_Times = Mapping[tuple[str, Stage], tuple[float, float]]


def table(times: _Times, seconds: float) -> str:
    """Wall seconds of each thread in each stage, what of them was spent on a processor, and the shares of the whole.

    times: wall and processor seconds by thread and stage. seconds: how long the run took.
    """
    names = sorted({thread for thread, _ in times}, key=_in_natural_order)
    rows = [("thread", *(stage.value for stage in Stage), "all")]
    rows += [(name, *_seconds(_row(times, name, clock=0))) for name in names]
    wall, processor = (_sum_of(_row(times, name, clock) for name in names) for clock in (0, 1))
    rows.append(("all threads", *_seconds(wall)))
    rows.append(("on a processor", *_seconds(processor)))
    whole = sum(wall) or 1.0
    rows.append(("share", *(f"{100 * each / whole:.0f} %" for each in (*wall, sum(wall)))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    return "\n".join([f"Time: {seconds:.2f} s from start to end; seconds of each thread in each stage:", *lines])


def _row(times: _Times, name: str, clock: int) -> list[float]:
    return [times.get((name, stage), (0.0, 0.0))[clock] for stage in Stage]


def _sum_of(rows: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip([0.0] * len(Stage), *rows, strict=True)]


def _seconds(row: Sequence[float]) -> list[str]:
    return [f"{each:.2f}" for each in (*row, sum(row))]


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(each.rjust(width) for each, width in zip(row[1:], widths[1:], strict=True))]


def _in_natural_order(name: str) -> tuple[tuple[int, str], ...]:
    """`part_10` behind `part_9`."""
    return tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece)
