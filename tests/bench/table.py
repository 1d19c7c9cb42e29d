"""Measurements and targets -> one table: rows as plain values for JSON, and as text for people."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.measure import Runs
from bench.scenarios import Sizes
from bench.targets import Target

HEADER = (
    "what",
    "figure",
    "range",
    "target",
    "verdict",
    "rows/s",
    "MB/s",
    "s: min",
    "median",
    "max",
    "SGEMM",
    "peak",
    "n",
)
_NONE = "-"


def rows_of(targets: Sequence[Target], measured: Mapping[str, Runs], flops_limit: float, flops_per_row: float | None):
    """A row for each target, then one for each command that has none of its own."""
    rows = [_target_row(target, measured) for target in targets]
    own = {target.key for target in targets}
    rows += [{"what": key} for key in measured if key not in own]
    keys = [target.key for target in targets] + [key for key in measured if key not in own]
    return [row | _speed(measured.get(key), flops_limit, flops_per_row) for row, key in zip(rows, keys, strict=True)]


def render(rows: Sequence[dict[str, Any]], about: Mapping[str, Any], sizes: Sizes) -> str:
    """The table, and what it was measured on."""
    lines = [HEADER, *[_cells(row) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    table = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    return "\n".join(["", *table, "", *_notes(about, sizes)])


def _target_row(target: Target, measured: Mapping[str, Runs]) -> dict[str, Any]:
    row: dict[str, Any] = {"what": target.name, "target": str(target.bound)}
    figures = target.figures(measured)
    if not figures:
        runs = measured.get(target.key)
        return row | {"verdict": (runs and runs.problem) or "not measured"}
    figure = target.of_all(figures)
    return row | {
        "figure": figure, "figures": figures, "verdict": "met" if target.bound.is_met(figure) else "missed",
        "shown": target.bound.show(figure), "range": " .. ".join(map(target.bound.show, (min(figures), max(figures)))),
    }  # fmt: skip


def _speed(runs: Runs | None, flops_limit: float, flops_per_row: float | None) -> dict[str, Any]:
    """What a command's own runs say."""
    if runs is None or not runs.runs:
        return {"n": 0}
    middle = median(runs.seconds)
    speed = {
        "rows_per_s": runs.rows / middle, "mb_per_s": runs.size_bytes / 1e6 / middle, "min_s": min(runs.seconds),
        "median_s": middle, "max_s": max(runs.seconds), "n": len(runs.runs),
    }  # fmt: skip
    if runs.peaks_mb:
        speed["peak_mb"] = max(runs.peaks_mb)
        # Without a peak it is a command of the system, which runs no network.
        if flops_per_row:
            speed["sgemm_share"] = speed["rows_per_s"] * flops_per_row / flops_limit
    return speed


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    def cell(key: str, form: str) -> str:
        return form.format(row[key]) if key in row else _NONE

    return (
        row["what"], row.get("shown", _NONE), row.get("range", _NONE), row.get("target", _NONE),
        row.get("verdict", _NONE), cell("rows_per_s", "{:,.0f}"), cell("mb_per_s", "{:,.1f}"), cell("min_s", "{:.2f}"),
        cell("median_s", "{:.2f}"), cell("max_s", "{:.2f}"), cell("sgemm_share", "{:.1%}"),
        cell("peak_mb", "{:,.0f} MB"), str(row["n"] or _NONE),
    )  # fmt: skip


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    is_text = [name in {"what", "target", "verdict"} for name in HEADER]
    cells = zip(line, widths, is_text, strict=True)
    return [cell.ljust(width) if text else cell.rjust(width) for cell, width, text in cells]


def _notes(about: Mapping[str, Any], sizes: Sizes) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    same = ", ".join(f"{key} {share:.3%}" for key, share in about["same_digits"].items())
    notes = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}",
        f"{about['threads']} threads; SGEMM limit {about['sgemm_gflops']:,} GFLOP/s",
        f"Python {about['python']}, {versions}",
        f"Data: {about['data']}; n = {about['repeats']} interleaved rounds of whole processes, files in the page cache",
        "Figures: ratios within a round, the median of all rounds; of memory the highest",
        f"Same digits as digit-job: {same or _NONE}",
    ]
    if not sizes.is_full:
        notes.append(f"The targets are meant for ROWS=700000: with {sizes.rows:,} start-up weighs more than it should.")
    return notes
