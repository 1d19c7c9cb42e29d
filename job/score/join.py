"""One input's committed parts, in order -> its prediction file and, where records were rejected, its reject file."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa

from job.contract import Reject, prediction_schema
from job.errors import InternalError
from job.score.output import Output
from job.score.plan import Input
from job.settings import ScoreSettings
from job.storage import Storage
from job.write.part_file import PartSummary, opened_part
from job.write.predictions import CsvPredictions, KagglePredictions, ParquetPredictions, PredictionWriter, reject_line

_EXAMPLES_PER_REASON: Final = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the output, as the manifest lists it; `path` is relative to the output folder."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining an input's parts gave: the files, and the first rejects of each reason, as the report has them."""

    files: list[Written]
    rejects: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Joiner:
    """Joins the parts of a run's inputs."""

    storage: Storage
    output: Output
    settings: ScoreSettings

    def join(self, each: Input, parts: Sequence[tuple[str, PartSummary]]) -> Joined:
        """Write one input's files from its parts: their paths, in order, and summaries.

        Raises InternalError, and writes nothing, where the parts do not hold the rows that were counted.
        """
        joined = Joined([], [])
        has_rejects = any(sum(summary.tally["reasons"]) for _, summary in parts)
        written = 0
        with ExitStack() as stack:
            # The reject file is entered first and so committed last: whoever sees it can see the predictions.
            rejects = stack.enter_context(self.written(each.rejects, joined.files)) if has_rejects else None
            predictions = stack.enter_context(self.written(each.predictions, joined.files))
            writer = stack.enter_context(closing(self._writer(predictions, each)))
            for rows, found in self._rows_in_order(parts):
                self.storage.check_stop()
                writer.write(rows)
                written += rows.num_rows
                if rejects:
                    joined.rejects[:] = first_of_each_reason([*joined.rejects, *(_example(each, one) for one in found)])
                    rejects.write(b"".join(reject_line(each.path, reject) for reject in found))
            counted = sum(summary.rows for _, summary in parts)
            if written != counted:
                raise InternalError(f"{each.path}: {written} rows in its parts, where {counted} were counted")
        return joined

    @contextmanager
    def written(self, path: str, files: list[Written]) -> Iterator[BinaryIO]:
        """A file of the output to write; once it is committed, its digest is added to `files`."""
        with self.output.commit(self.output.path(path)) as file:
            hashed = _Hashed(file)
            yield cast("BinaryIO", hashed)
        files.append(Written(path, hashed.bytes, hashed.hash.hexdigest()))

    def _writer(self, file: BinaryIO, each: Input) -> PredictionWriter:
        schema = prediction_schema(
            has_labels=each.source.has_labels,
            with_probabilities=self.settings.has_probabilities,
            passthrough=each.source.passthrough_schema,
        )
        if self.settings.format == "kaggle":
            return KagglePredictions(file)
        is_parquet = each.predictions.endswith(".parquet")
        return ParquetPredictions(file, schema) if is_parquet else CsvPredictions(file, schema)

    def _rows_in_order(self, parts: Sequence[tuple[str, PartSummary]]) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """Rows part after part, with rejects counted from the file's beginning."""
        rows_before = lines_before = 0
        for path, summary in parts:
            with opened_part(self.storage, path) as part:
                for rows, rejects in part.batches():
                    yield rows, [reject.shifted(rows_before, lines_before) for reject in rejects]
            rows_before += summary.rows
            lines_before += summary.lines


class _Hashed:
    """A file being written, with the size and digest of what has been."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.bytes = 0

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        self.bytes += memoryview(content).nbytes
        return self._file.write(content)


def first_of_each_reason(rejects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first three of each reason among the report's examples of rejects, in the order given."""
    seen: Counter[str] = Counter()
    first = []
    for each in rejects:
        seen[each["reason"]] += 1
        if seen[each["reason"]] <= _EXAMPLES_PER_REASON:
            first.append(each)
    return first


def _example(each: Input, reject: Reject) -> dict[str, Any]:
    """A reject as the report shows it."""
    return {
        "path": each.path,
        "row": reject.row,
        "line": reject.line,
        "reason": reject.reason.value,
        "detail": reject.detail,
    }
