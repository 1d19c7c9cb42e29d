"""NumPy arrays -> Arrow columns, by their memory.

pyarrow's own conversions import pandas wherever it is installed, which costs a small run more than its work.
Source of the layouts: the Arrow columnar format (validity bitmap, then values or 32-bit offsets and text).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def number_column(values: npt.NDArray[Any], is_null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers of any fixed-width dtype, null where `is_null`."""
    validity = None if is_null is None else _bitmap(~is_null)
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [validity, content])


def sparse_text_column(rows: int, texts: Mapping[int, str]) -> pa.Array:
    """Strings for a few of `rows` rows, null elsewhere. `texts` is ordered by row."""
    if not texts:
        return pa.nulls(rows, pa.string())
    encoded = {row: text.encode() for row, text in texts.items()}
    lengths = np.zeros(rows + 1, np.int32)
    lengths[[row + 1 for row in encoded]] = [len(each) for each in encoded.values()]
    is_valid = np.zeros(rows, np.bool_)
    is_valid[list(encoded)] = True
    buffers = [
        _bitmap(is_valid),
        pa.py_buffer(np.cumsum(lengths, dtype=np.int32)),
        pa.py_buffer(b"".join(encoded.values())),
    ]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


def _bitmap(is_valid: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(is_valid, bitorder="little"))
