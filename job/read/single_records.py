"""Single records of a file by their row numbers, reading no more of the file than its format demands.

Whole ranges of a `Source` before a record are skipped where the format counts their records; of CSV and of compressed
files, what precedes a record is read and forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from job.contract import PixelBatch
from job.errors import UsageError
from job.flag_names import Flag
from job.read.source import Source
from job.settings import DEFAULT_PART_BYTES
from job.storage import Storage

_BLOCK_ROWS: Final = 1024


@dataclass(frozen=True, slots=True)
class SingleRecord:
    """One record. row: from 0, within its file. batch: of this record alone; the line of a reject is the file's."""

    row: int
    batch: PixelBatch


def read_records(source: Source, storage: Storage, rows: Sequence[int]) -> list[SingleRecord]:
    """The records at `rows`, from 0, in that order, read in one pass.

    Raises UsageError, with the number of records, where one is out of range; DataError, StorageError.
    """
    wanted, found = sorted(set(rows)), dict[int, SingleRecord]()
    rows_before = lines_before = 0
    for part_range in source.split(DEFAULT_PART_BYTES):
        rows_in_range = source.rows_in(part_range)
        if rows_in_range is not None and rows_before + rows_in_range <= wanted[len(found)]:
            rows_before += rows_in_range
            continue
        for batch in source.read(storage, part_range, _BLOCK_ROWS):
            while wanted[len(found)] < rows_before + len(batch.pixels):
                row = wanted[len(found)]
                found[row] = SingleRecord(row, _single(batch, row - rows_before, lines_before))
                if len(found) == len(wanted):
                    return [found[each] for each in rows]
            rows_before += len(batch.pixels)
            lines_before += batch.lines
    span = f"has {rows_before:,} records, counted from 0" if rows_before else "has no records"
    raise UsageError(f"{Flag.ROW} {wanted[len(found)]}: {source.file.path} {span}")


def _single(batch: PixelBatch, row: int, lines_before: int) -> PixelBatch:
    """One record of a batch, which `lines_before` lines of the file precede."""
    return PixelBatch(
        batch.pixels[row : row + 1].copy(),
        None if batch.labels is None else batch.labels[row : row + 1],
        tuple(each.shifted(-row, lines_before) for each in batch.rejects if each.row == row),
        passthrough=None if batch.passthrough is None else batch.passthrough.slice(row, 1),
    )
