"""The scoring stage: model and inputs -> plan -> claim -> parts, scored by the local engine -> gather."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from job.documents.report_json import Report
from job.errors import InputChanged, InternalError, NoInput, StorageError
from job.log import Event, event
from job.model.bundle import Bundle, Predictor, open_bundle, predictor_of
from job.read.source import Source, files_at, look
from job.score.documents import training_of
from job.score.engine import ThreadEngine, bytes_of
from job.score.gather import gather, read_report
from job.score.observer import Observer, Stage, Stopwatch
from job.score.output import Claim, ClaimState, Output
from job.score.part import PartScorer
from job.score.plan import Part, make_plan, share
from job.settings import ScoreSettings, Shard
from job.storage import Storage

if TYPE_CHECKING:
    from job.documents.manifest_json import Timings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    output: the folder. report: the content of report.json; None if parts are missing. rows: scored by this very
    process. missing: how many parts other shards have still to commit.
    """

    output: str
    report: Report | None
    was_done: bool
    rows: int
    seconds: float
    missing: int = 0


def run(settings: ScoreSettings, storage: Storage, observer: Observer) -> RunResult:
    """Score everything that `settings` names; resume an unfinished run, do nothing for a finished one.

    `storage.check_stop` stops the run. Whatever of job.errors it raises, committed parts stay and nothing half-written
    does.
    """
    started, clock, watch = datetime.now(UTC), time.monotonic(), Stopwatch()
    bundle, predictor = _open_model(storage, settings)
    output = Output(storage, settings.output)
    plan = make_plan(_look_at_inputs(storage, settings, output), settings, bundle.digest)
    claim = output.claim(plan, settings.part_bytes, is_overwriting=settings.is_overwriting)
    parts, committed = _parts_to_score(claim, settings.shard)
    observer.planned(plan, parts, bytes_of(plan, parts))
    watch.lap(Stage.PLAN)
    watch.tell(observer)
    engine = ThreadEngine(storage.check_stop)

    def result(report: Report | None, *, was_done: bool = False, missing: int = 0) -> RunResult:
        return RunResult(output.folder, report, was_done, engine.rows, time.monotonic() - clock, missing)

    if claim.state is ClaimState.DONE:
        done = event(Event.ALREADY_DONE, output=output.folder)
        _log.info("%s: already scored: same inputs, model and settings", output.folder, extra=done)
        return result(read_report(storage, output, settings), was_done=True)
    if claim.state is ClaimState.RESUME:
        resumed = event(Event.RESUMED, output=output.folder, parts_there=committed, parts=len(plan.parts))
        _log.info("%s: resuming, %d of %d parts are there", output.folder, committed, len(plan.parts), extra=resumed)
    scorer = PartScorer(storage.stopping(engine.check_stop), claim.commit, predictor, settings, observer)
    try:
        engine.score(scorer, plan, parts, output, settings.threads)
        if missing := claim.missing_parts(settings.shard):
            return result(None, missing=len(missing))
        score_seconds = round(time.monotonic() - clock, 3)
        with _gathering(observer):
            timings = {"started": started.isoformat(), "score_seconds": score_seconds, "scored_rows": engine.rows}
            report = gather(storage, claim, settings, bundle, cast("Timings", timings))
    except InputChanged:
        # No input matches the committed parts any more; the next run would need --overwrite to pass them. A shard
        # leaves them: others have ended well by now, and would not score their share of a new plan.
        if settings.shard is None:
            claim.tidy()
        raise
    except (StorageError, InternalError):
        # An identical run beside this one may have finished first and removed the parts; or one that overwrites.
        if not claim.is_finished():
            with suppress(StorageError):  # the first error is the one to report
                claim.check()
            raise
        claim.tidy()
        report = read_report(storage, output, settings)
    return result(report)


def _open_model(storage: Storage, settings: ScoreSettings) -> tuple[Bundle, Predictor]:
    """The verified model. Raises ModelInvalid, also for a card whose distributions gather could not read."""
    bundle = open_bundle(storage, settings.model, allows_unblessed=settings.allows_unblessed)
    predictor = predictor_of(bundle)
    bundle.check(predictor)
    training_of(bundle)
    return bundle, predictor


def _look_at_inputs(storage: Storage, settings: ScoreSettings, output: Output) -> list[Source]:
    files = [file for file in files_at(storage, settings.inputs) if not output.holds(file.path)]
    if not files:
        raise NoInput(f"{', '.join(settings.inputs)}: holds nothing but this job's own output")
    return look(storage, files, settings.read)


def _parts_to_score(claim: Claim, shard: Shard | None) -> tuple[list[Part], int]:
    """The process's parts that are not committed yet; and how many of the run's parts are."""
    if claim.state is ClaimState.DONE:
        return [], len(claim.plan.parts)
    committed = {*claim.output.committed(claim.plan)}
    return [part for part in share(claim.plan.parts, shard) if part not in committed], len(committed)


@contextmanager
def _gathering(observer: Observer) -> Iterator[None]:
    """Report how long the block takes, however it ends."""
    watch = Stopwatch()
    try:
        yield
    finally:
        watch.lap(Stage.GATHER)
        watch.tell(observer)
