"""Where the time of a run went, as a table for `--profile`: a row for each thread, a column for each stage."""

import re
from collections.abc import Iterable, Mapping, Sequence

from job.score.observer import Stage

# Wall and processor seconds by thread and stage.
_Times = Mapping[tuple[str, Stage], tuple[float, float]]


def table(times: _Times, seconds: float) -> str:
    """Wall seconds of each thread by stage, their sums, the processor time of all threads, and each stage's share.

    times: wall and processor seconds by thread and stage. seconds: of the run, from start to end.
    """
    names = sorted({thread for thread, _ in times}, key=_natural_order)
    rows = [("thread", *(stage.value for stage in Stage), "all")]
    rows += [(name, *_format_row(_row(times, name, clock=0))) for name in names]
    wall, processor = (_sum_of(_row(times, name, clock) for name in names) for clock in (0, 1))
    rows.append(("all threads", *_format_row(wall)))
    rows.append(("CPU time", *_format_row(processor)))
    total = sum(wall) or 1.0
    rows.append(("share", *(f"{100 * each / total:.0f} %" for each in (*wall, sum(wall)))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([f"Time: {seconds:.2f} s from start to end; seconds of each thread in each stage:", *lines])


def _row(times: _Times, name: str, clock: int) -> list[float]:
    return [times.get((name, stage), (0.0, 0.0))[clock] for stage in Stage]


def _sum_of(rows: Iterable[Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip([0.0] * len(Stage), *rows, strict=True)]


def _format_row(row: Sequence[float]) -> list[str]:
    return [f"{each:.2f}" for each in (*row, sum(row))]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(each.rjust(width) for each, width in zip(row[1:], widths[1:], strict=True))]


def _natural_order(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts `part_9` before `part_10`."""
    return tuple((int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece)
