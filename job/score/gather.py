"""Committed parts -> final output: the files of each input, then the report, the manifest and, last, `_SUCCESS`.

    parts --InputParts--> counts, examples --join--> predictions, rejects --RunDocuments--> report, manifest

Idempotent: it only reads committed parts and replaces whole files, so that it can run again, also twice at once.
"""

import json
import time

from job.documents.checking import check_document, parse_json
from job.documents.manifest_json import Manifest, Timings
from job.documents.report_json import RejectExample, Report
from job.errors import DataError, InternalError, TooManyRejects
from job.flag_names import Flag
from job.model.bundle import Bundle
from job.read.pixels import FAINT, FAINT_FROM_IMAGES
from job.report.examples import Examples
from job.report.page import render
from job.report.promise import Promise
from job.report.review_rows import kept_for
from job.report.tally import Tally
from job.score.documents import Gathered, RunDocuments
from job.score.input_parts import InputParts
from job.score.join import RowIds, join
from job.score.output import Claim, Output
from job.score.output_files import OutputFiles
from job.score.plan import Input
from job.score.review_files import write_review
from job.score.run_gates import shortfalls
from job.settings import RejectLimit, ScoreSettings
from job.storage import Storage


def gather(  # noqa: PLR0913, PLR0917  # all that a run knows by then
    storage: Storage,
    claim: Claim,
    settings: ScoreSettings,
    bundle: Bundle,
    timings: Timings,
    promise: Promise | None = None,
) -> tuple[Report, Gathered]:
    """Write the final output of a run whose parts are all committed; returns the report, and the counts behind it.

    A run that falls short of its gates gets `_FAILED` in place of `_SUCCESS`, and keeps its parts.
    Raises OutputOccupied if files for review were edited; TooManyRejects once predictions and reject files are
    committed; InternalError if rows are missing.
    """
    clock = time.monotonic()
    plan, output = claim.plan, claim.output
    output.clearing.refuse_edited()
    claim.list_outputs()
    kept = kept_for(settings.review.rows)
    files, gathered = OutputFiles(claim), Gathered(Examples.none(kept))
    for index, target in enumerate(plan.inputs):
        parts = InputParts.read(storage, [output.part_file(plan, part) for part in plan.parts_of(index)], kept)
        tally = _checked_tally(target, parts)
        _check_scale(target, parts, settings)
        ids = RowIds(target, [row for _, row in parts.examples.places])
        gathered.add(target, parts, tally, join(target, parts, files, settings, ids), ids.found)
    documents = RunDocuments(plan, settings, bundle, gathered, promise)
    report = documents.report()
    check_rejects(settings.max_rejects, report, listed_in=output.path("rejects"))
    rows = documents.review_rows(are_labels_judged=report["accuracy_withheld"] is None)
    write_review(files, rows, settings, bundle)
    files.write("report.json", _json(report))
    files.write("report.html", render(report, timings).encode(errors="backslashreplace"))
    timings = {**timings, "gather_seconds": round(time.monotonic() - clock, 3)}
    files.write("manifest.json", _json(documents.manifest(files.committed, timings)))
    files.check_present(storage)
    short = shortfalls(report, settings.gates)
    if short:
        claim.fall_short(short)
    else:
        claim.finish()
    return report, gathered


def read_report(storage: Storage, output: Output, limit: RejectLimit) -> Report:
    """The report of a finished run.

    Raises TooManyRejects if it exceeds `limit`, whatever the run's own limit was, and DataError if it is damaged.
    """
    try:
        report: Report = parse_json(storage.read(output.report_json))
        check_document(Report, report)
    except ValueError as error:
        raise DataError(
            f"{output.report_json}: was changed or damaged: {error!s:.200}; score again with {Flag.OVERWRITE}"
        ) from error
    check_rejects(limit, report, listed_in=output.path("rejects"))
    return report


def _checked_tally(target: Input, parts: InputParts) -> Tally:
    """The input's tally. Raises InternalError unless it accounts for every row that the file announces."""
    tally, announced = parts.tally, target.source.rows
    accounted = tally.scored + tally.rejected + tally.skipped
    if not parts.rows == tally.read == accounted or announced not in {None, parts.rows}:
        raise InternalError(
            f"{target.path}: rows do not add up: {parts.rows} in its parts, {tally.scored} scored, "
            f"{tally.rejected} rejected, {tally.skipped} skipped, {announced} announced by the file"
        )
    return tally


def _check_scale(target: Input, parts: InputParts, settings: ScoreSettings) -> None:
    """Raise DataError if not one image has a pixel that shows the scale: the first records may have been blank."""
    seen = parts.appearance
    is_faint = seen.images >= FAINT_FROM_IMAGES and seen.intensity[1] > 0 and not seen.intensity[2:].any()
    if settings.read.scale == "auto" and target.source.pixel_scale == "255" and is_faint:
        raise DataError(
            f"{target.source.file.path}: no pixel is above {FAINT}, so the pixels may not be on the scale 0-255; run "
            f"again with {Flag.OVERWRITE}, and with {Flag.SCALE} 1 or {Flag.SCALE} 255"
        )


def check_rejects(limit: RejectLimit, report: Report, *, listed_in: str | None = None) -> None:
    """Raise TooManyRejects if a finished run has rejected more records than `limit` allows.

    listed_in: the folder of the reject files; None if the run's output is temporary.
    """
    read, rejected = report["rows"]["read"], report["rows"]["rejected"]
    if limit.is_exceeded(rejected, read):
        # The first rejects of a run are among the first of each reason. Reports of earlier versions have no examples.
        first = [_describe(each) for each in report.get("reject_examples", [])[:3]]
        examples = f"; first: {'; '.join(first)}" if first else ""
        listed = f"; they are listed in {listed_in}" if listed_in else ""
        raise TooManyRejects(
            f"{rejected} of {read} records were rejected, more than {Flag.MAX_REJECTS} {limit}{listed}{examples}"
        )


def _describe(reject: RejectExample) -> str:
    position = f"row {reject['row']}" if reject["line"] is None else f"line {reject['line']}"
    return f"{reject['path']} {position}: {reject['detail']}"


def _json(content: Report | Manifest) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
