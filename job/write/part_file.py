"""The file of one part: its predictions, rejects, counts and examples, which are committed together or not at all.

An Arrow IPC file, and behind it a SHA-256 over the part's identity and the file. Each record batch holds prediction
rows and, in its metadata, their rejects. The last batch is empty and holds the part's summary and examples. Rows and
lines count from the start of the part, because its position in the input is only known once all parts before it have
been read.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any, BinaryIO, Final

import pyarrow as pa

from job.contract import Reason, Reject
from job.documents.parts_json import AppearanceCounts, TallyCounts, UnreadableLabels
from job.errors import PartDamaged, StorageError
from job.settings import MIB
from job.storage import Storage, is_system_error, translated_errors
from job.write.hashed_file import HashedFile

_REJECTS: Final = b"rejects"
_SUMMARY: Final = b"summary"
_EXAMPLES: Final = b"examples"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_COUNT_LIMIT: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class PartFile:
    """Where a part is committed, and what is expected there.

    schema: of its prediction rows. identity: of the run and of the part in it, so that no other part has its digest.
    """

    path: str
    schema: pa.Schema
    identity: str


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

    def __init__(self, file: BinaryIO, schema: pa.Schema, identity: str) -> None:
        self._file = file
        self._hashed = HashedFile(file, identity.encode())
        self._schema = schema
        self._writer = pa.ipc.new_file(self._hashed, schema)

    def write(self, rows: pa.RecordBatch, rejects: tuple[Reject, ...]) -> None:
        """Append prediction rows and their rejects, whose rows and lines count from the start of the part."""
        content = json.dumps([asdict(reject) for reject in rejects]).encode() if rejects else b"[]"
        self._writer.write_batch(rows, custom_metadata={_REJECTS: content})

    def finish(self, summary: PartSummary, examples: bytes) -> None:
        """Append the summary, the examples (`Examples.to_bytes`), the footer and the digest."""
        empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self._schema], schema=self._schema)
        # Not asdict, which copies every list of counts element by element.
        content = {each.name: getattr(summary, each.name) for each in fields(summary)}
        metadata = {_SUMMARY: json.dumps(content).encode(), _EXAMPLES: examples}
        self._writer.write_batch(empty, custom_metadata=metadata)
        self._writer.close()
        self._file.write(self._hashed.sha256.digest())


class PartReader:
    """Reads a committed part back; made by `open_part`. Nothing is decoded before the digest is known to match.

    summary: what the writer passed to `finish`. examples: likewise, still as bytes.
    """

    def __init__(self, content: pa.NativeFile, file: PartFile) -> None:
        self._path = file.path
        with part_damage(file.path):
            size = _checked_size(content, file.identity)
            self._reader = pa.ipc.open_file(content, footer_offset=size)
            if not self._reader.schema.equals(file.schema):
                raise ValueError("its columns are not those of this run")
            if not self._reader.num_record_batches:
                raise ValueError("it holds no summary")
            _, metadata = self._reader.get_batch_with_custom_metadata(self._reader.num_record_batches - 1)
            self.summary = _parse_summary(json.loads(metadata[_SUMMARY]))
            # Not in the summary: gather keeps the summaries of all parts of an input in memory.
            self.examples: bytes = metadata[_EXAMPLES]

    def batches(self) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """The prediction rows in order, each batch with its rejects. Raises the same errors as `open_part`."""
        for index in range(self._reader.num_record_batches - 1):
            with part_damage(self._path):
                rows, metadata = self._reader.get_batch_with_custom_metadata(index)
                rows.validate(full=True)
                rejects = [_parse_reject(each, self.summary) for each in json.loads(metadata[_REJECTS])]
            yield rows, rejects


@contextmanager
def open_part(storage: Storage, file: PartFile) -> Iterator[PartReader]:
    """Open a committed part. Raises PartDamaged if it was changed, StorageError if it cannot be read."""
    if storage.stat(file.path) is None:
        raise StorageError(f"{file.path}: is missing, or no regular file; run the same command again")
    with translated_errors(file.path), closing(storage.open(file.path)) as content:
        yield PartReader(content, file)


@contextmanager
def part_damage(path: str) -> Iterator[None]:
    """Turn what reading a part raises into PartDamaged, but for errors of the system."""
    try:
        yield
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        if is_system_error(error):
            raise
        problem = str(error).partition("\n")[0]
        raise PartDamaged(f"{path}: was changed or damaged ({problem}); run the same command again") from error


def _checked_size(content: pa.NativeFile, identity: str) -> int:
    """The size of the part without its digest. Raises ValueError if the digest does not match."""
    size = content.size() - _DIGEST_BYTES
    sha256 = hashlib.sha256(identity.encode())
    for start in range(0, size, MIB):
        sha256.update(content.read_at(min(MIB, size - start), start))
    if size < 0 or content.read_at(_DIGEST_BYTES, size) != sha256.digest():
        raise ValueError("its SHA-256 does not match")
    return int(size)


def _parse_summary(content: Any) -> PartSummary:
    """Raises TypeError, ValueError. The counts inside are checked by `score.counted_part`, which knows them."""
    summary = PartSummary(**content)
    if not (_is_count(summary.rows) and _is_count(summary.lines)):
        raise ValueError("it does not say how many rows it has")
    if not isinstance(summary.warnings, list) or not all(isinstance(each, str) for each in summary.warnings):
        raise ValueError("its warnings are not text")
    return summary


def _parse_reject(content: dict[str, Any], summary: PartSummary) -> Reject:
    """Raises TypeError, LookupError, ValueError."""
    reject = Reject(**{**content, "reason": Reason(content["reason"])})
    texts = (reject.column, reject.raw, reject.label)
    are_texts = isinstance(reject.detail, str) and all(text is None or isinstance(text, str) for text in texts)
    are_counts = all(count is None or _is_count(count) for count in (reject.byte_offset, reject.line))
    if not (are_texts and are_counts and _is_count(reject.row) and reject.row < summary.rows):
        raise ValueError("a reject is not as it was written")
    return reject


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _COUNT_LIMIT
