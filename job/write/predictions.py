"""Scored batches -> Arrow rows -> the files that users get: predictions as CSV, Parquet or Kaggle's, rejects as JSON.

The bytes of a file depend on its rows alone, never on the batches in which they arrive. Arrow columns are built from
NumPy memory here, because pyarrow's own conversions import pandas if it is installed, which takes longer than a small
run. `part_file` is the format of rows that are not final yet.
"""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from job.contract import NO_LABEL, NO_PREDICTION, Acceptance, Reject, ScoredBatch, prediction_schema
from job.documents.report_json import RejectLine
from job.write.formulas import escape_formulas, escaped_schema

_ROW_GROUP_ROWS: Final = 1 << 16
_CSV_BATCH_ROWS: Final = 1 << 14


def number_column(values: npt.NDArray[Any], is_null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """An Arrow column of numbers, (n,) of any fixed-width dtype, null where `is_null`."""
    validity = None if is_null is None else _bitmap(~is_null)
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [validity, content])


def sparse_text_column(rows: int, texts: Mapping[int, str]) -> pa.Array:
    """An Arrow column of `rows` strings, null but for `texts`, which maps rows in ascending order to strings.

    Source of the memory layout: the Arrow columnar format (validity bitmap, 32-bit offsets, UTF-8).
    """
    if not texts:
        return pa.nulls(rows, pa.string())
    encoded = {row: text.encode() for row, text in texts.items()}
    lengths = np.zeros(rows + 1, np.int32)
    lengths[[row + 1 for row in encoded]] = [len(each) for each in encoded.values()]
    is_valid = np.zeros(rows, np.bool_)
    is_valid[list(encoded)] = True
    buffers = [
        _bitmap(is_valid),
        pa.py_buffer(np.cumsum(lengths, dtype=np.int32)),
        pa.py_buffer(b"".join(encoded.values())),
    ]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


def decision_column(is_accepted: npt.NDArray[np.bool_], is_null: npt.NDArray[np.bool_]) -> pa.Array:
    """An Arrow column of n `Acceptance` texts, null where `is_null`. Both texts have the same length."""
    texts = np.where(is_accepted, Acceptance.ACCEPT.value.encode(), Acceptance.REVIEW.value.encode())
    offsets = np.arange(0, texts.nbytes + 1, texts.itemsize, dtype=np.int32)
    buffers = [_bitmap(~is_null), pa.py_buffer(offsets), pa.py_buffer(texts)]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def _bitmap(is_valid: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(is_valid, bitorder="little"))


def prediction_rows(
    batch: ScoredBatch, *, with_probabilities: bool, accepted_from: np.float32 | None = None
) -> pa.RecordBatch:
    """A scored batch as rows of `prediction_schema`. accepted_from: the lowest confidence of rows to accept."""
    is_rejected = batch.predictions == NO_PREDICTION
    columns = [number_column(batch.predictions, is_rejected), number_column(batch.confidences, is_rejected)]
    if batch.labels is not None:
        columns.append(number_column(batch.labels, batch.labels == NO_LABEL))
    if accepted_from is not None:
        columns.append(decision_column(batch.confidences >= accepted_from, is_rejected))
    reasons = {reject.row: reject.reason.value for reject in batch.rejects}
    columns.append(sparse_text_column(len(batch.predictions), reasons))
    if batch.passthrough is not None:
        columns += batch.passthrough.columns
    if with_probabilities:
        columns += [number_column(each, is_rejected) for each in batch.probabilities.T]
    schema = prediction_schema(
        has_labels=batch.labels is not None,
        with_probabilities=with_probabilities,
        with_decisions=accepted_from is not None,
        passthrough=None if batch.passthrough is None else batch.passthrough.schema,
    )
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class PredictionWriter(Protocol):
    """Writes a prediction file."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what is buffered and the footer, if any. The underlying file stays open."""
        ...


class CsvPredictions:
    """Comma-separated values with a header. Nulls are empty fields. escapes_formulas: see `formulas`."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, *, escapes_formulas: bool = False) -> None:
        self._escaped_schema = escaped_schema(schema) if escapes_formulas else None
        schema = self._escaped_schema or schema
        file.write(",".join(map(_quoted, schema.names)).encode() + b"\n")
        self._writer = _csv_writer(file, schema)

    def write(self, rows: pa.RecordBatch) -> None:
        self._writer.write_batch(escape_formulas(rows, self._escaped_schema) if self._escaped_schema else rows)

    def close(self) -> None:
        self._writer.close()


class KagglePredictions:
    """Kaggle's submission format: `ImageId,Label`. Images count from 1; a rejected record has an empty label."""

    def __init__(self, file: BinaryIO) -> None:
        file.write(b"ImageId,Label\n")
        self._writer = _csv_writer(file, pa.schema([("ImageId", pa.int64()), ("Label", pa.int8())]))
        self._rows = 0

    def write(self, rows: pa.RecordBatch) -> None:
        ids = number_column(np.arange(self._rows + 1, self._rows + rows.num_rows + 1, dtype=np.int64))
        self._rows += rows.num_rows
        self._writer.write_batch(pa.RecordBatch.from_arrays([ids, rows["prediction"]], names=["ImageId", "Label"]))

    def close(self) -> None:
        self._writer.close()


class ParquetPredictions:
    """Parquet with row groups of 65,536 rows."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0

    def write(self, rows: pa.RecordBatch) -> None:
        self._pending.append(rows)
        self._pending_rows += rows.num_rows
        while self._pending_rows >= _ROW_GROUP_ROWS:
            table = pa.Table.from_batches(self._pending)
            self._write_group(table.slice(0, _ROW_GROUP_ROWS))
            self._pending = table.slice(_ROW_GROUP_ROWS).to_batches()
            self._pending_rows -= _ROW_GROUP_ROWS

    def close(self) -> None:
        try:
            if self._pending_rows:
                self._write_group(pa.Table.from_batches(self._pending))
            self._writer.close()
        finally:
            # After an error, pyarrow's finaliser would otherwise write to a file that is closed by then.
            self._writer.is_open = False

    def _write_group(self, table: pa.Table) -> None:
        # Parquet's pages follow Arrow's chunks, so that the bytes would depend on the batches.
        self._writer.write_table(table.combine_chunks(), row_group_size=_ROW_GROUP_ROWS)


def reject_line(file: str, reject: Reject) -> bytes:
    """One line of a rejects file. file: the input's path relative to the folder of all inputs."""
    line = json.dumps(_reject_document(file, reject), ensure_ascii=False)
    return (line if line.isprintable() else "".join(map(_escaped, line))).encode() + b"\n"


def _escaped(character: str) -> str:
    """A character as JSON spells it out if it cannot be seen, such as a mark that reverses the text after it."""
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _reject_document(file: str, reject: Reject) -> RejectLine:
    return {
        "file": file,
        "row": reject.row,
        "byte_offset": reject.byte_offset,
        "line": reject.line,
        "column": reject.column,
        "reason": reject.reason.value,
        "detail": reject.detail,
        "raw": reject.raw,
    }


def _quoted(name: str) -> str:
    """A column name for a CSV header, quoted only where RFC 4180 requires it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"' if any(each in name for each in '",\r\n') else name


def _csv_writer(file: BinaryIO, schema: pa.Schema) -> pa_csv.CSVWriter:
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed", batch_size=_CSV_BATCH_ROWS)
    return pa_csv.CSVWriter(file, schema, write_options=options)
