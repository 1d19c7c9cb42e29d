"""Columns of numbers as tables store them: as integers and floats, but also as text, decimals and booleans.

Spark reads a CSV file without a schema as text, Snowflake and Oracle write decimals, NumPy masks become booleans.
`grid`, `images` and `table_source` turn all of them into plain numbers with `as_numbers`.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from job.contract import Reason, Reject
from job.read.arrow import is_number, is_text, validity, values
from job.read.layout.values import parse_number
from job.read.pixels import pixel_reject
from job.settings import PixelScale

_SHOWN: Final = 40


def is_number_column(type_: pa.DataType) -> bool:
    """Whether `as_numbers` takes columns of a type; text is taken, whatever it says."""
    type_ = _plain_type(type_)
    return bool(is_number(type_) or is_text(type_) or pa.types.is_boolean(type_) or pa.types.is_decimal(type_))


def is_text_column(type_: pa.DataType) -> bool:
    """Whether the values of a type are text, dictionary-encoded or not."""
    return is_text(_plain_type(type_))


def as_numbers(column: pa.Array) -> pa.Array:
    """A column as one of a NumPy type, of the same length and with the same nulls.

    Booleans become 0 and 1. Text that is not a finite number becomes NaN, and so does empty text.
    """
    if is_number(column.type):
        return column
    if pa.types.is_dictionary(column.type):
        return as_numbers(column.dictionary_decode())
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    if pa.types.is_decimal(column.type):
        return column.cast(pa.float64())
    return _parsed(column)


def number_reject(row: int, column: str, place: str, value: Any, scale: PixelScale) -> Reject:
    """As `pixel_reject`, for a value as its column stores it: a number, a decimal, text or None."""
    if isinstance(value, str) and value.strip():
        number = parse_number(value.strip())
        if number is None:
            detail = f"{place} is {value[:_SHOWN]!r}, expected 0-{scale}"
            return Reject(row, Reason.NOT_A_NUMBER, detail, column)
        value = number
    return pixel_reject(row, column, place, None if isinstance(value, str) else value, scale)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _parsed(column: pa.Array) -> pa.Array:
    """A column of text as float64. Each distinct text is parsed once: most pixels have one of 256 values."""
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    encoded = column.dictionary_encode()
    # NaN for null, too: an index of null is undefined.
    known = [parse_number(text.strip()) for text in encoded.dictionary.to_pylist()]
    numbers = np.array([*(np.nan if number is None else number for number in known), np.nan])
    is_given = validity(encoded.indices)
    places = np.where(is_given, values(encoded.indices), len(known))
    return pa.array(numbers[places], pa.float64(), mask=~is_given, from_pandas=False)
