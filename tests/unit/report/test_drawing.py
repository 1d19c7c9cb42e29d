import numpy as np
import pytest

from job.report.digits import drawn


def _image(*cells):
    """An image with ink in some (row, column) cells."""
    image = np.zeros((28, 28), np.uint8)
    for row, column in cells:
        image[row, column] = 255
    return image.reshape(1, 784)


def test_two_rows_of_pixels_make_a_line_of_half_blocks():
    """Upper, lower and both halves stand where the ink is."""
    lines = drawn(_image((0, 0), (1, 1), (0, 2), (1, 2)), None, is_unicode=True)
    assert lines == ["▀▄█", *[""] * 13]


def test_ascii_shades_are_the_darker_the_more_ink():
    """Where half blocks cannot be written, the mean of two pixels picks a character."""
    lines = drawn(_image((0, 0), (0, 1), (1, 1)), None, is_unicode=False)
    assert lines[0] == "=@"
    assert "".join(lines).isascii()


def test_images_stand_side_by_side_under_their_labels():
    """Every picture is 28 wide, and says when it has no label."""
    pixels = np.full((2, 784), 255, np.uint8)
    lines = drawn(pixels, np.array([7, -1], np.int8), is_unicode=True)
    assert lines[0] == "label 7".ljust(30) + "no label"
    assert lines[1:] == ["█" * 28 + "  " + "█" * 28] * 14


@pytest.mark.parametrize("labels", [None, np.empty(0, np.int8)], ids=["no labels", "labels"])
def test_no_image_is_no_line(labels):
    """Nothing to draw gives nothing."""
    assert drawn(np.empty((0, 784), np.uint8), labels, is_unicode=True) == []
