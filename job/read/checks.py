"""What is odd about an input's first rows: well-formed data that cannot be digits as the model knows them."""

import sys
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, SIDE, Labels, PixelBatch, Pixels
from job.flag_names import Flag
from job.read.source import Source
from job.storage import Storage

HEAD_ROWS: Final = 1024
_INK: Final = 128
_WHITE: Final = 200

# Whether digits are taller than wide shows in a crowd only.
_ENOUGH_FOR_SHAPE: Final = 64
_ENOUGH_FOR_LABELS: Final = 16

# Of MNIST's images 0.82 are taller than wide and 0.12 wider than tall: a mean sign of 0.70, of -0.70 when transposed.
_WIDER_BELOW: Final = -0.35

# The mean logarithm of height by width is 0.36 for MNIST, -0.36 when transposed, and within 0.02 of 0 for noise.
_LOG_RATIO_BELOW: Final = -0.12
_DIFFERENT_LABELS: Final = 3
_MOSTLY: Final = 0.5
_RARELY: Final = 0.1


def input_warnings(pixels: Pixels, labels: Labels | None) -> list[str]:
    """What is odd about an input's first records, one sentence each, the same for the same records.

    pixels: uint8 (n, 784) of records that were not rejected; `HEAD_ROWS` of them are enough. labels: int8 (n,), -1
    where there is none, or None. Shapes of digits are judged from 64 images on, labels from 16 on.
    """
    if not len(pixels):
        return []
    shade = _even_shade(pixels)
    if shade:
        return [shade]
    found = [_small_scale(pixels), _inverted(pixels), _transposed(pixels), _label_among_pixels(pixels, labels)]
    return [each for each in found if each]


def _even_shade(pixels: Pixels) -> str | None:
    if not pixels.any():
        return f"all of the first {len(pixels)} images are blank; is it the right file, and 0-255 the pixels' range?"
    if (pixels == pixels[:, :1]).all():
        return f"each of the first {len(pixels)} images is one even shade; is it the right file?"
    return None


def _small_scale(pixels: Pixels) -> str | None:
    if pixels.max() > 1:
        return None
    return f"no pixel of the first {len(pixels)} images is above 1; if they are 0 to 1, say {Flag.SCALE} 1"


def _inverted(pixels: Pixels) -> str | None:
    ring = np.ones((SIDE, SIDE), np.bool_)
    ring[1:-1, 1:-1] = False
    share = float((pixels[:, ring.ravel()] > _WHITE).mean())
    if share <= _MOSTLY:
        return None
    return (
        f"{100 * share:.0f} % of the border pixels of the first {len(pixels)} images are above {_WHITE}: dark digits "
        "on white, where 0 should be the background; replace each value by 255 minus it"
    )


def _transposed(pixels: Pixels) -> str | None:
    heights, widths = _ink_boxes(pixels)
    if len(heights) < _ENOUGH_FOR_SHAPE:
        return None
    if np.sign(heights - widths).mean() > _WIDER_BELOW or np.log(heights / widths).mean() > _LOG_RATIO_BELOW:
        return None
    return (
        f"{100 * float((widths > heights).mean()):.0f} % of the first {len(heights)} digits are wider than tall, as "
        f"digits are when stored column by column; if so, say {Flag.TRANSPOSE}"
    )


def _ink_boxes(pixels: Pixels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Heights and widths of the boxes around the ink, int64 (m,) each, of the images that have some."""
    images = pixels[pixels.max(axis=1) >= _INK].reshape(-1, SIDE, SIDE) >= _INK
    return _extents(images.any(axis=2)), _extents(images.any(axis=1))


def _extents(is_set: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How far it is from the first to the last that is set, in each row of bool (m, 28)."""
    before: npt.NDArray[np.int64] = is_set.argmax(axis=1)
    behind: npt.NDArray[np.int64] = is_set[:, ::-1].argmax(axis=1)
    return SIDE - before - behind


def _label_among_pixels(pixels: Pixels, labels: Labels | None) -> str | None:
    if len(pixels) < _ENOUGH_FOR_LABELS or pixels.max() < CLASSES:
        return None
    for name, corner, beside in (
        ("first", 0, (1, SIDE)),
        ("last", PIXELS - 1, (PIXELS - 2, PIXELS - 1 - SIDE)),
    ):
        values, neighbours = pixels[:, corner], pixels[:, beside]
        is_label = (
            values.max() < CLASSES
            and len(np.unique(values)) >= _DIFFERENT_LABELS
            and (values > 0).mean() > _MOSTLY
            and (neighbours > 0).mean() < _RARELY
        )
        if is_label:
            said = "beside the label that was found" if labels is not None else "and no label was found"
            return (
                f"the {name} pixel of the first {len(pixels)} images is 0-9 throughout, as a label is, {said}; if it "
                f"is the label, put it first, or name the columns and say {Flag.LABEL_COLUMN} NAME"
            )
    return None


@dataclass(slots=True)
class FirstRows:
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


def read_first_rows(source: Source, storage: Storage) -> FirstRows:
    """Read an input's first records, and no more of it. Raises DataError, StorageError."""
    head = FirstRows()
    for batch in source.read(storage, source.spans(sys.maxsize)[0], HEAD_ROWS):
        head.add(batch)
        if head.is_full:
            break
    return head
