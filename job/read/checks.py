"""Input warnings: well-formed data whose first records are unlikely to be digits as the model knows them.

`FirstRows` collects the first records from batches that pass by, `input_warnings` judges them. Used when an input is
scored, and by `inspection`.
"""

import sys
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, SIDE, Labels, PixelBatch, Pixels
from job.flag_names import Flag
from job.read.source import Source
from job.settings import ReadSettings
from job.storage import Storage

HEAD_ROWS: Final = 1024
_DEFAULTS: Final = ReadSettings()
_INK: Final = 128
_WHITE: Final = 200

# Whether digits are taller than wide shows only in many of them.
_MIN_DIGITS_FOR_SHAPE: Final = 64
_MIN_IMAGES_FOR_LABELS: Final = 16
_MIN_IMAGES_FOR_SCALE: Final = 16

# Of MNIST's images 0.82 are taller than wide and 0.12 wider than tall: a mean sign of 0.70, or -0.70 when transposed.
_WIDER_BELOW: Final = -0.35

# The mean logarithm of height by width is 0.36 for MNIST, -0.36 when transposed, and within 0.02 of 0 for noise.
_LOG_RATIO_BELOW: Final = -0.12
_MIN_DIFFERENT_LABELS: Final = 3
_MOSTLY: Final = 0.5
_RARELY: Final = 0.1
_HARDLY_EVER: Final = 0.01


def input_warnings(pixels: Pixels, labels: Labels | None, read: ReadSettings = _DEFAULTS) -> list[str]:
    """One sentence for each thing that is odd about an input's first records; depends on nothing else.

    pixels: uint8 (n, 784) of records that were not rejected; HEAD_ROWS of them are enough. labels: int8 (n,), -1 where
    there is none, or None. read: how they were read. Shapes of digits are judged from 64 images on, labels among the
    pixels from 16 on.
    """
    if not len(pixels):
        return []
    uniform = _uniform(pixels)
    if uniform:
        return [uniform]
    found = [
        _small_scale(~pixels if read.is_inverted else pixels) or _faint(pixels),
        _dark_on_white(pixels, read) or _lifted_background(pixels),
        _transposed(pixels, read),
        _label_among_pixels(pixels, labels),
    ]
    return [each for each in found if each]


def _uniform(pixels: Pixels) -> str | None:
    if not pixels.any():
        return f"all of the first {len(pixels)} images are blank; is it the right file, with pixels of 0-255?"
    if (pixels == pixels[:, :1]).all():
        return f"each of the first {len(pixels)} images is one even shade; is it the right file?"
    return None


def _small_scale(stored: Pixels) -> str | None:
    if stored.max() > 1:
        return None
    return f"no pixel of the first {len(stored)} images is above 1; if pixels are 0 to 1, add {Flag.SCALE} 1"


def _faint(pixels: Pixels) -> str | None:
    if len(pixels) < _MIN_IMAGES_FOR_SCALE or pixels.max() >= _INK:
        return None
    return (
        f"no pixel of the first {len(pixels)} images is above {pixels.max()} of 255, but the ink of digits reaches "
        "255; if their scale ends there, multiply to reach it"
    )


def _lifted_background(pixels: Pixels) -> str | None:
    """Rescaled images, such as `x / 255 * 0.99 + 0.01`: the background is not 0, and each pixel is a little off."""
    if (pixels == 0).mean() > _HARDLY_EVER:
        return None
    lowest = int(np.quantile(pixels, _HARDLY_EVER, method="lower"))
    return (
        f"the lowest pixel of the first {len(pixels)} images is {lowest} of 255 ({lowest / 255:.3f} of 1), but the "
        "background should be 0, as if pixels were rescaled; undo it, or subtract the background"
    )


def _dark_on_white(pixels: Pixels, read: ReadSettings) -> str | None:
    border = np.ones((SIDE, SIDE), np.bool_)
    border[1:-1, 1:-1] = False
    share = float((pixels[:, border.ravel()] > _WHITE).mean())
    if share <= _MOSTLY:
        return None
    found = f"{100 * share:.0f} % of the border pixels of the first {len(pixels)} images are above {_WHITE}"
    if read.is_inverted:
        return f"{found} after {Flag.INVERT}, but 0 should be the background; leave {Flag.INVERT} out"
    return f"{found}: dark digits on white, but 0 should be the background; if so, add {Flag.INVERT}"


