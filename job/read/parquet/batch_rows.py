"""How many rows Arrow may decode at once: as many as surely fit into memory, whatever their byte strings hold.

A small file can hold one long value for all rows, as a dictionary or by shared prefixes, or many pages that each
compress to nothing. `page_sizes` has read the pages' headers; only a dictionary that might not fit is looked into.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.compiled.machine_code import kernel
from job.read.parquet.footer import ByteLeaf
from job.read.parquet.page_sizes import (
    CODEC_OF_CHUNK,
    COLUMN,
    DENSITY,
    DICTIONARY,
    DICTIONARY_AT,
    DICTIONARY_PACKED,
    DICTIONARY_VALUES,
    OWN_BYTES,
    OWN_PAGE,
    SHARED_PAGE,
    VALUE_COUNT,
)
from job.settings import MIB

# Arrow needs up to three times as much while its buffers grow, and text is copied once more.
_USUAL_BYTES: Final = 64 * MIB
# Where pages are large, a batch takes as much as parts of three.
_PAGES: Final = 3
_MAX_BYTES: Final = 256 * MIB
_LENGTH_BYTES: Final = 4
# Arrow's names of parquet.thrift's CompressionCodec. Arrow offers none for Hadoop's LZ4 (5), and does not read LZO (3).
_CODECS: Final = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
_UNCOMPRESSED: Final = 0


class _Bound(NamedTuple):
    """What the values of a column can take.

    row_bytes: of each row, wherever it is: in the dictionary, or in a page whose values share bytes. Of the pages that
    hold their values one after another, total, page and density are the bytes of all, of the largest one, and the most
    per row on average.
    """

    path: str
    row_bytes: int
    total: int = 0
    page: int = 0
    density: int = 0

    def bytes(self, rows: int) -> int:
        """The most bytes that `rows` consecutive rows take; they begin and end within a page."""
        return rows * self.row_bytes + min(self.total, rows * self.page, rows * self.density + 2 * self.page)


class BatchRows:
    """The bounds of some columns of a row group."""

    def __init__(
        self, file: pa.NativeFile, walks: npt.NDArray[np.int64], leaves: Mapping[int, ByteLeaf], group_rows: int
    ) -> None:
        """walks: what `check_page_sizes` returns. leaves: the columns of byte strings. group_rows: of the row group."""
        self._file = file
        self._group_rows = max(1, group_rows)
        columns = walks[:, COLUMN].tolist() if leaves else []
        self._found = [(leaves[column], walks[place]) for place, column in enumerate(columns) if column in leaves]
        self._bounds = [self._bound(leaf, walk) for leaf, walk in self._found]

    def at_most(self, rows: int) -> int:
        """The largest divisor of `rows` whose rows fit. Raises ArrowInvalid if not even one row surely does."""
        pages = sum(bound.page for bound in self._bounds)
        limit = min(max(_USUAL_BYTES, _PAGES * pages), _MAX_BYTES)
        if _takes(self._bounds, rows) <= limit:
            return rows
        self._look_into_dictionaries()
        for pieces in range(1, rows):
            if rows % pieces == 0 and _takes(self._bounds, rows // pieces) <= limit:
                return rows // pieces
        if _takes(self._bounds, 1) <= _MAX_BYTES:
            return 1
        largest = max(self._bounds, key=lambda bound: bound.bytes(1))
        raise pa.ArrowInvalid(
            f"column {largest.path}: a row may take {_takes(self._bounds, 1) // MIB} MiB of memory, more than "
            f"{_MAX_BYTES // MIB}; write shorter values, or smaller pages"
        )

    def _bound(self, leaf: ByteLeaf, walk: npt.NDArray[np.int64], longest: int | None = None) -> _Bound:
        """longest: the bytes of the longest value in the dictionary, if it is known."""
        # The headers do not say how many values each row of a list has.
        times = -(-int(walk[VALUE_COUNT]) // self._group_rows) if leaf.is_repeated else 1
        if leaf.width:
            return _Bound(leaf.path, times * leaf.width)
        if longest is None:
            longest = max(0, int(walk[DICTIONARY] - _LENGTH_BYTES * walk[DICTIONARY_VALUES]))
        total, page, density = (int(walk[field]) for field in (OWN_BYTES, OWN_PAGE, DENSITY))
        return _Bound(leaf.path, times * (longest + int(walk[SHARED_PAGE])), total, page, times * density)

    def _look_into_dictionaries(self) -> None:
        """Replace the bounds of dictionaries by the lengths of their values."""
        found, self._found = self._found, []
        for place, (leaf, walk) in enumerate(found):
            if walk[DICTIONARY_AT] and not leaf.width:
                self._bounds[place] = self._bound(leaf, walk, self._longest(leaf, walk))

    def _longest(self, leaf: ByteLeaf, walk: npt.NDArray[np.int64]) -> int | None:
        """The bytes of the longest value in a dictionary; None if only Arrow can unpack it."""
        size, codec = int(walk[DICTIONARY]), int(walk[CODEC_OF_CHUNK])
        content = pa.py_buffer(self._file.read_at(int(walk[DICTIONARY_PACKED]), int(walk[DICTIONARY_AT])))
        if codec in _CODECS:
            content = pa.Codec(_CODECS[codec]).decompress(content, size)
        elif codec != _UNCOMPRESSED:
            return None
        result = np.empty(1, np.int64)
        kernel("job.read.parquet.longest_value_kernel", "measure_longest")(
            content.address, len(content), int(walk[DICTIONARY_VALUES]), result.ctypes.data
        )
        if result[0] < 0:
            raise pa.ArrowInvalid(f"column {leaf.path}: its dictionary has fewer values than it announces")
        return int(result[0])


def _takes(bounds: list[_Bound], rows: int) -> int:
    return sum(bound.bytes(rows) for bound in bounds)
