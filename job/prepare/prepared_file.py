"""The output of `prepare`: a Parquet file with the run's fingerprint in its metadata, or CSV with a column a pixel."""

import json
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import PIXELS
from job.prepare.prepared_part import PIXELS_COLUMN, PreparedCounts, counts_from
from job.storage import Storage, translated_errors
from job.write.predictions import CsvPredictions, ParquetPredictions, PredictionWriter

_FINGERPRINT: Final = b"digit_job.prepared"


def writer_of(
    file: BinaryIO, path: str, schema: pa.Schema, fingerprint: str, counts: PreparedCounts
) -> PredictionWriter:
    """The writer for an output by its name: rows as `prepared_part` makes them."""
    if path.endswith(".csv"):
        return _PixelColumns(file, schema)
    made = json.dumps({"fingerprint": fingerprint, "counts": counts.to_json()})
    return ParquetPredictions(file, schema.with_metadata({_FINGERPRINT: made.encode()}))


def prepared_counts(storage: Storage, path: str, fingerprint: str) -> PreparedCounts | None:
    """The counts of a Parquet file that a run of this fingerprint has written; None for any other or none."""
    if path.endswith(".csv") or storage.stat(path) is None:
        return None
    with translated_errors(path), storage.open(path) as file:
        try:
            metadata = pq.read_metadata(file).metadata or {}
            made = json.loads(metadata.get(_FINGERPRINT, b"{}"))
        except (pa.ArrowException, ValueError):  # another file, which is refused or replaced
            return None
    return counts_from(made["counts"]) if made.get("fingerprint") == fingerprint else None


class _PixelColumns:
    """CSV with the columns pixel0 .. pixel783 in place of the list."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._place = schema.get_field_index(PIXELS_COLUMN)
        pixels = [pa.field(f"pixel{number}", pa.uint8()) for number in range(PIXELS)]
        self._schema = pa.schema([*list(schema)[: self._place], *pixels])
        self._writer = CsvPredictions(file, self._schema)

    def write(self, rows: pa.RecordBatch) -> None:
        column: Any = rows.column(self._place)
        pixels = np.asarray(column.values).reshape(-1, PIXELS).T
        others = rows.columns[: self._place]
        arrays = [*others, *(pa.array(np.ascontiguousarray(each)) for each in pixels)]
        self._writer.write(pa.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
