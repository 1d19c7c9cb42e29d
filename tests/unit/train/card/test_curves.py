import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from job.train.card.curves import curves_png
from job.train.fit.checkpoint import Epoch
from job.train.fit.tensorboard import confusion_png

HISTORY = [Epoch(number, 1 / number, 1 - 0.1 / number, 2 / number, 1.0, 0.001, 0.25) for number in range(1, 6)]

COUNTS = np.eye(10, dtype=np.int64)


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("is_augmented", [False, True])
def test_curves_are_a_png(count, is_augmented):
    """The same for the same figures; also for a single epoch, and where no image was misclassified."""
    content = curves_png(HISTORY[:count], count, is_augmented=is_augmented)
    assert content == curves_png(HISTORY[:count], count, is_augmented=is_augmented)
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (1080, 432)
        assert np.asarray(picture.convert("L")).std() > 5


def test_the_kept_epoch_is_marked_unless_it_is_the_last():
    """By another line."""
    assert curves_png(HISTORY, 3, is_augmented=True) != curves_png(HISTORY, 5, is_augmented=True)


@pytest.mark.parametrize("draw", [lambda: curves_png(HISTORY, 3, is_augmented=True), lambda: confusion_png(COUNTS)])
def test_settings_of_the_current_folder_change_nothing(draw):
    """A matplotlibrc there may be anyone's; `text.usetex` runs LaTeX with a preamble from it."""
    before = draw()
    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        assert draw() == before
