"""How much memory the pages of some columns take, before Arrow allocates as much as their headers announce.

Arrow holds a page and the dictionary of each column that it reads at a time. `page_sizes_kernel` reads the headers,
`footer` says where the columns are. `batch_rows` bounds by the same headers what the values take once decoded.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.compiled.machine_code import kernel
from job.read.parquet.footer import CODEC, DATA_PAGE, DICTIONARY_PAGE, LEAF, PACKED_BYTES, PHYSICAL_TYPE
from job.read.parquet.plain_pages import HEADER_NUMBERS
from job.settings import MIB

# The walk along the pages of a column chunk: the offsets in the file of the next header and of the chunk's end, the
# bytes that a value takes at least, the largest sizes so far, and whether a number cannot be true.
POSITION, END, VALUE_BYTES, PAGE, DICTIONARY, IS_DAMAGED = range(6)
# For `batch_rows`: the chunk's column in the schema and its codec; the offset in the file, the stored size and the
# values of its dictionary; the values of all data pages; of pages that hold their values one after another, the bytes
# of all, the largest, and the most bytes per value; and the largest page whose values may share bytes.
COLUMN, CODEC_OF_CHUNK, DICTIONARY_AT, DICTIONARY_PACKED, DICTIONARY_VALUES, VALUE_COUNT = range(6, 12)
OWN_BYTES, OWN_PAGE, DENSITY, SHARED_PAGE = range(12, 16)
FIELDS: Final = 16

# The fewest bytes of a value by parquet.thrift's Type, from BOOLEAN on; a BYTE_ARRAY begins with its length.
_LEAST_BYTES: Final = np.array([0, 4, 8, 12, 4, 8, 4, 1], np.int64)
# No page begins in the file's magic number.
_MAGIC_BYTES: Final = 4
_MAX_BYTES: Final = 512 * MIB
# Chunks with fewer bytes each are read whole; of longer ones, only the beginning of each page.
_SHORT_CHUNK_BYTES: Final = 16 << 10
_HEAD_BYTES: Final = 4 << 10
# The longest header that Arrow reads.
_MAX_HEAD_BYTES: Final = 16 * MIB


def check_page_sizes(file: pa.NativeFile, entries: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The ends of the walks along columns, int64 (n, FIELDS). entries: what `footer` says of them.

    Raises ArrowInvalid if the columns take too much memory at once.
    """
    walks = _walks(entries, file.size())
    if not len(walks):
        return walks
    start, stop = int(walks[:, POSITION].min()), int(walks[:, END].max())
    if stop - start <= _SHORT_CHUNK_BYTES * len(walks):
        _Measured(walks).go_on(file, start, stop - start)
    for place in np.flatnonzero(walks[:, POSITION] < walks[:, END]).tolist():
        _walk_along(file, walks[place : place + 1])
    sizes = walks[:, PAGE] + walks[:, DICTIONARY]
    if walks[:, IS_DAMAGED].any():
        raise pa.ArrowInvalid("the header of a page announces more bytes or values than there are")
    if sizes.sum() > _MAX_BYTES:
        raise pa.ArrowInvalid(
            f"pages take {int(sizes.sum()) // MIB} MiB of memory at once, more than {_MAX_BYTES // MIB}; write smaller "
            "pages"
        )
    return walks


def _walks(entries: npt.NDArray[np.int64], file_bytes: int) -> npt.NDArray[np.int64]:
    """The walk along each chunk, (n, FIELDS); none along one that is not in the file, as of no rows."""
    dictionary, data, size = entries[:, DICTIONARY_PAGE], entries[:, DATA_PAGE], entries[:, PACKED_BYTES]
    start = np.where((dictionary > 0) & (dictionary < data), dictionary, data)  # where Arrow begins
    # Compared by subtraction: the sum of two numbers that the file makes up might overflow.
    is_inside = (start >= _MAGIC_BYTES) & (size >= 0) & (start <= file_bytes)
    is_inside &= size <= file_bytes - np.where(is_inside, start, file_bytes)
    walks = np.zeros((len(entries), FIELDS), np.int64)[is_inside]
    walks[:, POSITION] = start[is_inside]
    walks[:, END] = start[is_inside] + size[is_inside]
    walks[:, COLUMN], walks[:, CODEC_OF_CHUNK] = entries[is_inside, LEAF], entries[is_inside, CODEC]
    walks[:, VALUE_BYTES] = _LEAST_BYTES[entries[is_inside, PHYSICAL_TYPE].clip(0, len(_LEAST_BYTES) - 1)]
    return walks


def _walk_along(file: pa.NativeFile, walk: npt.NDArray[np.int64]) -> None:
    """Read the headers of one chunk, which is long, one by one."""
    end, measured = int(walk[0, END]), _Measured(walk)
    while (at := int(walk[0, POSITION])) < end:
        for size in (_HEAD_BYTES, _MAX_HEAD_BYTES):
            measured.go_on(file, at, min(size, end - at))
            if walk[0, POSITION] > at:
                break
        else:
            raise pa.ArrowInvalid("the header of a page is damaged")


class _Measured:
    """The kernel with the memory that it works on."""

    def __init__(self, walks: npt.NDArray[np.int64]) -> None:
        self._memory = (walks, np.empty(HEADER_NUMBERS, np.int64))
        self._addresses = (walks.ctypes.data, len(walks), self._memory[1].ctypes.data)
        self._measure = kernel("job.read.parquet.page_sizes_kernel", "measure")

    def go_on(self, file: pa.NativeFile, start: int, size: int) -> None:
        """Read the headers among `size` bytes of a file from the offset `start` on."""
        content = pa.py_buffer(file.read_at(size, start))
        self._measure(content.address, start, len(content), *self._addresses)
