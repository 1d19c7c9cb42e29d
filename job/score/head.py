"""The first records of an input, whole enough to judge the input by."""

import sys
from dataclasses import dataclass, field

import numpy as np

from job.contract import PIXELS, Labels, PixelBatch, Pixels
from job.read.source import Source
from job.read.stop import CheckStop, go_on
from job.read.suspicion import HEAD_ROWS
from job.storage import Storage


@dataclass(slots=True)
class Head:
    """An input's first 1,024 records, without the rejected ones, from the batches that come by.

    rows: records seen, rejected ones included. rejected: how many of them have no pixels here.
    """

    rows: int = 0
    rejected: int = 0
    _pixels: list[Pixels] = field(default_factory=list)
    _labels: list[Labels] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether more batches would make no difference."""
        return self.rows >= HEAD_ROWS

    def add(self, batch: PixelBatch) -> None:
        """Take what is still missing from the next batch."""
        wanted = min(HEAD_ROWS - self.rows, len(batch.pixels))
        if wanted <= 0:
            return
        is_good = np.ones(wanted, np.bool_)
        is_good[[reject.row for reject in batch.rejects if reject.reason.is_fatal and reject.row < wanted]] = False
        self.rows += wanted
        self.rejected += wanted - int(is_good.sum())
        self._pixels.append(batch.pixels[:wanted][is_good])
        if batch.labels is not None:
            self._labels.append(batch.labels[:wanted][is_good])

    @property
    def pixels(self) -> Pixels:
        """uint8 (n, 784)."""
        return np.concatenate([np.empty((0, PIXELS), np.uint8), *self._pixels])

    @property
    def labels(self) -> Labels | None:
        """int8 (n,), -1 where there is none; None where the input has no labels."""
        return np.concatenate(self._labels) if self._labels else None


def head_of(source: Source, storage: Storage, check_stop: CheckStop = go_on) -> Head:
    """Read an input's first records, and no more of it. Raises DataError, StorageError."""
    head = Head()
    for batch in source.read(storage, source.spans(sys.maxsize)[0], HEAD_ROWS, check_stop):
        head.add(batch)
        if head.is_full:
            break
    return head
