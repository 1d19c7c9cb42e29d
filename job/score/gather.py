"""Parts -> final output: per input one prediction file, then the report, the manifest, and last `_SUCCESS`.

Idempotent: it reads committed parts only and replaces whole files, so it may run again, and twice at once.
"""

import json
import time
from typing import Final

from job.documents.manifest_json import Manifest, Timings
from job.documents.report_json import RejectExample, Report
from job.errors import InternalError, StorageError, TooManyRejects
from job.flag_names import Flag
from job.model.bundle import Bundle
from job.report.appearance import Appearance
from job.report.examples import Examples
from job.report.page import render
from job.report.tally import Tally
from job.score.documents import Found, manifest_of, report_of
from job.score.join import Joiner, Written, first_of_each_reason
from job.score.output import Claim, Output
from job.score.plan import Input
from job.settings import RejectLimit, ScoreSettings
from job.storage import Storage
from job.write.part_file import PartSummary, opened_part

# Files that say when a run was: an identical one beside it may have put its own there.
_TIMED: Final = frozenset({"report.html", "manifest.json"})


def gather(storage: Storage, claim: Claim, settings: ScoreSettings, bundle: Bundle, timings: Timings) -> Report:
    """Write the final output of a run whose parts are all committed, and return its report.

    Raises TooManyRejects, with the predictions and reject files there to be read; InternalError if rows are missing.
    """
    clock = time.monotonic()
    plan, output = claim.plan, claim.output
    joiner = Joiner(storage, claim, settings.format)
    found = Found()
    for index, each in enumerate(plan.inputs):
        paths = [output.part(part) for part in plan.parts_of(index)]
        summaries, examples = _looked_at(storage, paths)
        found.tallies.append(_checked_tally(each, summaries))
        found.appearances.append(_appearance(summaries))
        found.examples += examples.placed(index, 0)
        found.warnings += [
            {"path": each.path, "message": message} for summary in summaries for message in summary.warnings
        ]
        joined = joiner.join(each, list(zip(paths, summaries, strict=True)))
        found.files += joined.files
        found.rejects = first_of_each_reason([*found.rejects, *joined.rejects])
    report = report_of(plan, found, settings, bundle)
    _check_limit(settings.max_rejects, report, output)
    _write(joiner, found.files, "report.json", _json(report))
    _write(joiner, found.files, "report.html", render(report, timings).encode(errors="backslashreplace"))
    timings = {**timings, "gather_seconds": round(time.monotonic() - clock, 3)}
    manifest = manifest_of(claim, found, settings, bundle, timings)
    _write(joiner, found.files, "manifest.json", _json(manifest))
    _check_written(joiner, found.files)
    claim.finish()
    return report


def read_report(storage: Storage, output: Output, settings: ScoreSettings) -> Report:
    """The report of finished output. Raises TooManyRejects if it would not pass the limit set today."""
    report: Report = json.loads(storage.read(output.report_json))
    _check_limit(settings.max_rejects, report, output)
    return report


def _looked_at(storage: Storage, paths: list[str]) -> tuple[list[PartSummary], Examples]:
    """The summaries of an input's parts, in order, and what is worth showing of their rows, counted from its first."""
    summaries: list[PartSummary] = []
    examples, rows_before = Examples.none(), 0
    for path in paths:
        with opened_part(storage, path) as part:
            summary = part.summary
            try:
                chosen = Examples.from_bytes(part.examples)
            except ValueError as error:
                raise InternalError(f"{path}: is not a whole part ({error}); remove it and run again") from error
        examples += chosen.placed(0, rows_before)
        summaries.append(summary)
        rows_before += summary.rows
    return summaries, examples


def _checked_tally(each: Input, summaries: list[PartSummary]) -> Tally:
    """The input's tally, once every row that the file announced is accounted for."""
    tally = sum((Tally.from_json(summary.tally) for summary in summaries), Tally.zero())
    rows, announced = sum(summary.rows for summary in summaries), each.source.rows
    if not rows == tally.read == tally.scored + tally.rejected or announced not in {None, rows}:
        raise InternalError(
            f"{each.path}: rows do not add up: {rows} in its parts, {tally.scored} scored, {tally.rejected} rejected, "
            f"{announced} announced by the file"
        )
    return tally


def _appearance(summaries: list[PartSummary]) -> Appearance:
    return sum((Appearance.from_json(summary.appearance) for summary in summaries), Appearance.zero())


def _check_limit(limit: RejectLimit, report: Report, output: Output) -> None:
    read, rejected = report["rows"]["read"], report["rows"]["rejected"]
    if limit.is_exceeded(rejected, read):
        # The first of all are among the first of each reason. Output of an earlier version is without them.
        first = [_describe(each) for each in report.get("reject_examples", [])[:3]]
        shown = f"; first: {'; '.join(first)}" if first else ""
        raise TooManyRejects(
            f"{rejected} of {read} records were rejected, more than {Flag.MAX_REJECTS} {limit}; "
            f"they are listed in {output.path('rejects')}{shown}"
        )


def _describe(reject: RejectExample) -> str:
    place = f"row {reject['row']}" if reject["line"] is None else f"line {reject['line']}"
    return f"{reject['path']} {place}: {reject['detail']}"


def _write(joiner: Joiner, written: list[Written], path: str, content: bytes) -> None:
    with joiner.written(path, written) as file:
        file.write(content)


def _check_written(joiner: Joiner, written: list[Written]) -> None:
    """Make sure that nobody has taken away meanwhile what `_SUCCESS` is to stand beside. Raises StorageError."""
    for each in written:
        path = joiner.claim.output.path(each.path)
        found = joiner.storage.stat(path)
        is_changed = found is not None and found.size != each.bytes and each.path not in _TIMED
        if found is None or is_changed:
            raise StorageError(f"{path}: was removed or changed while the run was writing; run the same command again")


def _json(content: Report | Manifest) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
