"""How a training went, epoch by epoch; the numbers, and history.csv."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: its number from 1, mean cross-entropy, accuracy in 0-1, wall-clock seconds."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def as_csv(history: Sequence[Epoch]) -> bytes:
    """A line for each epoch, and one with the names of an Epoch's fields before them."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(field.name for field in fields(Epoch))
    lines.writerows(map(astuple, history))
    return file.getvalue().encode()
