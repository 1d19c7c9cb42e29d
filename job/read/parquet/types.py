"""What Arrow's types can stand for here: numbers, text, bytes, images."""

from typing import Final

import pyarrow as pa

from job.contract import PIXELS, SIDE
from job.read.arrow_values import is_number

# Hugging Face stores a picture as a struct of its bytes and a path.
BYTES_FIELD: Final = "bytes"
_BITS: Final = 8
_POINTER_BYTES: Final = 8


def storage_type(type_: pa.DataType) -> pa.DataType:
    """The type that an extension type's values are stored as; any other type as it is."""
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def is_list(type_: pa.DataType) -> bool:
    """Whether a type is a list of any kind."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def is_bytes(type_: pa.DataType) -> bool:
    """Whether a type is a string of bytes of any length."""
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_))


def is_text(type_: pa.DataType) -> bool:
    """Whether a type is text of any length."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def can_be_image(type_: pa.DataType) -> bool:
    """Whether a column of a type can hold images: lists of 784 numbers or of 28 by 28, raw bytes or pictures."""
    type_ = storage_type(type_)
    if pa.types.is_struct(type_):
        field = type_.get_field_index(BYTES_FIELD)
        return field >= 0 and is_bytes(type_.field(field).type)
    if pa.types.is_fixed_size_binary(type_):
        return bool(type_.byte_width == PIXELS)
    return is_bytes(type_) or _is_list_of_pixels(type_)


def _is_list_of_pixels(type_: pa.DataType) -> bool:
    """A list of numbers or of lists of numbers, unless its type rules out 784 of them."""
    if not is_list(type_):
        return False
    inner = type_.value_type
    if is_list(inner):
        sizes = [each.list_size for each in (type_, inner) if pa.types.is_fixed_size_list(each)]
        return is_number(inner.value_type) and all(size == SIDE for size in sizes)
    return is_number(inner) and not (pa.types.is_fixed_size_list(type_) and type_.list_size != PIXELS)


def leaf_type(type_: pa.DataType) -> pa.DataType:
    """The type of the values in a list, or in a list of lists; any other type as it is stored."""
    type_ = storage_type(type_)
    while is_list(type_):
        type_ = type_.value_type
    return type_


def width_bytes(type_: pa.DataType) -> int:
    """About how many bytes a value takes in memory; of text and raw bytes, those that point to it."""
    leaf = leaf_type(type_)
    try:
        bytes_ = max(1, int(leaf.bit_width) // _BITS)
    except ValueError:
        bytes_ = _POINTER_BYTES
    return bytes_ * (PIXELS if is_list(storage_type(type_)) else 1)
