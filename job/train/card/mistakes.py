"""Test images worth looking at, for MODEL.md and the training page, and mistakes.png.

`job.report.examples` selects them, as it does for a scoring report; here they get their digits and their places in the
test split.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np

from job.contract import SIDE, Labels, Pixels, Probabilities
from job.report.examples import Rows, first_of_digits, mistakes_of
from job.report.examples import least_sure as least_sure_rows
from job.report.examples import surest_mistakes as surest_mistake_rows
from job.report.metrics import ConfusedPair

MAX_MISTAKES: Final = 20
MAX_UNSURE: Final = 24
# Of mistakes.png: images in a row, magnification, pixels between images.
COLUMNS: Final = 10
_MAGNIFICATION: Final = 3
_GAP: Final = 2


@dataclass(frozen=True)
class ClassifiedImage:
    """A test image: its row in the split, its digit, the predicted digit, and the prediction's confidence in 0-1."""

    row: int
    label: int
    prediction: int
    confidence: float


class ClassifiedImages:
    """The test images with their predictions."""

    def __init__(self, probabilities: Probabilities, labels: Labels) -> None:
        """probabilities: float32 (n, 10). labels: int8 (n,)."""
        self._labels = labels
        self._predictions = probabilities.argmax(axis=1).astype(np.int8)
        self._confidences = probabilities.max(axis=1)
        self._mistakes = surest_mistake_rows(labels, self._predictions, self._confidences)

    @property
    def by_prediction(self) -> dict[int, list[ClassifiedImage]]:
        """The first images predicted as each digit, right or wrong, at most 4; of digits that were predicted."""
        firsts = first_of_digits(self._predictions)
        return {
            digit: self._at(firsts[self._predictions[firsts] == digit])
            for digit in np.unique(self._predictions).tolist()
        }

    @property
    def surest_mistakes(self) -> list[ClassifiedImage]:
        """The wrong predictions with the highest confidence, at most 20."""
        return self._at(self._mistakes[:MAX_MISTAKES])

    @property
    def least_sure(self) -> list[ClassifiedImage]:
        """The predictions, right or wrong, with the lowest confidence, at most 24."""
        return self._at(least_sure_rows(self._confidences, MAX_UNSURE))

    def examples_of(self, pair: ConfusedPair) -> list[ClassifiedImage]:
        """The surest mistakes that confuse a pair of digits, at most 4."""
        return self._at(mistakes_of(pair, self._mistakes, self._labels, self._predictions))

    def _at(self, rows: Rows) -> list[ClassifiedImage]:
        return [
            ClassifiedImage(
                int(row), int(self._labels[row]), int(self._predictions[row]), float(self._confidences[row])
            )
            for row in rows
        ]


def mistakes_png(pixels: Pixels) -> bytes:
    """Images, uint8 (n, 784), n > 0, as one PNG: ten in a row, dark ink on white, magnified."""
    from PIL import Image

    cell = SIDE + _GAP
    rows = -(-len(pixels) // COLUMNS)
    sheet = np.zeros((rows * cell + _GAP, COLUMNS * cell + _GAP), np.uint8)
    for number, image in enumerate(pixels):
        top, left = (_GAP + cell * place for place in divmod(number, COLUMNS))
        sheet[top : top + SIDE, left : left + SIDE] = image.reshape(SIDE, SIDE)
    magnified = sheet.repeat(_MAGNIFICATION, axis=0).repeat(_MAGNIFICATION, axis=1)
    file = io.BytesIO()
    Image.fromarray(255 - magnified).save(file, "PNG", optimize=True)
    return file.getvalue()
