"""The figures of a comparison -> the lines that `digit-job compare` prints."""

from collections.abc import Iterator, Sequence
from typing import Final

from job.documents.comparison_json import ComparedInput, ComparedRun, Comparison
from job.report.mcnemar import p_text

_MOST_PAIRS: Final = 10
_MOST_INPUTS: Final = 20


def describe_comparison(found: Comparison) -> list[str]:
    """The lines to print; the verdict comes last."""
    return [
        _run("A", found["a"]),
        _run("B", found["b"]),
        "",
        *_totals(found),
        *_changes(found),
        *_changed_rows(found),
        *_inputs(found["inputs"]),
        *(f"Warning: {note}" for note in found["notes"]),
        f"Verdict: {found['verdict']['text']}.",
    ]


def _run(name: str, run: ComparedRun) -> str:
    model = run["model"]
    about = ", ".join(each for each in (model["name"], model["architecture"]) if each)
    return f"{name}  {compared_location(run)}  (model {about}, digest {model['digest'][:12]})"


def compared_location(run: ComparedRun) -> str:
    """What was compared: the output folder of a run, or a model."""
    return run["output"] or run["model"]["path"] or ""


def _totals(found: Comparison) -> Iterator[str]:
    rows, files = found["rows"], len(found["inputs"])
    yield (
        f"Rows        {rows['read']:,} in {files:,} file{'s' * (files != 1)}; {rows['compared']:,} scored by both; "
        f"rejected by both {rows['rejected_by_both']:,}, by A only {rows['rejected_by_a']:,}, by B only "
        f"{rows['rejected_by_b']:,}"
    )
    yield f"Agreement   {_percent(found['agreement'])}: the same digit on {rows['same']:,}, changed {rows['changed']:,}"
    yield from _accuracy(found)
    yield ""


def _accuracy(found: Comparison) -> Iterator[str]:
    right, test, difference, interval = found["right"], found["mcnemar"], found["difference"], found["difference_95"]
    if right is None or test is None or difference is None or interval is None:
        yield "Accuracy    unknown: no row scored by both has a label"
        return
    shares, intervals = found["accuracy"], found["accuracy_95"]
    for title, run, share, bounds in (
        ("Accuracy", "A", shares["a"], intervals["a"]),
        ("", "B", shares["b"], intervals["b"]),
    ):
        low, high = bounds or (0.0, 1.0)
        yield (
            f"{title:<10}  {run} {_percent(share)} of {found['labelled']:,} labelled rows "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
        )
    low, high = interval
    yield f"Difference  B - A = {100 * difference:+.2f} points (95 % interval {100 * low:+.2f} to {100 * high:+.2f})"
    yield (
        f"Correct     by both {right['both']:,}, by A only {right['only_a']:,}, by B only {right['only_b']:,}, "
        f"by neither {right['neither']:,}"
    )
    statistic = "" if test["statistic"] is None else f"chi-squared {test['statistic']:.2f}, "
    yield f"McNemar     {p_text(test['p_value'])} ({statistic}{test['method']})"


def _changes(found: Comparison) -> Iterator[str]:
    pairs = found["changes"]
    if not pairs:
        return
    shown, others = pairs[:_MOST_PAIRS], pairs[_MOST_PAIRS:]
    yield "Changed from A's digit to B's"
    yield from _table(("A", "B", "rows"), [(each["from"], each["to"], f"{each['count']:,}") for each in shown])
    if others:
        yield f"  and {sum(each['count'] for each in others):,} rows of {len(others)} other pairs"
    yield ""


def _changed_rows(found: Comparison) -> Iterator[str]:
    rows = found["changed_rows"]
    if not rows:
        return
    yield f"The {found['order']} {len(rows):,} of {found['rows']['changed']:,} changed rows (counted from 0)"
    header = ("file", "row", "label", "A", "confidence", "B", "confidence")
    yield from _table(
        header,
        [
            (
                each["path"], each["row"], "" if each["label"] is None else each["label"],
                each["prediction_a"], f"{each['confidence_a']:.6f}",
                each["prediction_b"], f"{each['confidence_b']:.6f}",
            )
            for each in rows
        ],
    )  # fmt: skip
    yield ""


def _inputs(inputs: list[ComparedInput]) -> Iterator[str]:
    shown = inputs
    if len(inputs) > _MOST_INPUTS:
        shown = sorted(inputs, key=lambda each: 1 if each["agreement"] is None else each["agreement"])[:_MOST_INPUTS]
        yield f"Inputs: the {_MOST_INPUTS} of {len(inputs):,} with the lowest agreement"
    header = ("file", "rows", "scored by both", "changed", "agreement", "accuracy A", "accuracy B")
    yield from _table(
        header,
        [
            (
                each["path"], f"{each['rows']:,}", f"{each['compared']:,}", f"{each['changed']:,}",
                *map(_percent, (each["agreement"], each["accuracy"]["a"], each["accuracy"]["b"])),
            )
            for each in shown
        ],
    )  # fmt: skip
    yield ""


def _table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines with aligned columns: the first column `file`, if any, to the left, all others to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield (
            "  "
            + "  ".join(
                cell.ljust(width) if name == "file" else cell.rjust(width)
                for name, cell, width in zip(header, row, widths, strict=True)
            ).rstrip()
        )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
