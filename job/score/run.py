"""A scoring run with the local engine: threads of this process, each taking whole parts."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from job.errors import InputChanged, InternalError, NoInput, StorageError
from job.log import Event, event
from job.model.bundle import open_bundle, predictor_of
from job.read.source import files_at, look
from job.score.documents import training_of
from job.score.engine import ThreadEngine, bytes_of
from job.score.gather import gather, read_report
from job.score.observer import Observer, Stage, Stopwatch
from job.score.output import ClaimState, Output
from job.score.part import PartScorer
from job.score.plan import make_plan, share
from job.settings import ScoreSettings
from job.storage import Storage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    output: the folder. report: the content of report.json; empty where parts are missing. rows: scored by this very
    process, not before it. missing: how many parts other shards have still to commit.
    """

    output: str
    report: dict[str, Any]
    was_done: bool
    rows: int
    seconds: float
    missing: int = 0


def run(settings: ScoreSettings, storage: Storage, observer: Observer) -> RunResult:
    """Score everything `settings` names; resume or do nothing where that was done before.

    observer: told what is being done. `storage.check_stop` stops the run.
    """
    started, clock, watch = datetime.now(UTC), time.monotonic(), Stopwatch()
    bundle = open_bundle(storage, settings.model, allows_unblessed=settings.allows_unblessed)
    predictor = predictor_of(bundle)
    bundle.check(predictor)
    training_of(bundle)  # a card that cannot be read is refused before any work
    output = Output(storage, settings.output)
    files = [file for file in files_at(storage, settings.inputs) if not output.holds(file.path)]
    if not files:
        raise NoInput(f"{', '.join(settings.inputs)}: holds nothing but this job's own output")
    sources = look(storage, files, settings.read)
    plan = make_plan(sources, settings, bundle.digest)
    claim = output.claim(plan, settings.part_bytes, is_overwriting=settings.is_overwriting)
    committed = {*(plan.parts if claim.state is ClaimState.DONE else output.committed(plan))}
    parts = [part for part in share(plan.parts, settings.shard) if part not in committed]
    observer.planned(plan, parts, bytes_of(plan, parts))
    watch.lap(Stage.PLAN)
    watch.tell(observer)
    if claim.state is ClaimState.DONE:
        told = event(Event.ALREADY_DONE, output=output.folder)
        _log.info("%s: already scored: same inputs, model and settings", output.folder, extra=told)
        report = read_report(storage, output, settings)
        return RunResult(output.folder, report, was_done=True, rows=0, seconds=time.monotonic() - clock)

    engine = ThreadEngine(storage.check_stop)
    scorer = PartScorer(storage.stopping(engine.check_stop), claim.commit, predictor, settings, observer)
    if claim.state is ClaimState.RESUME:
        told = event(Event.RESUMED, output=output.folder, parts_there=len(committed), parts=len(plan.parts))
        _log.info("%s: resuming, %d of %d parts are there", output.folder, len(committed), len(plan.parts), extra=told)
    try:
        engine.score(scorer, plan, parts, output, settings.threads)
        if missing := claim.missing_parts(settings.shard):
            seconds = time.monotonic() - clock
            return RunResult(output.folder, {}, was_done=False, rows=engine.rows, seconds=seconds, missing=len(missing))
        timings = {
            "started": started.isoformat(),
            "score_seconds": round(time.monotonic() - clock, 3),
            "scored_rows": engine.rows,
        }
        with _gathering(observer):
            report = gather(storage, claim, settings, bundle, timings)
    except InputChanged:
        # What was committed is of no input that there is; in the way of the next run it would need --overwrite. Of a
        # shard, it is to be in the way: others have ended well by now, and would not score their share of a new plan.
        if settings.shard is None:
            claim.tidy()
        raise
    except (StorageError, InternalError):
        # An identical run beside this one may have finished first and tidied the parts away; or one that overwrites.
        if not claim.is_finished():
            with suppress(StorageError):  # the first error is the one to tell
                claim.check()
            raise
        claim.tidy()
        report = read_report(storage, output, settings)
    return RunResult(output.folder, report, was_done=False, rows=engine.rows, seconds=time.monotonic() - clock)


@contextmanager
def _gathering(observer: Observer) -> Iterator[None]:
    """Tell how long the block takes, however it ends."""
    watch = Stopwatch()
    try:
        yield
    finally:
        watch.lap(Stage.GATHER)
        watch.tell(observer)
