import io

import numpy as np
import pytest
from PIL import Image

from job.report.metrics import ConfusedPair
from job.train.card.mistakes import ClassifiedImages, mistakes_png


def _probabilities(answers):
    """Float32 (n, 10) for predicted digits and their confidences."""
    probabilities = np.full((len(answers), 10), 0.01, np.float32)
    for row, (digit, confidence) in enumerate(answers):
        probabilities[row, digit] = confidence
    return probabilities


def test_the_surest_mistakes_come_first():
    """Only wrong predictions, by confidence from the highest; ties by row."""
    labels = np.array([0, 1, 2, 3], np.int8)
    found = ClassifiedImages(_probabilities([(0, 0.99), (7, 0.6), (7, 0.9), (7, 0.6)]), labels).surest_mistakes
    assert [(each.row, each.label, each.prediction) for each in found] == [(2, 2, 7), (1, 1, 7), (3, 3, 7)]
    assert found[0].confidence == pytest.approx(0.9)


def test_there_are_at_most_twenty_mistakes_and_twenty_four_unsure_predictions():
    """Also of a network that is always wrong."""
    images = ClassifiedImages(np.eye(10, dtype=np.float32)[np.zeros(100, int)], np.ones(100, np.int8))
    assert len(images.surest_mistakes) == 20
    assert len(images.least_sure) == 24


def test_the_first_images_of_each_predicted_digit():
    """Right or wrong, in their order, at most four."""
    answers = [(7, 0.5), (2, 0.9), (7, 0.6), (7, 0.7), (7, 0.8), (7, 0.95)]
    images = ClassifiedImages(_probabilities(answers), np.array([7, 3, 1, 7, 7, 7], np.int8))
    found = {digit: [(each.row, each.label) for each in rows] for digit, rows in images.by_prediction.items()}
    assert found == {2: [(1, 3)], 7: [(0, 7), (2, 1), (3, 7), (4, 7)]}


def test_the_least_sure_predictions_come_first():
    """Right or wrong, by confidence from the lowest."""
    images = ClassifiedImages(_probabilities([(0, 0.99), (7, 0.6), (2, 0.5)]), np.array([0, 1, 2], np.int8))
    assert [(each.row, each.prediction) for each in images.least_sure] == [(2, 2), (1, 7), (0, 0)]


def test_a_pair_has_its_surest_examples():
    """At most four, from the surest."""
    answers = [(7, 0.5), (7, 0.9), (7, 0.6), (7, 0.7), (7, 0.8), (2, 0.95)]
    images = ClassifiedImages(_probabilities(answers), np.ones(6, np.int8))
    assert [each.row for each in images.examples_of(ConfusedPair(1, 7, 5))] == [1, 4, 3, 2]


@pytest.mark.parametrize(("count", "size"), [(1, (906, 96)), (10, (906, 96)), (11, (906, 186))])
def test_the_picture_is_dark_on_white_with_ten_images_in_a_row(count, size):
    """The first image is at the top left, magnified three times."""
    pixels = np.zeros((count, 784), np.uint8)
    pixels[0, 0] = 255
    with Image.open(io.BytesIO(mistakes_png(pixels))) as sheet:
        assert sheet.size == size
        values = np.asarray(sheet)
    assert (values[6:9, 6:9] == 0).all()
    assert (values == 0).sum() == 9
    assert set(np.unique(values)) == {0, 255}
