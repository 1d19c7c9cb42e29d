"""Images per second -> one table: rows as plain values for JSON, and as text for people."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

HEADER = ("what", "images/s", "range", "times model.fit", "range", "n")
_PLAIN = "model.fit"


def rows_of(speeds: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """A row for each contender, `network: way`; ratios are to the same network's `model.fit` in the same round."""
    return [_row(name, found, speeds[f"{name.partition(':')[0]}: {_PLAIN}"]) for name, found in speeds.items()]


def render(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    """The table, and what it was measured on."""
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    table = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    notes = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}",
        f"Python {about['python']}, {versions}",
        f"Data: {about['data']}; n = {about['rounds']} interleaved rounds of {about['epochs']} epochs behind the first",
        "Of an epoch with its validation, the median; the first, in which TensorFlow compiles, is left out",
        "model.fit: batches of 64, arrays in 0-1; accurate: images deformed, a checkpoint after each epoch, as always",
    ]
    return "\n".join(["", *table, "", *notes])


def _row(name: str, found: Sequence[float], plain: Sequence[float]) -> dict[str, Any]:
    ratios = [ours / theirs for ours, theirs in zip(found, plain, strict=True)]
    return {
        "what": name, "images_per_second": median(found), "images_per_second_range": [min(found), max(found)],
        "ratio": median(ratios), "ratio_range": [min(ratios), max(ratios)], "n": len(found),
    }  # fmt: skip


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["images_per_second_range"]
    least, most = row["ratio_range"]
    return (
        row["what"], f"{row['images_per_second']:,.0f}", f"{low:,.0f} .. {high:,.0f}", f"{row['ratio']:.2f}",
        f"{least:.2f} .. {most:.2f}", str(row["n"]),
    )  # fmt: skip


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
