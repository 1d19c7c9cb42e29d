"""What a scoring run has come to: a table for a person at a terminal, plain lines for whatever else reads them."""

import sys
from typing import TYPE_CHECKING

from job import logs
from job.cli.streams import echo, say

if TYPE_CHECKING:
    from job.score.run import RunResult


def print_summary(result: "RunResult") -> None:
    """Print a run's result, in figures and paths."""
    if result.missing:
        are = "part is" if result.missing == 1 else "parts are"
        say(f"Scored this shard's share: {result.rows:,} records, in {result.seconds:.1f} s.")
        say(f"{result.missing:,} {are} still to come from other shards; the last to commit one writes the predictions.")
    elif sys.stdout.isatty():
        echo(_table(result))
    else:
        for line in _lines(result):
            say(line)


def _lines(result: "RunResult") -> list[str]:
    if result.was_done:
        lines = [f"Already scored: {_counts(result)}; nothing to do."]
    else:
        lines = [f"Scored {_counts(result)}, in {_speed(result)}."]
    if accuracy := _accuracy(result):
        lines.append(f"Accuracy: {accuracy}.")
    lines += [f"Mind {what}" for what in _warnings(result)]
    lines.append(f"Predictions: {result.output}/predictions")
    lines.append(f"Report:      {result.output}/report.html")
    return lines


def _table(result: "RunResult") -> str:
    from rich.console import Console  # noqa: PLC0415  # for terminals only
    from rich.table import Table  # noqa: PLC0415  # the same
    from rich.text import Text  # noqa: PLC0415  # the same

    table = Table(show_header=False, title="Already scored" if result.was_done else "Scored", title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = [
        ("records", _counts(result)),
        ("time", "none: there was nothing to do" if result.was_done else _speed(result)),
    ]
    if accuracy := _accuracy(result):
        rows.append(("accuracy", accuracy))
    rows += [("mind", what) for what in _warnings(result)]
    rows.append(("predictions", f"{result.output}/predictions"))
    if result.report["rows"]["rejected"]:
        rows.append(("rejects", f"{result.output}/rejects"))
    rows.append(("report", f"{result.output}/report.html"))
    for name, text in rows:
        table.add_row(name, Text(logs.visible(text), "yellow" if name == "mind" else ""))
    console = Console()
    with console.capture() as shown:
        console.print(table)
    return shown.get().rstrip("\n")


def _counts(result: "RunResult") -> str:
    rows, inputs = result.report["rows"], result.report["inputs"]
    files = f"{len(inputs)} file{'s' * (len(inputs) != 1)}"
    return f"{rows['scored']:,} of {rows['read']:,} records in {files}, {rows['rejected']:,} rejected"


def _speed(result: "RunResult") -> str:
    return f"{result.seconds:.1f} s ({result.rows / result.seconds:,.0f} records/s)"


def _accuracy(result: "RunResult") -> str | None:
    report = result.report
    if report["accuracy"] is None:
        return None
    low, high = report["accuracy_95"]
    return (
        f"{100 * report['accuracy']:.2f} % of {report['labelled']:,} labelled records "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
    )


def _warnings(result: "RunResult") -> list[str]:
    model = result.report["model"]["warning"]
    # Output of an earlier version may be without them.
    inputs = [f"the input: {each['path']}: {each['message']}" for each in result.report.get("warnings", [])]
    return ([f"the model: {model}"] if model else []) + inputs
