"""The scoring stage: model and inputs -> plan -> claim -> parts, scored by the local engine -> gather."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from job.documents.manifest_json import Timings
from job.documents.report_json import Report
from job.errors import InputChanged, InternalError, NoInput, OutputOccupied, PartDamaged, RunFellShort, StorageError
from job.flag_names import Flag
from job.log import Event, event
from job.model.bundle import Bundle, Predictor, arithmetic_of, open_bundle, predictor_of
from job.read.source import Source, files_at, look
from job.report.confidence_bins import confidence_of
from job.report.estimate import estimate_in_words
from job.report.notebook import framed
from job.report.page import render
from job.report.promise import Promise
from job.score.counted_part import check_part
from job.score.documents import Gathered, held_out_of, training_of
from job.score.engine import ThreadEngine
from job.score.finished_files import FinishedFiles
from job.score.forms import settle_forms
from job.score.gather import gather, read_report
from job.score.new_inputs import NewInputs
from job.score.observer import Observer, Stage, Stopwatch, timed
from job.score.output import Claim, ClaimState, Output
from job.score.part import PartScorer
from job.score.plan import Part, Plan, make_plan, parts_of_shard
from job.score.promised import promise_of
from job.score.protected import check_model_stays, without_own_output
from job.score.reject_count import RejectCount
from job.score.run_gates import shortfalls
from job.score.warning_log import WarningLog
from job.settings import ScoreSettings
from job.storage import Storage

_log = logging.getLogger(__name__)

# Of the results that --overwrite removes: in the log's text, and in its JSON.
_SHOWN: Final = 5
_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    output: the folder. report: the content of report.json; None if parts are missing, and if there is nothing new: then
    nothing was written. was_done: the run had finished before, or there is nothing new. rows: scored by this process.
    missing: the number of parts that other shards have yet to commit. gathered: the counts behind the report, where
    this process has written it.
    """

    output: str
    report: Report | None = field(repr=False)
    was_done: bool
    rows: int
    seconds: float
    missing: int = 0
    gathered: Gathered | None = field(default=None, repr=False, compare=False)

    def _repr_html_(self) -> str | None:
        """The report's page, for a notebook; None if there is no report yet, so that the notebook shows text."""
        return None if self.report is None else framed(render(self.report), f"Report of {self.output}")


def run(settings: ScoreSettings, storage: Storage, observer: Observer, warnings: WarningLog | None = None) -> RunResult:
    """Score all inputs of `settings`. Resumes an unfinished run; does nothing if the run has already finished.

    warnings: shared by runs over the same inputs, so that each warning is logged once. `storage.check_stop` stops the
    run. Whatever error of `job.errors` ends it, committed parts stay and no file is half-written. Raises RunFellShort,
    with the result, if the output does not pass the gates.
    """
    started, clock, watch = datetime.now(UTC), time.monotonic(), Stopwatch()
    bundle, predictor = _open_model(storage, settings)
    output = Output(storage, settings.output)
    check_model_stays(storage, settings, output)
    promise = promise_of(storage, settings, bundle)
    _log_promise(promise)
    sources, settings = _new(storage, settings, output, _sources(storage, settings, output))
    if not sources:
        return RunResult(output.folder, None, was_done=True, rows=0, seconds=time.monotonic() - clock)
    forms = settle_forms(sources, storage, settings, bundle, predictor)
    claim = _claim(output, make_plan(sources, settings, bundle.digest, forms, promise), settings, bundle)
    if claim.state is ClaimState.DONE:
        _look_again(storage, claim, settings)
    committed, damaged = _committed_parts(storage, claim)
    # Of a shard also the damaged ones of others, which may have ended.
    wanted = {*parts_of_shard(claim.plan.parts, settings.shard)} - committed | damaged
    parts = [part for part in claim.plan.parts if part in wanted]
    observer.planned(claim.plan, parts, claim.plan.bytes_of(parts))
    watch.lap(Stage.PLAN)
    watch.report_to(observer)
    _log_state(claim, len(committed))
    engine = ThreadEngine(storage.check_stop)
    report, gathered, missing, warnings = None, None, 0, warnings or WarningLog()
    try:
        if claim.state is not ClaimState.DONE:
            scorer = PartScorer(
                storage.stopping(engine.check_stop),
                claim.commit,
                predictor,
                settings,
                observer,
                warnings,
                RejectCount(settings.max_rejects),
                promise.accepted_from if promise else None,
            )
            engine.score(scorer, claim.plan, parts, claim.output, settings.threads)
            missing = len(claim.missing_parts(settings.shard))
            if not missing:
                timings = _timings(started, time.monotonic() - clock, engine.rows)
                with timed(observer, Stage.GATHER):
                    report, gathered = gather(storage, claim, settings, bundle, timings, promise)
    except InputChanged:
        # The committed parts match no input any more, so that the next run would need --overwrite. A shard leaves them:
        # the others have ended well by now and would not score their parts of a new plan.
        if settings.shard is None:
            claim.give_up()
        raise
    except (StorageError, InternalError):
        if not _has_finished_elsewhere(claim):
            raise
        claim.remove_parts()
    if report is None and not missing:
        report = read_report(storage, claim.output, settings.max_rejects)
    is_done = claim.state is ClaimState.DONE
    result = RunResult(claim.output.folder, report, is_done, engine.rows, time.monotonic() - clock, missing, gathered)
    _judge(result, settings, warnings)
    return result


def _judge(result: RunResult, settings: ScoreSettings, warnings: WarningLog) -> None:
    """Log the warnings of a run whose report it has written. Raises RunFellShort if it does not pass the gates."""
    if result.report is None:
        return
    if not result.was_done:
        warnings.finish(result.report)
        if found := estimate_in_words(result.report):
            _log.info("%s: accuracy %s", result.output, found)
    if short := shortfalls(result.report, settings.gates):
        raise RunFellShort(f"{result.output}: {'; '.join(short)}", result)


