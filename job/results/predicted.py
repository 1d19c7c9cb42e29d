"""Reads prediction files of every format back as arrays, batch by batch: the reverse of `write.predictions`."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from job.contract import CLASSES, NO_LABEL, NO_PREDICTION, Labels, prediction_schema
from job.errors import DataError
from job.read.arrow import validity, values
from job.settings import MIB
from job.storage import Storage, is_system_error, translated_errors

# Arrow reads 32 blocks ahead, which is 8 MiB.
BATCH_BYTES: Final = MIB // 4
# A block must hold the longest row, and passthrough columns may contain a whole record, which has up to 1 MiB.
_PASSTHROUGH_BATCH_BYTES: Final = 4 * MIB
BATCH_ROWS: Final = 1 << 16
_HEADER_BYTES: Final = 2 * MIB
_COLUMN_BUFFER_BYTES: Final = 1 << 17
_KAGGLE: Final = ["ImageId", "Label"]
# In Arrow's messages: a line of CSV with too few or too many values, a value that is no number.
_QUOTED: Final = re.compile(r"(got \d+|invalid value|parse string)\b.*")
_OWN_NAMES: Final = prediction_schema(has_labels=True, with_probabilities=True, with_decisions=True).names
_TYPES: Final = {"prediction": pa.int8(), "confidence": pa.float32(), "label": pa.int8(), "Label": pa.int8()}


@dataclass(frozen=True, slots=True)
class Predicted:
    """The predictions of a run for n rows of an input.

    predictions, labels: int8 (n,), -1 where there is none. confidences: float32 (n,), 0 where there is none.
    """

    predictions: Labels
    confidences: npt.NDArray[np.float32]
    labels: Labels

    def __len__(self) -> int:
        return len(self.predictions)

    def __getitem__(self, rows: slice) -> "Predicted":
        return Predicted(self.predictions[rows], self.confidences[rows], self.labels[rows])


def predicted(
    storage: Storage, path: str, *, batch_bytes: int = BATCH_BYTES, batch_rows: int = BATCH_ROWS
) -> Iterator[Predicted]:
    """The rows of a prediction file, in order.

    batch_bytes: of a batch of CSV; more if there are passthrough columns. batch_rows: of a batch of Parquet.
    Raises DataError if it is not a prediction file or damaged, StorageError if it cannot be read.
    """
    with translated_errors(path), closing(storage.open(path)) as file:
        try:
            is_parquet = path.endswith(".parquet")
            batches = _parquet_batches(file, batch_rows) if is_parquet else _csv_batches(file, batch_bytes)
            for batch in batches:
                yield _predicted(batch)
        except (pa.ArrowException, OSError, ValueError) as error:
            if is_system_error(error):
                raise
            raise DataError(f"{path}: cannot be read as predictions: {problem_of(error)}") from error


def problem_of(error: Exception) -> str:
    """What an error says is wrong with a file, without what it quotes of the file, which may be anyone's."""
    return _QUOTED.sub(r"\1", str(error).partition("\n")[0])


def _csv_batches(file: pa.NativeFile, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    text = file.read(_HEADER_BYTES).decode(errors="replace")
    file.seek(0)
    header = next(csv.reader(io.StringIO(text, newline="")), [])
    names = _own_columns(header)
    has_passthrough = not {*header} <= {*_KAGGLE, *_OWN_NAMES}
    with pa_csv.open_csv(
        file,
        read_options=pa_csv.ReadOptions(
            use_threads=False, block_size=max(batch_bytes, _PASSTHROUGH_BATCH_BYTES) if has_passthrough else batch_bytes
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=_TYPES, include_columns=names),
    ) as reader:
        yield from reader


def _parquet_batches(file: pa.NativeFile, batch_rows: int) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file, pre_buffer=False, buffer_size=_COLUMN_BUFFER_BYTES) as parquet:
        names = _own_columns(parquet.schema_arrow.names)
        yield from parquet.iter_batches(batch_rows, columns=names, use_threads=False)


def _own_columns(names: list[str]) -> list[str]:
    """The columns to read. A `label` in any other position is a passthrough column. Raises ValueError."""
    if names == _KAGGLE:
        return names[1:]
    if names[:2] != ["prediction", "confidence"]:
        raise ValueError("its first columns are not prediction and confidence")
    return names[: 3 if names[2:3] == ["label"] else 2]


def _predicted(batch: pa.RecordBatch) -> Predicted:
    has_confidences, has_labels = "confidence" in batch.schema.names, "label" in batch.schema.names
    confidences = _column(batch, "confidence", 0) if has_confidences else np.zeros(batch.num_rows, np.float32)
    labels = _digits(batch, "label", NO_LABEL) if has_labels else np.full(batch.num_rows, NO_LABEL, np.int8)
    return Predicted(_digits(batch, "prediction" if has_confidences else "Label", NO_PREDICTION), confidences, labels)


def _digits(batch: pa.RecordBatch, name: str, none: int) -> Labels:
    digits: Labels = _column(batch, name, none)
    if ((digits < none) | (digits >= CLASSES)).any():
        raise ValueError(f"{name} is {digits[(digits < none) | (digits >= CLASSES)][0]}, expected 0 to 9")
    return digits


def _column(batch: pa.RecordBatch, name: str, none: int) -> npt.NDArray[Any]:
    """A column, cast to the type that runs write; `none` where it is null."""
    column = batch.column(name).cast(_TYPES.get(name, pa.int8()))
    is_valid = validity(column)
    return np.where(is_valid, values(column), np.array(none, values(column).dtype))
