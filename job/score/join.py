"""The committed parts of one input -> its prediction file and, if records were rejected, its reject file."""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from typing import BinaryIO, Final

from job.contract import MAX_LISTED, Reject
from job.documents.report_json import RejectExample
from job.errors import InternalError
from job.score.input_parts import InputParts
from job.score.output_files import OutputFiles
from job.score.plan import Input
from job.settings import ScoreSettings
from job.write.predictions import CsvPredictions, KagglePredictions, ParquetPredictions, PredictionWriter, reject_line

_EXAMPLES_PER_REASON: Final = 3


def join(target: Input, parts: InputParts, files: OutputFiles, settings: ScoreSettings) -> list[RejectExample]:
    """Write the final files of one input; returns the first rejects of each reason, in row order.

    The reject file lists the first MAX_LISTED.

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
