"""Arrow types as kinds of columns, and Arrow arrays as NumPy arrays that share their memory.

Used instead of pyarrow's own `to_numpy`, which imports pandas wherever that is installed; the import takes longer than
reading a small file.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from job.contract import PIXELS, SIDE

# Hugging Face stores a picture as a struct of its bytes and a path.
BYTES_FIELD: Final = "bytes"
# Spark's VectorUDT (org.apache.spark.ml.linalg): a vector of type 1 has `values` alone, one of type 0 has those of the
# `indices` below `size` that are not 0.
VECTOR_FIELDS: Final = ("type", "size", "indices", "values")

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
_BITS_PER_BYTE: Final = 8
_POINTER_BYTES: Final = 8


# Types


def is_number(type_: pa.DataType) -> bool:
    """Whether values of a type are integers or floating-point numbers."""
    return type_ in _DTYPES


def holds_numbers(type_: pa.DataType) -> bool:
    """Whether values of a type are numbers of any kind: also decimals and booleans."""
    return bool(is_number(type_) or pa.types.is_decimal(type_) or pa.types.is_boolean(type_))


def is_list(type_: pa.DataType) -> bool:
    """Whether a type is a list, large list or fixed-size list."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def is_bytes(type_: pa.DataType) -> bool:
    """Whether a type is a byte string of variable length."""
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_))


def is_text(type_: pa.DataType) -> bool:
    """Whether a type is a text string."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def is_vector(type_: pa.DataType) -> bool:
    """Whether a type is the struct that Spark stores a vector as, with lists of any kind and numbers of any width."""
    if not pa.types.is_struct(type_) or any(type_.get_field_index(name) < 0 for name in VECTOR_FIELDS):
        return False
    kind, size, indices, values_ = (type_.field(name).type for name in VECTOR_FIELDS)
    are_lists = is_list(indices) and is_list(values_)
    whole = [kind, size, indices.value_type] if are_lists else []
    return bool(are_lists and all(map(pa.types.is_integer, whole)) and is_number(values_.value_type))


def storage_type(type_: pa.DataType) -> pa.DataType:
    """The type that an extension type is stored as; any other type unchanged."""
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def leaf_type(type_: pa.DataType) -> pa.DataType:
    """The type of the innermost values of a list; any other type as it is stored."""
    type_ = storage_type(type_)
    while is_list(type_):
        type_ = type_.value_type
    return type_


def width_bytes(type_: pa.DataType) -> int:
    """About how many bytes a value takes in memory; for text and byte strings, only its pointer."""
    leaf = leaf_type(type_)
    try:
        bytes_ = max(1, int(leaf.bit_width) // _BITS_PER_BYTE)
    except ValueError:
        bytes_ = _POINTER_BYTES
    return bytes_ * (PIXELS if is_list(storage_type(type_)) else 1)


def can_be_image(type_: pa.DataType) -> bool:
    """Whether a column of a type can hold images: numbers in lists or Spark's vectors, raw bytes, or pictures."""
    type_ = storage_type(type_)
    if pa.types.is_struct(type_):
        field = type_.get_field_index(BYTES_FIELD)
        return is_vector(type_) or (field >= 0 and is_bytes(type_.field(field).type))
    if pa.types.is_fixed_size_binary(type_):
        return bool(type_.byte_width == PIXELS)
    return is_bytes(type_) or _is_list_of_pixels(type_)


def _is_list_of_pixels(type_: pa.DataType) -> bool:
    """Whether a type is a list of numbers, or of lists of numbers, whose fixed sizes, if any, fit 28 by 28 pixels."""
    if not is_list(type_):
        return False
    inner = type_.value_type
    if is_list(inner):
        sizes = [each.list_size for each in (type_, inner) if pa.types.is_fixed_size_list(each)]
        return holds_numbers(inner.value_type) and all(size == SIDE for size in sizes)
    return holds_numbers(inner) and not (pa.types.is_fixed_size_list(type_) and type_.list_size != PIXELS)


# Arrays


def values(column: pa.Array) -> npt.NDArray[Any]:
    """A column of n numbers as an array (n,) of the same type, sharing its memory; undefined where null."""
    buffer = column.buffers()[1]
    if buffer is None:  # Arrow allocates none if all values are null
        return np.zeros(len(column), _DTYPES[column.type])
    return _typed(buffer, np.dtype(_DTYPES[column.type]))[column.offset :][: len(column)]


def validity(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Which of n values of any type are not null: bool (n,)."""
    bitmap = column.buffers()[0] if column.null_count else None
    if bitmap is None:
        return np.full(len(column), not column.null_count)
    first, stop = column.offset // 8, column.offset + len(column)
    bits = np.frombuffer(bitmap, np.uint8)[first : (stop + 7) // 8]
    return np.unpackbits(bits, bitorder="little")[column.offset - 8 * first :][: len(column)].astype(np.bool_)


def item_bounds(column: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each of n items of a list or binary array starts and stops: two arrays int64 (n,).

    Counted in elements of a list array's `values`, and in bytes of a binary array's data.
    """
    type_ = column.type
    if pa.types.is_fixed_size_list(type_) or pa.types.is_fixed_size_binary(type_):
        size = type_.list_size if pa.types.is_fixed_size_list(type_) else type_.byte_width
        starts = np.arange(column.offset, column.offset + len(column), dtype=np.int64) * size
        return starts, starts + size
    dtype = np.dtype(np.int64 if pa.types.is_large_list(type_) or pa.types.is_large_binary(type_) else np.int32)
    buffer = column.buffers()[1]
    if buffer is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.int64)
    offsets = _typed(buffer, dtype)[column.offset :][: len(column) + 1].astype(np.int64)
    return offsets[:-1], offsets[1:]


def _typed(buffer: pa.Buffer, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The whole values in a buffer; the last bytes of one in a damaged file may be too few for another."""
    return np.frombuffer(buffer, dtype, buffer.size // dtype.itemsize)
