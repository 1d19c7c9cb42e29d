"""The result of a scoring run: a table for a terminal, plain lines for anything else."""

import sys
from typing import TYPE_CHECKING, cast

from job import log
from job.cli.terminal import echo, say
from job.report.estimate import estimate_in_words
from job.report.warning_list import sentence

if TYPE_CHECKING:
    from job.documents.report_json import Report
    from job.score.run import RunResult


def print_summary(result: "RunResult", outcome: str) -> None:
    """Print a run's figures, paths and outcome (`ok`, ...) to standard output."""
    if result.report is None and not result.missing:
        say("Nothing new: earlier runs have scored all inputs; nothing is written.")
        say(f"Result: {outcome}")
    elif result.missing:
        are = "part is" if result.missing == 1 else "parts are"
        say(f"Scored this shard's share: {result.rows:,} records in {result.seconds:.1f} s.")
        say(f"{result.missing:,} {are} missing; the shard that commits the last one writes the predictions.")
        say(f"Result: {outcome}")
    elif sys.stdout.isatty():
        echo(_table(result, outcome))
    else:
        for line in _lines(result, outcome):
            say(line)


def _lines(result: "RunResult", outcome: str) -> list[str]:
    if result.was_done:
        lines = [f"Already scored: {_counts(result)}; nothing to do."]
    else:
        lines = [f"Scored {_counts(result)}, in {_speed(result)}."]
    if accuracy := _accuracy(result):
        lines.append(f"Accuracy: {accuracy}.")
    lines += [f"{name.capitalize()}: {text}" for name, text in _promise(result)]
    lines += [f"Warning: {each}" for each in _warnings(result)]
    lines.append(f"Predictions: {result.output}/predictions")
    lines.append(f"Report:      {result.output}/report.html")
    lines.append(f"Result:      {outcome}")
    return lines


def _table(result: "RunResult", outcome: str) -> str:
    """Names and values in two columns without a frame, so that a long path can be copied whole."""
    from rich.console import Console
    from rich.text import Text

    rows = [("result", outcome), *(("warning", each) for each in _warnings(result))]
    rows.append(("already scored" if result.was_done else "scored", _counts(result)))
    rows += [] if result.was_done else [("time", _speed(result))]
    rows += [("accuracy", accuracy)] if (accuracy := _accuracy(result)) else []
    rows += _promise(result)
    rows.append(("predictions", f"{result.output}/predictions"))
    rows += [("rejects", f"{result.output}/rejects")] if _report(result)["rows"]["rejected"] else []
    rows.append(("report", f"{result.output}/report.html"))
    width = max(len(name) for name, _ in rows) + 2
    console = Console()
    with console.capture() as printed:
        for name, text in rows:
            style = "yellow" if name == "warning" else ""
            console.print(Text.assemble((name.ljust(width), "bold"), (log.visible(text), style)), soft_wrap=True)
    return printed.get().rstrip("\n")


def _counts(result: "RunResult") -> str:
    rows, inputs = _report(result)["rows"], _report(result)["inputs"]
    files = f"{len(inputs)} file{'s' * (len(inputs) != 1)}"
    # Output of an earlier version has no skipped lines.
    skipped = f", {rows['skipped']:,} skipped (no records)" * bool(rows.get("skipped"))
    return f"{rows['scored']:,} of {rows['read']:,} records in {files}, {rows['rejected']:,} rejected{skipped}"


def _speed(result: "RunResult") -> str:
    return f"{result.seconds:.1f} s ({result.rows / result.seconds:,.0f} records/s)"


def _accuracy(result: "RunResult") -> str | None:
    report = _report(result)
    if report["accuracy"] is None:
        withheld = "withheld, see the warning" if report.get("accuracy_withheld") else None
        return "; ".join(each for each in (withheld, estimate_in_words(report)) if each) or None
    low, high = report["accuracy_95"] or (0, 1)
    return (
        f"{100 * report['accuracy']:.2f} % of {report['labelled']:,} labelled records "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
    )


def _promise(result: "RunResult") -> list[tuple[str, str]]:
    """What is accepted, and what is promised about it, if anything."""
    report = _report(result)
    promise = report.get("promise")
    if promise is None:
        return []
    measured = f", of which {100 * promise['error']:.2f} % are wrong" if promise["error"] is not None else ""
    coverage = f" ({100 * promise['coverage']:.2f} %)" if promise["coverage"] is not None else ""
    accepted = f"{promise['accepted']:,} of {report['rows']['scored']:,} records{coverage}{measured}"
    return [
        ("accepted", f"{accepted}; {promise['review']:,} to review."),
        ("promise", "withdrawn, see the warning." if promise["is_withdrawn"] else promise["text"]),
    ]


def _warnings(result: "RunResult") -> list[str]:
    # Output of an earlier version has no warnings.
    return [sentence(each) for each in _report(result).get("warnings", [])]


def _report(result: "RunResult") -> "Report":
    """The report of a run that has gathered."""
    return cast("Report", result.report)
