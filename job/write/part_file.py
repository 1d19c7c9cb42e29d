"""One committed part: predictions, rejects, counts and examples in one file, which appear together or not at all.

An Arrow IPC file. Each record batch holds prediction rows and, in its metadata, the rejects among them; the last,
an empty one, holds the part's summary and examples. Rows and lines count from the part's start: where the part begins
in its file is known only once all parts before it are read.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final

import pyarrow as pa

from job.contract import Reason, Reject
from job.errors import InternalError
from job.storage import Storage, is_system_error, translated_errors

_REJECTS: Final = b"rejects"
_SUMMARY: Final = b"summary"
_EXAMPLES: Final = b"examples"


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What gather must know of a part without reading its rows.

    rows: records in the part. lines: lines of text it took. tally, appearance: the counts' JSON forms. warnings: what
    is odd about the input, in the part that it begins with.
    """

    rows: int
    lines: int
    tally: dict[str, Any]
    appearance: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


class PartWriter:
    """Writes a part batch by batch; without `finish` the file is no part."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pa.ipc.new_file(file, schema)

    def write(self, rows: pa.RecordBatch, rejects: tuple[Reject, ...]) -> None:
        """Append prediction rows; `rejects` count their rows and lines from the part's start."""
        content = json.dumps([asdict(reject) for reject in rejects]).encode() if rejects else b"[]"
        self._writer.write_batch(rows, custom_metadata={_REJECTS: content})

    def finish(self, summary: PartSummary, examples: bytes) -> None:
        """Append the summary, the examples as their bytes, and the footer."""
        empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self._schema], schema=self._schema)
        metadata = {_SUMMARY: json.dumps(asdict(summary)).encode(), _EXAMPLES: examples}
        self._writer.write_batch(empty, custom_metadata=metadata)
        self._writer.close()


class PartReader:
    """Reads a committed part back. See `opened_part`."""

    def __init__(self, file: pa.NativeFile, path: str) -> None:
        self._path = path
        with _as_defect(path):
            self._reader = pa.ipc.open_file(file)
            _, metadata = self._reader.get_batch_with_custom_metadata(self._reader.num_record_batches - 1)
            self.summary = PartSummary(**json.loads(metadata[_SUMMARY]))
            # Not in the summary: they are too large to be kept of every part.
            self.examples: bytes = metadata[_EXAMPLES]

    def batches(self) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """The prediction rows in order, each batch with its rejects. Raises as `opened_part` does."""
        for index in range(self._reader.num_record_batches - 1):
            with _as_defect(self._path):
                rows, metadata = self._reader.get_batch_with_custom_metadata(index)
                rejects = [_reject(each) for each in json.loads(metadata[_REJECTS])]
            yield rows, rejects


@contextmanager
def opened_part(storage: Storage, path: str) -> Iterator[PartReader]:
    """Open a committed part. Raises InternalError where it is damaged, StorageError where it cannot be read."""
    with translated_errors(path), closing(storage.open(path)) as file:
        yield PartReader(file, path)


@contextmanager
def _as_defect(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        if is_system_error(error):
            raise
        problem = str(error).partition("\n")[0]
        raise InternalError(f"{path}: is not a whole part ({problem}); remove it and run again") from error


def _reject(content: dict[str, Any]) -> Reject:
    return Reject(**{**content, "reason": Reason(content["reason"])})