def _open_model(storage: Storage, settings: ScoreSettings) -> tuple[Bundle, Predictor]:
    """The verified model. Raises ModelInvalid, also if its card has distributions that gather could not read."""
    bundle = open_bundle(storage, settings.model, allows_unblessed=settings.allows_unblessed)
    predictor = predictor_of(bundle, storage.check_stop)
    bundle.check(predictor)
    training_of(bundle)
    held_out_of(bundle)
    return bundle, predictor


def _claim(output: Output, plan: Plan, settings: ScoreSettings, bundle: Bundle) -> Claim:
    output.check_lengths(plan)
    claim = output.claim(plan, settings.part_bytes, arithmetic_of(bundle), is_overwriting=settings.is_overwriting)
    _log_removed(claim)
    return claim


def _log_promise(promise: Promise | None) -> None:
    if promise is not None:
        threshold, limit = confidence_of(promise.threshold.doubt), promise.max_error
        extra = event(Event.PROMISED, max_error=limit, threshold=threshold, calibration=promise.source)
        text = "rows with a confidence of %.6f or more are accepted, by %s; the others are sent to review"
        _log.info(text, threshold, promise.source, extra=extra)


def _log_removed(claim: Claim) -> None:
    folder, removed = claim.output.folder, claim.removed
    if not removed:
        return
    shown = ", ".join(removed[:_SHOWN]) + (f" and {len(removed) - _SHOWN:,} more" if len(removed) > _SHOWN else "")
    replaced = event(Event.REPLACED, output=folder, files=len(removed), removed=removed[:_LISTED])
    _log.info("%s: removed %d results of another run: %s", folder, len(removed), shown, extra=replaced)
    for path in removed:
        _log.debug("removed %s", claim.output.path(path))


def _look_again(storage: Storage, claim: Claim, settings: ScoreSettings) -> None:
    """Score a finished run again of which files are missing. Raises OutputOccupied if files were changed.

    With --overwrite, changed files are scored again, too. A shard would remove what another commits, and refuses.
    """
    output = claim.output
    damage = FinishedFiles(storage, output, claim.plan.fingerprint, settings.is_verifying).damage()
    if not damage.missing and not damage.changed:
        return
    output.clearing.refuse_edited()
    if (damage.changed and not settings.is_overwriting) or settings.shard:
        how = f"empty the folder, or leave {Flag.SHARD_COUNT} out" if settings.shard else f"add {Flag.OVERWRITE}"
        raise OutputOccupied(f"{output.folder}: holds this run finished, but {damage}; to score it again, {how}")
    extra = event(Event.OUTPUT_DAMAGED, output=output.folder, damage=str(damage))
    _log.warning("%s: the run had finished, but %s; scoring it again", output.folder, damage, extra=extra)
    claim.begin_again()


def _sources(storage: Storage, settings: ScoreSettings, output: Output) -> list[Source]:
    files = without_own_output(storage, settings, output, files_at(storage, settings.inputs, output.holds))
    if not files:
        raise NoInput(f"{', '.join(settings.inputs)}: holds nothing but this job's own output")
    return look(storage, files, settings.read)


def _new(
    storage: Storage, settings: ScoreSettings, output: Output, sources: list[Source]
) -> tuple[list[Source], ScoreSettings]:
    """The sources that this run scores, none if earlier runs have scored all; and settings that name just these."""
    if not settings.skip_done:
        return sources, settings
    chosen = NewInputs(storage, output, settings.skip_done).choose(sources, settings.shard)
    # So that the command in the report repeats the run.
    return chosen, replace(settings, inputs=tuple(each.file.path for each in chosen))


def _committed_parts(storage: Storage, claim: Claim) -> tuple[set[Part], set[Part]]:
    """The parts that need not be scored, all if the run has finished, which removed their files; and damaged ones."""
    if claim.state is ClaimState.DONE:
        return {*claim.plan.parts}, set()
    whole, damaged = set(), set()
    for part in claim.output.committed(claim.plan):
        file = claim.output.part_file(claim.plan, part)
        try:
            check_part(storage, file)
            whole.add(part)
        except PartDamaged as error:
            damaged.add(part)
            extra = event(Event.OUTPUT_DAMAGED, output=claim.output.folder, damage=str(error))
            _log.warning("%s: was changed or damaged; scoring it again", file.path, extra=extra)
        except StorageError:
            # An identical run that has finished meanwhile removes the parts.
            if storage.stat(file.path) is not None:
                raise
    return whole, damaged


def _log_state(claim: Claim, committed: int) -> None:
    folder, parts = claim.output.folder, len(claim.plan.parts)
    if claim.state is ClaimState.DONE:
        done = event(Event.ALREADY_DONE, output=folder)
        _log.info("%s: already scored: same inputs, model and settings", folder, extra=done)
    elif claim.state is ClaimState.RESUME:
        resumed = event(Event.RESUMED, output=folder, parts_there=committed, parts=parts)
        _log.info("%s: resuming, %d of %d parts are there", folder, committed, parts, extra=resumed)


def _timings(started: datetime, seconds: float, rows: int) -> Timings:
    return {"started": started.isoformat(), "score_seconds": round(seconds, 3), "scored_rows": rows}


def _has_finished_elsewhere(claim: Claim) -> bool:
    """Whether this run failed because an identical one finished first and removed the parts.

    Raises OutputOccupied if it failed because another run has claimed the folder.
    """
    if claim.is_finished():
        return True
    with suppress(StorageError):  # the error at hand is the one to report
        claim.check()
    return False
