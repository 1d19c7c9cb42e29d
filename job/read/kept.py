"""Columns of text that are carried through from a CSV file to its predictions, as Arrow holds them.

Made from memory as in `write.columns`, and for the same reason: pyarrow's own conversions import pandas.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def kept_schema(names: Sequence[str]) -> pa.Schema:
    """Columns of strings, in the order given."""
    return pa.schema([pa.field(name, pa.string()) for name in names])


def kept_batch(names: Sequence[str], columns: Sequence[Sequence[str | None]]) -> pa.RecordBatch:
    """A batch of at least one column of texts, null where None."""
    return pa.RecordBatch.from_arrays([_text_column(texts) for texts in columns], schema=kept_schema(names))


def _text_column(texts: Sequence[str | None]) -> pa.Array:
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    validity = np.packbits(np.array([text is not None for text in texts], np.bool_), bitorder="little")
    buffers = [pa.py_buffer(validity), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)
