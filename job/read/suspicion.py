"""Well-formed data that cannot be digits as the model knows them: seen in an input's first records, and told.

A suspicion is a sentence: what was seen, and which flag or change settles it. It never stops a run. Statistics of
the data alone; knows nothing of files and nothing of the network.

The thresholds were measured on random batches of MNIST's training images, on scikit-learn's digits and on noise: see
tests/unit/read/test_suspicion.py.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASSES, PIXELS, SIDE, Labels, Pixels

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


def suspicions(pixels: Pixels, labels: Labels | None) -> list[str]:
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
    return f"no pixel of the first {len(pixels)} images is above 1; if they are 0 to 1, say --scale 1"


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
        "digits are when stored column by column; if so, say --transpose"
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
                "is the label, put it first, or name the columns and say --label-column NAME"
            )
    return None
