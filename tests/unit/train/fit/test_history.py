import csv
import io
from dataclasses import astuple

import numpy as np
import pytest
from PIL import Image

from job.train.card.curves import curves
from job.train.fit.checkpoint import Epoch, history_csv

HISTORY = [Epoch(number, 1 / number, 1 - 0.1 / number, 2 / number, 1.0, 0.25) for number in range(1, 6)]


def test_each_epoch_is_a_line_of_numbers():
    """Under the names of its fields; what is written is read back to the last bit."""
    lines = list(csv.DictReader(io.StringIO(history_csv(HISTORY).decode())))
    read = [[float(value) for value in line.values()] for line in lines]
    assert read == [list(astuple(epoch)) for epoch in HISTORY]
    assert history_csv(HISTORY).startswith(b"epoch,loss,accuracy,validation_loss,validation_accuracy,seconds\n1,1.0,")


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("is_augmented", [False, True])
def test_curves_are_a_picture(count, is_augmented):
    """The same for the same figures; of one epoch, too, and where no image was named wrong."""
    content = curves(HISTORY[:count], count, is_augmented=is_augmented)
    assert content == curves(HISTORY[:count], count, is_augmented=is_augmented)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1080, 432)
        assert np.asarray(picture.convert("L")).std() > 5


def test_the_kept_epoch_is_marked_unless_it_is_the_last():
    """By a line more."""
    assert curves(HISTORY, 3, is_augmented=True) != curves(HISTORY, 5, is_augmented=True)
