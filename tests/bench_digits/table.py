"""Scored sets and measured speeds -> two Markdown tables."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench_digits.scoring import Scored


def accuracy_table(scored: Mapping[str, Mapping[str, Scored]]) -> str:
    """A line for each set and way of normalising. scored: by the set's name and the value of --normalize."""
    lines = [
        ("digits", "n", "--normalize", "images are", "accuracy", "mean confidence", "estimated accuracy", "coverage")
    ]
    for name, by_mode in scored.items():
        for mode, each in by_mode.items():
            estimated = "withheld" if each.estimated is None else _percent(each.estimated)
            figures = (_percent(each.accuracy), _percent(each.confidence), estimated, _percent(each.coverage))
            lines.append((name, f"{each.rows:,}", f"`{mode}`", each.form, *figures))
    return _markdown(lines)


def speed_table(speeds: Mapping[str, Sequence[float]]) -> str:
    """A line for each way: rows per second, and their ratio to the first way's in the same round."""
    first = next(iter(speeds.values()))
    lines = [("--normalize", "rows/s", "range", "times the first", "range", "n")]
    for mode, found in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(found, first, strict=True)]
        lines.append((
            f"`{mode}`", f"{median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}",
            f"{median(ratios):.3f}", f"{min(ratios):.3f} to {max(ratios):.3f}", str(len(found)),
        ))  # fmt: skip
    return _markdown(lines)


def notes(about: Mapping[str, Any]) -> str:
    """What it was measured on."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return "\n".join([
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}",
        f"Python {about['python']}, {versions}",
        f"Model: {about['model']}",
        "coverage: the share of the surest rows of which 0.5 % are wrong",
        "USPS, Semeion and optdigits: each whole picture resized to 28x28 by Pillow, ink bright",
    ])  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, f"|{' --- |' * len(lines[0])}", *rest])
