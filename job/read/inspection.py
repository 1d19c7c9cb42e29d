"""What the reader makes of an input, from its head alone: what a scoring run would do, without a model or an output."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from job.contract import CLASSES, NO_LABEL
from job.flag_names import Flag
from job.read.checks import FirstRows, input_warnings, read_first_rows
from job.read.csv.csv_source import CsvSource
from job.read.idx import IdxSource
from job.read.packed.compression import Compression
from job.read.packed.stream import opened
from job.read.parquet.parquet_source import ParquetSource
from job.read.source import Source, files_at, look
from job.settings import DEFAULT_PART_BYTES, MIB, ReadSettings
from job.storage import Storage, translated_errors

_SAMPLE_BYTES: Final = 8 * MIB
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Inspection:
    """One input file. facts: what there is to say of it, by name, in order. head: its first records."""

    path: str
    facts: dict[str, str]
    warnings: list[str]
    head: FirstRows


def inspect(storage: Storage, location: str, settings: ReadSettings) -> list[Inspection]:
    """Look at the files that a location names. Raises NoInput, DataError, LayoutError, StorageError."""
    return [_inspection(source, storage, settings) for source in look(storage, files_at(storage, [location]), settings)]


def _inspection(source: Source, storage: Storage, settings: ReadSettings) -> Inspection:
    head = read_first_rows(source, storage)
    warnings = input_warnings(head.pixels, head.labels)
    if head.rejected:
        warnings.insert(0, f"{head.rejected} of the first {head.rows} records would be rejected; scoring lists them")
    facts = {
        "format": _format(source),
        "columns": source.columns_in_words,
        "pixels": f"{_type(source, storage)}, {_scale(source, head, settings)}",
        "labels": _labels(source, head),
        "records": _records(source, storage, head),
        "parts": f"{len(source.spans(DEFAULT_PART_BYTES))} of up to {DEFAULT_PART_BYTES // MIB} MiB",
    }
    return Inspection(source.file.path, facts, warnings, head)


def _format(source: Source) -> str:
    words = {"csv": "CSV", "parquet": "Parquet", "idx": "IDX"}[source.format]
    if isinstance(source, CsvSource):
        words += " with a header" if source.layout.names else " without a header"
    if isinstance(source, CsvSource | IdxSource) and source.compression is not Compression.NONE:
        words += f", packed with {source.compression.value}"
    return f"{words}, {source.file.size:,} bytes"


def _type(source: Source, storage: Storage) -> str:
    if isinstance(source, CsvSource):
        return "text"
    if not isinstance(source, ParquetSource):
        return "uint8"
    with translated_errors(source.file.path), closing(storage.open(source.file.path)) as raw:
        schema: pa.Schema = pq.read_schema(raw)
    return ", ".join(sorted({str(schema.field(name).type) for name in source.columns.pixels}))


def _scale(source: Source, head: FirstRows, settings: ReadSettings) -> str:
    found = head.pixels
    seen = f"highest value in the first {len(found)}: {found.max()} of 255" if len(found) else "none was seen"
    told = ", as the first records show" * (not isinstance(source, IdxSource))
    if settings.scale != "auto":
        told = f" by {Flag.SCALE}"
    return f"taken as 0-{source.scale}{told} ({seen}){', transposed' * settings.is_transposed}"


def _labels(source: Source, head: FirstRows) -> str:
    if not source.has_labels:
        return "none"
    if head.labels is None or not len(head.labels):
        return "none was seen"
    counts = np.bincount(head.labels[head.labels != NO_LABEL], minlength=CLASSES).tolist()
    words = ", ".join(f"{digit}: {count}" for digit, count in enumerate(counts))
    missing = int((head.labels == NO_LABEL).sum())
    beside = f" from {source.labels.name}" if isinstance(source, IdxSource) and source.labels else ""
    return f"of the first {len(head.labels)} records{beside}: {words}" + (f", without: {missing}" if missing else "")


def _records(source: Source, storage: Storage, head: FirstRows) -> str:
    if source.rows is not None:
        return f"{source.rows:,}"
    if not head.is_full:
        return f"{head.rows:,}"
    return f"about {float(f'{_estimated_rows(source, storage):.2g}'):,.0f}"


def _estimated_rows(source: Source, storage: Storage) -> int:
    """How many lines a text file has, if all of it is like its head."""
    with opened(storage, source.file) as file:
        head = _read_up_to(file.stream, _SAMPLE_BYTES)
        packed_bytes = len(head) if file.compression is Compression.NONE else file.raw.tell()
    lines = head.count(b"\n")
    return round(lines * max(1, source.file.size / packed_bytes))


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def in_words(inspection: Inspection) -> Sequence[str]:
    """The facts as lines, their names in a column."""
    width = max(map(len, inspection.facts))
    return [f"  {name.ljust(width)}  {fact}" for name, fact in inspection.facts.items()]
