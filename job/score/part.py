"""One part, from reading to commit. Everything that can fail while scoring fails in here, and leaves nothing behind."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from job.contract import NO_PREDICTION, PixelBatch, ScoredBatch, prediction_schema
from job.errors import DataError, InternalError
from job.log import Event, event
from job.model.bundle import Predictor
from job.read.checks import FirstRows, input_warnings, read_first_rows
from job.read.source import Source
from job.report import appearance
from job.report.appearance import Appearance
from job.report.examples import Collector
from job.report.tally import Tally
from job.score.observer import Observer, Stage, Stopwatch
from job.score.plan import Part
from job.settings import ScoreSettings
from job.storage import Storage, check_unchanged
from job.write.part_file import PartSummary, PartWriter
from job.write.predictions import prediction_rows

_log = logging.getLogger(__name__)

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class PartScorer:
    """Scores parts of a run, one call per part, from any thread.

    commit: opens the file that a part is written to, see `Output.commit`. observer: told of each batch, and of the
    seconds that went into a part.
    """

    storage: Storage
    commit: Callable[[str], AbstractContextManager[BinaryIO]]
    predictor: Predictor
    settings: ScoreSettings
    observer: Observer

    def score(self, part: Part, source: Source, path: str) -> int:
        """Score a part of a source and commit it at `path`; how many rows that were."""
        watch = Stopwatch()
        try:
            rows = self._score(part, source, path, watch)
        finally:
            watch.lap(Stage.WRITE)
            watch.tell(self.observer)
        self.observer.committed(part)
        return rows

    def _score(self, part: Part, source: Source, path: str, watch: Stopwatch) -> int:
        schema = prediction_schema(
            has_labels=source.has_labels,
            with_probabilities=self.settings.has_probabilities,
            passthrough=source.passthrough_schema,
        )
        tally, looks, lines = Tally.zero(), Appearance.zero(), 0
        head, collector = FirstRows(), Collector()
        appearance.prepare()
        with self.commit(path) as file:
            writer = PartWriter(file, schema)
            for batch in self._batches(part, source):
                watch.lap(Stage.READ)
                if part.is_first:
                    head.add(batch)
                scored = predict(batch, self.predictor)
                watch.lap(Stage.PREDICT)
                rows = prediction_rows(scored, with_probabilities=self.settings.has_probabilities)
                writer.write(rows, tuple(reject.shifted(tally.read, lines) for reject in batch.rejects))
                counted = Tally.of(scored)
                collector.add(scored, batch.pixels)
                looks += Appearance.of(batch.pixels, counted.rejected)
                tally, lines = tally + counted, lines + batch.lines
                self.observer.advanced(counted.read, counted.rejected, batch.size_bytes)
                self.storage.check_stop()
                watch.lap(Stage.WRITE)
            watch.lap(Stage.READ)
            if tally.read != tally.scored + tally.rejected:
                raise InternalError(
                    f"{path}: {tally.read} records read, {tally.scored} scored, {tally.rejected} rejected"
                )
            self._check_unchanged(source)
            warnings = self._warnings(part, source, head) if part.is_first else []
            summary = PartSummary(tally.read, lines, tally.to_json(), looks.to_json(), warnings)
            writer.finish(summary, collector.examples().to_bytes())
        return tally.read

    def _batches(self, part: Part, source: Source) -> Iterator[PixelBatch]:
        try:
            yield from source.read(self.storage, part.span, self.settings.block_rows)
        except (DataError, InternalError):
            # A file that is written to while it is read looks damaged, and is not.
            self._check_unchanged(source)
            raise

    def _check_unchanged(self, source: Source) -> None:
        for file in source.files:
            check_unchanged(self.storage, file)

    def _warnings(self, part: Part, source: Source, head: FirstRows) -> list[str]:
        """What is odd about the input's first records, however few of them its first part holds."""
        if not head.is_full and not part.is_last:
            head = read_first_rows(source, self.storage)
        found = input_warnings(head.pixels, head.labels)
        for each in found:
            told = event(Event.INPUT_WARNING, path=source.file.path, warning=each)
            _log.warning("%s: %s", source.file.path, each, extra=told)
        return found


def predict(batch: PixelBatch, predictor: Predictor) -> ScoredBatch:
    """Run the network on a batch; rejected records get no prediction.

    Probabilities are rounded to six decimals, more than which a float32 network does not mean.
    """
    raw = predictor.predict(batch.pixels)
    predictions = raw.argmax(axis=1).astype(np.int8)
    probabilities = np.round(raw, _DECIMALS)
    rejected = [reject.row for reject in batch.rejects if reject.reason.is_fatal]
    predictions[rejected] = NO_PREDICTION
    probabilities[rejected] = 0
    return ScoredBatch(predictions, probabilities, batch.labels, batch.rejects, batch.passthrough)