def _transposed(pixels: Pixels, read: ReadSettings) -> str | None:
    heights, widths = _ink_boxes(pixels)
    if len(heights) < _MIN_DIGITS_FOR_SHAPE:
        return None
    if np.sign(heights - widths).mean() > _WIDER_BELOW or np.log(heights / widths).mean() > _LOG_RATIO_BELOW:
        return None
    found = f"{100 * float((widths > heights).mean()):.0f} % of the first {len(heights)} digits are wider than tall"
    if read.is_transposed:
        return f"{found} after {Flag.TRANSPOSE}, as if it were not needed; if so, leave {Flag.TRANSPOSE} out"
    return f"{found}, as if images were stored column by column; if so, add {Flag.TRANSPOSE}"


def _ink_boxes(pixels: Pixels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Heights and widths of the bounding boxes of ink, int64 (m,) each, of the m images that have some."""
    images = pixels[pixels.max(axis=1) >= _INK].reshape(-1, SIDE, SIDE) >= _INK
    return _extents(images.any(axis=2)), _extents(images.any(axis=1))


def _extents(is_set: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The distance from the first to the last True, both included, in each row of bool (m, 28)."""
    before: npt.NDArray[np.int64] = is_set.argmax(axis=1)
    after: npt.NDArray[np.int64] = is_set[:, ::-1].argmax(axis=1)
    return SIDE - before - after


def _label_among_pixels(pixels: Pixels, labels: Labels | None) -> str | None:
    if len(pixels) < _MIN_IMAGES_FOR_LABELS or pixels.max() < CLASSES:
        return None
    for name, corner, beside in (
        ("first", 0, (1, SIDE)),
        ("last", PIXELS - 1, (PIXELS - 2, PIXELS - 1 - SIDE)),
    ):
        values, neighbours = pixels[:, corner], pixels[:, beside]
        is_label = (
            values.max() < CLASSES
            and len(np.unique(values)) >= _MIN_DIFFERENT_LABELS
            and (values > 0).mean() > _MOSTLY
            and (neighbours > 0).mean() < _RARELY
        )
        if is_label:
            context = "although another label was found" if labels is not None else "and no label was found"
            return (
                f"the {name} pixel of the first {len(pixels)} images is always 0-9, like a label, {context}; if it is "
                f"the label, put it first, or name the columns and add {Flag.LABEL_COLUMN} NAME"
            )
    return None


@dataclass(slots=True)
class FirstRows:
    """The first records of an input, collected from its batches; rejected records are left out.

    wanted: how many. rows: records seen, rejected ones included. rejected: how many of them were left out. bad_labels:
    the labels of the others that could not be read.
    """

    wanted: int = HEAD_ROWS
    rows: int = 0
    rejected: int = 0
    bad_labels: list[str] = field(default_factory=list)
    _pixels: list[Pixels] = field(default_factory=list)
    _labels: list[Labels] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether further batches are ignored."""
        return self.rows >= self.wanted

    def add(self, batch: PixelBatch) -> None:
        """Take the records that are still missing from the next batch."""
        wanted = min(self.wanted - self.rows, len(batch.pixels))
        if wanted <= 0:
            return
        is_good = np.ones(wanted, np.bool_)
        is_good[[reject.row for reject in batch.rejects if reject.reason.is_fatal and reject.row < wanted]] = False
        self.bad_labels += [each.label for each in batch.rejects if each.label is not None and each.row < wanted]
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
        """int8 (n,), -1 where there is none; None if the input has no labels."""
        return np.concatenate(self._labels) if self._labels else None


def read_first_rows(source: Source, storage: Storage, wanted: int = HEAD_ROWS) -> FirstRows:
    """Read an input's first `wanted` records, and no more of it than needed. Raises DataError, StorageError."""
    head = FirstRows(wanted)
    for batch in source.read(storage, source.split(sys.maxsize)[0], wanted):
        head.add(batch)
        if head.is_full:
            break
    return head
