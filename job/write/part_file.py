"""The file of one part: its predictions, rejects, counts and examples, which are committed together or not at all.

An Arrow IPC file. Each record batch holds prediction rows and, in its metadata, their rejects. The last batch is empty
and holds the part's summary and examples. Rows and lines count from the start of the part, because its position in the
input is only known once all parts before it have been read.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, BinaryIO, Final

import pyarrow as pa

from job.contract import Reason, Reject
from job.documents.parts_json import AppearanceCounts, TallyCounts, UnreadableLabels
from job.errors import InternalError
from job.storage import Storage, is_system_error, translated_errors

_REJECTS: Final = b"rejects"
_SUMMARY: Final = b"summary"
_EXAMPLES: Final = b"examples"


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What gather needs to know about a part before it reads the rows.

    rows: records in the part. lines: lines of text that they span. tally, appearance, labels: counts over the records.
    warnings: about the input, in its first part only.
    """

    rows: int
    lines: int
    tally: TallyCounts
    appearance: AppearanceCounts
    warnings: list[str] = field(default_factory=list)
    labels: UnreadableLabels = field(default_factory=lambda: UnreadableLabels(first=None, texts={}))


class PartWriter:
    """Writes a part batch by batch. A file without `finish` cannot be read back."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pa.ipc.new_file(file, schema)

    def write(self, rows: pa.RecordBatch, rejects: tuple[Reject, ...]) -> None:
        """Append prediction rows and their rejects, whose rows and lines count from the start of the part."""
        content = json.dumps([asdict(reject) for reject in rejects]).encode() if rejects else b"[]"
        self._writer.write_batch(rows, custom_metadata={_REJECTS: content})

    def finish(self, summary: PartSummary, examples: bytes) -> None:
        """Append the summary, the examples (`Examples.to_bytes`) and the footer."""
        empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self._schema], schema=self._schema)
        # Not asdict, which copies every list of counts element by element.
        content = {each.name: getattr(summary, each.name) for each in fields(summary)}
        metadata = {_SUMMARY: json.dumps(content).encode(), _EXAMPLES: examples}
        self._writer.write_batch(empty, custom_metadata=metadata)
        self._writer.close()


class PartReader:
    """Reads a committed part back; made by `open_part`.

    summary: what the writer passed to `finish`. examples: likewise, still as bytes.
    """

    def __init__(self, file: pa.NativeFile, path: str) -> None:
        self._path = path
        with _damage_as_internal_error(path):
            self._reader = pa.ipc.open_file(file)
            _, metadata = self._reader.get_batch_with_custom_metadata(self._reader.num_record_batches - 1)
            self.summary = PartSummary(**json.loads(metadata[_SUMMARY]))
            # Not in the summary: gather keeps the summaries of all parts of an input in memory.
            self.examples: bytes = metadata[_EXAMPLES]

    def batches(self) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """The prediction rows in order, each batch with its rejects. Raises the same errors as `open_part`."""
        for index in range(self._reader.num_record_batches - 1):
            with _damage_as_internal_error(self._path):
                rows, metadata = self._reader.get_batch_with_custom_metadata(index)
                rejects = [_parse_reject(each) for each in json.loads(metadata[_REJECTS])]
            yield rows, rejects


@contextmanager
def open_part(storage: Storage, path: str) -> Iterator[PartReader]:
    """Open a committed part. Raises InternalError if it is damaged, StorageError if it cannot be read."""
    with translated_errors(path), closing(storage.open(path)) as file:
        yield PartReader(file, path)


@contextmanager
def _damage_as_internal_error(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        if is_system_error(error):
            raise
        problem = str(error).partition("\n")[0]
        raise InternalError(f"{path}: is damaged or incomplete ({problem}); delete it and run again") from error


def _parse_reject(content: dict[str, Any]) -> Reject:
    return Reject(**{**content, "reason": Reason(content["reason"])})
