"""The rows that a file announces, compared with the bytes that it has before anything is done with them.

Runs of one value and columns without values take next to no bytes, so that a small file can announce any number of rows
and even hold them. Formats call `check_announced_rows` as soon as they know the groups of a file.
"""

from collections.abc import Sequence
from typing import Final

from job.errors import DataError
from job.storage import FileInfo

# Digits that differ take some 50 bytes a row, and 784 columns of zeros more than a byte, as pyarrow writes them.
_ROWS_PER_BYTE: Final = 64
# The same image a million times, in one column with a dictionary, takes 2 kB.
_ALWAYS_ROWS: Final = 1 << 22


def check_announced_rows(file: FileInfo, group_rows: Sequence[int]) -> None:
    """Raise DataError if a file has groups of fewer than no rows, or more rows than its bytes can hold."""
    if any(rows < 0 for rows in group_rows):
        raise DataError(f"{file.path}: announces a negative number of rows")
    rows, most = sum(group_rows), _ALWAYS_ROWS + _ROWS_PER_BYTE * file.size
    if rows > most:
        raise DataError(
            f"{file.path}: announces {rows:,} rows, but a file of {file.size:,} bytes holds at most {most:,}"
        )
