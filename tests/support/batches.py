"""Readers' batches, put together again, so that tests can say what a whole file gives."""

import sys

import numpy as np
import pyarrow as pa

from job.contract import PixelBatch


def joined(batches):
    """Batches of one file, in order, as one; rejects count their rows and lines from the first batch's start."""
    batches = list(batches)
    rejects, rows, lines = [], 0, 0
    for batch in batches:
        rejects += [reject.shifted(rows, lines) for reject in batch.rejects]
        rows, lines = rows + len(batch.pixels), lines + batch.lines
    return PixelBatch(
        np.concatenate([np.empty((0, 784), np.uint8), *[batch.pixels for batch in batches]]),
        None if any(batch.labels is None for batch in batches) else _concatenated_labels(batches),
        tuple(rejects),
        lines=lines,
        kept=_concatenated_kept(batches),
    )


def read_all(source, storage, *, part_bytes=sys.maxsize, block_rows=1000):
    """The whole of a source, read part after part."""
    return joined(
        batch for span in source.spans(part_bytes) for batch in source.read(storage, span, block_rows=block_rows)
    )


def assert_same(found, expected):
    """Fail unless two batches hold the same rows, labels, rejects and lines; progress bytes do not matter."""
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_equal(found.labels, expected.labels)
    assert found.rejects == expected.rejects
    assert found.lines == expected.lines
    assert kept_rows(found) == kept_rows(expected)


def kept_rows(batch):
    """The kept columns of a batch as tuples of texts, row by row."""
    return None if batch.kept is None else [tuple(row.values()) for row in batch.kept.to_pylist()]


def _concatenated_kept(batches):
    if not batches or batches[0].kept is None:
        return None
    return pa.Table.from_batches([batch.kept for batch in batches]).combine_chunks().to_batches()[0]


def _concatenated_labels(batches):
    return np.concatenate([np.empty(0, np.int8), *[batch.labels for batch in batches]])
