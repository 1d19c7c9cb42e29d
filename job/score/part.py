"""Scores one part, from reading to commit. Whatever fails, nothing of the part is visible."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np

from job.contract import MAX_LISTED, NO_PREDICTION, PixelBatch, Probabilities, Reject, ScoredBatch
from job.errors import DataError, InternalError
from job.model.bundle import Predictor
from job.read.checks import FirstRows, input_warnings, read_first_rows
from job.read.source import Source
from job.report import appearance
from job.report.appearance import Appearance
from job.report.examples import Collector
from job.report.label_census import LabelCensus
from job.report.review_rows import kept_for
from job.report.tally import Tally
from job.score.forms import in_form
from job.score.observer import Observer, Stage, Stopwatch
from job.score.plan import Input, Part
from job.score.reject_count import RejectCount
from job.score.warning_log import WarningLog
from job.settings import ScoreSettings
from job.storage import Storage, check_unchanged, unquoted
from job.write.part_file import PartFile, PartSummary, PartWriter
from job.write.predictions import prediction_rows

if TYPE_CHECKING:
    from job.documents.parts_json import AppearanceCounts, TallyCounts, UnreadableLabels

_PROBABILITY_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class PartScorer:
    """Scores parts of a run, one call per part, from any thread.

    commit: opens the file that a part is written to; see `Claim.commit`. observer: notified of each batch, of the time
    spent on a part, and of its commit. warnings: logs what is odd about an input. rejects: ends the run once there are
    too many. accepted_from: the lowest confidence of rows to accept; None: nothing is decided.
    """

    storage: Storage
    commit: Callable[[str], AbstractContextManager[BinaryIO]]
    predictor: Predictor
    settings: ScoreSettings
    observer: Observer
    warnings: WarningLog = field(default_factory=WarningLog)
    rejects: RejectCount = field(default_factory=RejectCount)
    accepted_from: np.float32 | None = None

    def score(self, part: Part, target: Input, file: PartFile) -> int:
        """Score a part of `target` and commit it as `file`; returns its number of rows.

        Raises InputChanged if the input has changed since it was planned; TooManyRejects, DataError, StorageError,
        Stopped.
        """
        self.rejects.check()
        watch = Stopwatch()
        try:
            rows = self._score(part, target, file, watch)
        finally:
            watch.lap(Stage.WRITE)
            watch.report_to(self.observer)
        self.observer.committed(part)
        return rows

    def _score(self, part: Part, target: Input, file: PartFile, watch: Stopwatch) -> int:
        counts = _PartCounts(collector=Collector(kept_for(self.settings.review.rows)))
        first_rows = FirstRows()
        appearance.prepare()
        with self.commit(file.path) as content:
            writer = PartWriter(content, file.schema, file.identity)
            for batch in self._batches(part, target):
                watch.lap(Stage.READ)
                if part.is_first:
                    first_rows.add(batch)
                scored = predict(batch, self.predictor)
                watch.lap(Stage.PREDICT)
                rows = prediction_rows(
                    scored, with_probabilities=self.settings.has_probabilities, accepted_from=self.accepted_from
                )
                writer.write(rows, counts.in_part(batch.rejects))
                added = counts.add(batch, scored)
                if added.rejected:
                    self.rejects.add(target.path, added.rejected, batch.rejects)
                self.observer.advanced(added.read, added.rejected, batch.size_bytes)
                self.storage.check_stop()
                watch.lap(Stage.WRITE)
            watch.lap(Stage.READ)
            counts.check(file.path)
            self._check_unchanged(target.source)
            warnings = self._warnings(part, target, first_rows) if part.is_first else []
            writer.finish(counts.summary(warnings), counts.collector.examples().to_bytes())
        return counts.tally.read

    def _batches(self, part: Part, target: Input) -> Iterator[PixelBatch]:
        """The part's records, their images in the form that the network knows."""
        source, form = target.source, target.settled.form
        try:
            with unquoted(source.file):
                for batch in source.read(self.storage, part.span, self.settings.block_rows):
                    yield in_form(batch, form)
        except (DataError, InternalError):
            # A file that is being written to looks damaged.
            self._check_unchanged(source)
            raise

    def _check_unchanged(self, source: Source) -> None:
        for file in source.files:
            check_unchanged(self.storage, file)

    def _warnings(self, part: Part, target: Input, first_rows: FirstRows) -> list[str]:
        """Log and return the warnings about the input's first records, some of which may be in later parts."""
        if not first_rows.is_full and not part.is_last:
            first_rows = read_first_rows(target.source, self.storage)
            pixels = target.settled.form.apply(first_rows.pixels)
        else:
            pixels = first_rows.pixels
        decision = target.settled.decision
        warnings = input_warnings(pixels, first_rows.labels, self.settings.read)
        warnings += [] if decision.doubt is None else [decision.doubt]
        for warning in warnings:
            self.warnings.add(target.path, target.source.file.path, warning)
        return warnings


@dataclass(slots=True)
class _PartCounts:
    """What is counted and collected over the batches of a part."""

    collector: Collector
    tally: Tally = field(default_factory=Tally.zero)
    appearance: Appearance = field(default_factory=Appearance.zero)
    labels: LabelCensus = field(default_factory=LabelCensus)
    lines: int = 0
    listed: int = 0

    def in_part(self, rejects: tuple[Reject, ...]) -> tuple[Reject, ...]:
        """The rejects of the next batch, with rows and lines that count from the start of the part.

        Of more than MAX_LISTED the others are only counted.
        """
        listed = rejects[: MAX_LISTED - self.listed]
        self.listed += len(listed)
        return tuple(reject.shortened().shifted(self.tally.read, self.lines) for reject in listed)

    def add(self, batch: PixelBatch, scored: ScoredBatch) -> Tally:
        """Add the next batch; returns its own counts."""
        added = Tally.of(scored)
        self.collector.add(scored, batch.pixels)
        self.appearance += Appearance.of(batch.pixels, added.rejected + added.skipped)
        self.tally += added
        if batch.rejects:
            self.labels += LabelCensus.of(scored)
        self.lines += batch.lines
        return added

    def check(self, path: str) -> None:
        """Raise InternalError unless every record was scored, rejected or skipped."""
        tally = self.tally
        if tally.read != tally.scored + tally.rejected + tally.skipped:
            raise InternalError(
                f"{path}: {tally.read} records read, {tally.scored} scored, {tally.rejected} rejected, "
                f"{tally.skipped} skipped"
            )

    def summary(self, warnings: list[str]) -> PartSummary:
        """For the part's file."""
        return PartSummary(
            self.tally.read,
            self.lines,
            cast("TallyCounts", self.tally.to_json()),
            cast("AppearanceCounts", self.appearance.to_json()),
            warnings,
            cast("UnreadableLabels", self.labels.to_json()),
        )


def predict(batch: PixelBatch, predictor: Predictor) -> ScoredBatch:
    """Run the network on a batch. Rejected records get no prediction."""
    return scored_batch(batch, predictor.predict(batch.pixels))


def scored_batch(batch: PixelBatch, raw: Probabilities) -> ScoredBatch:
    """A batch with the network's probabilities, float32 (n, 10).

    They are rounded to six decimals, which is the precision of a float32 network.
    """
    predictions = raw.argmax(axis=1).astype(np.int8)
    probabilities = np.round(raw, _PROBABILITY_DECIMALS)
    rejected = [reject.row for reject in batch.rejects if reject.reason.is_fatal]
    predictions[rejected] = NO_PREDICTION
    probabilities[rejected] = 0
    return ScoredBatch(predictions, probabilities, batch.labels, batch.rejects, batch.passthrough)
