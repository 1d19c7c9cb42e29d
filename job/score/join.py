"""The committed parts of one input -> its prediction file and, if records were rejected, its reject file."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa

from job.contract import MAX_LISTED, Reject
from job.documents.report_json import RejectExample
from job.errors import InternalError
from job.score.input_parts import InputParts
from job.score.output_files import OutputFiles
from job.score.plan import Input
from job.settings import ScoreSettings
from job.write.predictions import (
    CsvPredictions,
    KagglePredictions,
    ParquetPredictions,
    PredictionWriter,
    number_column,
    reject_line,
)

_EXAMPLES_PER_REASON: Final = 3
_ID: Final = "id"


class RowIds:
    """The ids of some rows of an input, from the passthrough column `id`, or else the first one.

    found: the id as text by row, from 0; a row without one is left out.
    """

    def __init__(self, target: Input, rows: Sequence[int]) -> None:
        names = target.source.passthrough_schema.names
        self._name = _ID if _ID in names else next(iter(names), None)
        self._rows = np.unique(np.array(rows, np.int64))
        self.found: dict[int, str] = {}

    def see(self, rows: pa.RecordBatch, start: int) -> None:
        """Take the ids of the next prediction rows, the first of which is row `start`."""
        first, last = np.searchsorted(self._rows, [start, start + rows.num_rows])
        if self._name is not None and first < last:
            wanted = self._rows[first:last]
            values = rows.column(self._name).take(number_column(wanted - start)).to_pylist()
            self.found |= {
                row: str(each) for row, each in zip(wanted.tolist(), values, strict=True) if each is not None
            }


def join(
    target: Input, parts: InputParts, files: OutputFiles, settings: ScoreSettings, ids: RowIds
) -> list[RejectExample]:
    """Write the final files of one input; returns the first rejects of each reason, in row order.

    The reject file lists the first MAX_LISTED. ids: is shown all rows.

    Raises InternalError, and commits nothing, if the parts hold another number of rows than their summaries say.
    """
    examples: list[RejectExample] = []
    written = listed = 0
    with ExitStack() as stack:
        # Opened first and so committed last: where there is a reject file, there are predictions.
        rejects_file = stack.enter_context(files.commit(target.rejects)) if parts.has_rejects else None
        predictions_file = stack.enter_context(files.commit(target.predictions))
        writer = stack.enter_context(closing(_writer(predictions_file, target, settings)))
        for rows, rejects in parts.batches():
            parts.storage.check_stop()
            writer.write(rows)
            ids.see(rows, written)
            written += rows.num_rows
            if rejects_file:
                listed_now = rejects[: MAX_LISTED - listed]
                listed += len(listed_now)
                rejects_file.write(b"".join(reject_line(target.path, reject) for reject in listed_now))
                examples = first_of_each_reason([*examples, *(_example(target, reject) for reject in rejects)])
        if written != parts.rows:
            raise InternalError(f"{target.path}: {written} rows in its parts, but their summaries say {parts.rows}")
    return examples


def first_of_each_reason(rejects: Iterable[RejectExample]) -> list[RejectExample]:
    """The first three rejects of each reason, in the given order."""
    seen: Counter[str] = Counter()
    first = []
    for each in rejects:
        seen[each["reason"]] += 1
        if seen[each["reason"]] <= _EXAMPLES_PER_REASON:
            first.append(each)
    return first


def _writer(file: BinaryIO, target: Input, settings: ScoreSettings) -> PredictionWriter:
    if settings.format == "kaggle":
        return KagglePredictions(file)
    if target.predictions.endswith(".parquet"):
        return ParquetPredictions(file, target.schema)
    return CsvPredictions(file, target.schema, escapes_formulas=settings.escapes_formulas)


def _example(target: Input, reject: Reject) -> RejectExample:
    return {
        "path": target.path,
        "row": reject.row,
        "line": reject.line,
        "reason": reject.reason.value,
        "detail": reject.detail,
    }
