"""The results of a finished run for a Python program: its documents, and its predictions as Arrow batches.

`finished` checks the folder. `predicted` reads the same files for comparisons, but only the columns these need.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from job.contract import prediction_schema
from job.documents.manifest_json import Manifest
from job.documents.report_json import Report
from job.errors import DataError, NoInput
from job.report.notebook import framed
from job.report.page import render
from job.results.finished import Finished, FinishedInput, open_finished
from job.results.predicted import problem_of
from job.settings import MIB
from job.storage import Storage, is_system_error, translated_errors

# A block must hold the longest row: passthrough columns hold up to 1 MiB of a record.
_BLOCK_BYTES: Final = 4 * MIB
_BATCH_ROWS: Final = 1 << 16
# The header of a file with many long passthrough columns.
_HEADER_BYTES: Final = 2 * MIB
_KAGGLE: Final = pa.schema([("ImageId", pa.int64()), ("Label", pa.int8())])


@dataclass(frozen=True, slots=True)
class Results:
    """A finished run. Made by `job.open_results`."""

    finished: Finished
    storage: Storage

    def __repr__(self) -> str:
        """Folder and headline figures, not the whole documents."""
        rows, accuracy = self.report["rows"], self.report["accuracy"]
        return f"Results(folder={self.folder!r}, inputs={len(self.inputs)}, rows={rows['read']}, accuracy={accuracy})"

    def _repr_html_(self) -> str:
        """The report's page, for a notebook."""
        return framed(render(self.report, self.manifest.get("timings")), f"Report of {self.folder}")

    @classmethod
    def at(cls, storage: Storage, location: str) -> "Results":
        """Open an output folder. Raises NoInput if there is no finished run, DataError if it is damaged."""
        return cls(open_finished(storage, location), storage)

    @property
    def folder(self) -> str:
        """The absolute path of the output folder."""
        return self.finished.folder

    @property
    def report(self) -> Report:
        """The content of report.json."""
        return self.finished.report

    @property
    def manifest(self) -> Manifest:
        """The content of manifest.json."""
        return self.finished.manifest

    @property
    def inputs(self) -> tuple[FinishedInput, ...]:
        """The scored files in order, each with `path` (relative to the folder of all inputs), `size` and `rows`."""
        return self.finished.inputs

    def predictions(self, path: str) -> pa.RecordBatchReader:
        """The predictions of the input with this relative path: one row per record, in the input's order.

        Columns: prediction int8 and confidence float32, null for rejected records; label int8, if the input has
        labels; reject string, the reason; passthrough columns (strings from CSV); p0 to p9 float32, if they were
        asked for. In the Kaggle format: ImageId int64, from 1, and Label int8.

        Raises NoInput if there is no such input, DataError if the file is damaged or was changed, StorageError. While
        it is read, the reader raises the last two as well.
        """
        inputs = {each.path: each for each in self.inputs}
        if path not in inputs:
            shown = ", ".join(list(inputs)[:3])
            raise NoInput(f"{self.folder}: has no input {path!r:.200}; expected one of {len(inputs)}: {shown}")
        file_path = self.finished.checked_path(self.storage, inputs[path].predictions)
        with translated_errors(file_path):
            file = self.storage.open(file_path)
        batches = _batches(
            file, file_path, has_probabilities=bool(self.manifest.get("settings", {}).get("has_probabilities"))
        )
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)


def _batches(file: pa.NativeFile, path: str, *, has_probabilities: bool) -> Iterator[Any]:
    """The schema of a prediction file, then its batches; closes the file at the end."""
    with translated_errors(path), file:
        try:
            is_parquet = path.endswith(".parquet")
            schema, batches = _parquet(file) if is_parquet else _csv(file, has_probabilities=has_probabilities)
            yield schema
            yield from batches
        except (pa.ArrowException, OSError, ValueError) as error:
            if is_system_error(error):
                raise
            raise DataError(f"{path}: cannot be read as predictions: {problem_of(error)}") from error


def _parquet(file: pa.NativeFile) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    parquet = pq.ParquetFile(file)
    return parquet.schema_arrow, parquet.iter_batches(_BATCH_ROWS, use_threads=False)


def _csv(file: pa.NativeFile, *, has_probabilities: bool) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    text = file.read(_HEADER_BYTES).decode(errors="replace")
    file.seek(0)
    names = next(csv.reader(io.StringIO(text, newline="")), [])
    own = prediction_schema(has_labels=names[2:3] == ["label"], with_probabilities=has_probabilities)
    own = _KAGGLE if names == _KAGGLE.names else own
    reader = pa_csv.open_csv(
        file,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: own.field(name).type if name in own.names else pa.string() for name in names},
            # An empty field is null; an empty text is quoted.
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    return reader.schema, reader
