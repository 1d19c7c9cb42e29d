"""The memory of Arrow arrays as NumPy arrays. Knows nothing of digits.

pyarrow's own `to_numpy` imports pandas wherever that is installed, which takes longer than reading a small file.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DTYPES: Final[dict[pa.DataType, type[np.generic]]] = {
    pa.int8(): np.int8,
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.uint8(): np.uint8,
    pa.uint16(): np.uint16,
    pa.uint32(): np.uint32,
    pa.uint64(): np.uint64,
    pa.float16(): np.float16,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}


def is_number(type_: pa.DataType) -> bool:
    """Whether values of an Arrow type are integers or floating-point numbers."""
    return type_ in _DTYPES


def values(column: pa.Array) -> npt.NDArray[Any]:
    """A column of n numbers as (n,) of the same type, sharing its memory; undefined where null."""
    buffer = column.buffers()[1]
    if buffer is None:  # as it may be where there is no value at all
        return np.zeros(len(column), _DTYPES[column.type])
    return np.frombuffer(buffer, _DTYPES[column.type])[column.offset :][: len(column)]


def validity(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Where an array of any type holds something other than null: bool (n,)."""
    bitmap = column.buffers()[0] if column.null_count else None
    if bitmap is None:
        return np.full(len(column), not column.null_count)
    first, stop = column.offset // 8, column.offset + len(column)
    bits = np.frombuffer(bitmap, np.uint8)[first : (stop + 7) // 8]
    return np.unpackbits(bits, bitorder="little")[column.offset - 8 * first :][: len(column)].astype(np.bool_)


def spans(column: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where in its memory each item of a list or binary array starts and stops: two of int64 (n,).

    Counted in items of a list array's `values`, and in bytes of a binary array's data.
    """
    type_ = column.type
    if pa.types.is_fixed_size_list(type_) or pa.types.is_fixed_size_binary(type_):
        size = type_.list_size if pa.types.is_fixed_size_list(type_) else type_.byte_width
        starts = np.arange(column.offset, column.offset + len(column), dtype=np.int64) * size
        return starts, starts + size
    dtype = np.int64 if pa.types.is_large_list(type_) or pa.types.is_large_binary(type_) else np.int32
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.int64)
    offsets = np.frombuffer(buffer, dtype)[column.offset :][: len(column) + 1].astype(np.int64)
    return offsets[:-1], offsets[1:]
