"""Batches of one file joined and compared, so that tests can say what a whole file is read as."""

import sys

import numpy as np
import pyarrow as pa

from job.contract import PixelBatch


def joined(batches):
    """Batches of one file, in order, as one; rows and lines of rejects count from the start of the first batch."""
    batches = list(batches)
    rejects, rows, lines = [], 0, 0
    for batch in batches:
        rejects += [reject.shifted(rows, lines) for reject in batch.rejects]
        rows, lines = rows + len(batch.pixels), lines + batch.lines
    return PixelBatch(
        np.concatenate([np.empty((0, 784), np.uint8), *[batch.pixels for batch in batches]]),
        None if any(batch.labels is None for batch in batches) else _joined_labels(batches),
        tuple(rejects),
        lines=lines,
        passthrough=_joined_passthrough(batches),
    )


def read_all(source, storage, *, part_bytes=sys.maxsize, block_rows=1000):
    """The whole of a source, read part by part."""
    return joined(
        batch for each in source.split(part_bytes) for batch in source.read(storage, each, block_rows=block_rows)
    )


def assert_same(found, expected, what=""):
    """Fail unless two batches are equal, but for the bytes that tell progress; `what` is shown with the failure."""
    np.testing.assert_array_equal(found.pixels, expected.pixels, str(what))
    np.testing.assert_equal(found.labels, expected.labels, str(what))
    assert found.rejects == expected.rejects, what
    assert found.lines == expected.lines, what
    assert passthrough_rows(found) == passthrough_rows(expected), what


def passthrough_rows(batch):
    """The passthrough columns of a batch as tuples, row by row; None if it has none."""
    return None if batch.passthrough is None else [tuple(row.values()) for row in batch.passthrough.to_pylist()]


def _joined_passthrough(batches):
    if not batches or batches[0].passthrough is None:
        return None
    return pa.Table.from_batches([batch.passthrough for batch in batches]).combine_chunks().to_batches()[0]


def _joined_labels(batches):
    return np.concatenate([np.empty(0, np.int8), *[batch.labels for batch in batches]])
