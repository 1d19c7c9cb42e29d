import base64
import io

import numpy as np
from PIL import Image

from job.read.pictures.decoding import decode
from job.report.digits import data_uri, magnified_png, png, text_bars, text_images


def test_a_png_holds_every_pixel():
    """Pillow and our own decoder read 28x28 of 8-bit grey, dark ink on white."""
    pixels = np.random.default_rng(0).integers(0, 256, 784, dtype=np.uint8)
    content = png(pixels.tobytes())
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()
        assert (picture.size, picture.mode) == ((28, 28), "L")
    assert (decode(content).grey.ravel() == 255 - pixels).all()


def test_a_data_uri_holds_the_whole_png():
    """So that a page needs no other file."""
    head, _, content = data_uri(bytes(784)).partition(",")
    assert head == "data:image/png;base64"
    assert (decode(base64.b64decode(content)).grey == 255).all()


def _image(*cells):
    """An image with ink in some (row, column) cells."""
    image = np.zeros((28, 28), np.uint8)
    for row, column in cells:
        image[row, column] = 255
    return image.reshape(1, 784)


def test_two_rows_of_pixels_make_a_line_of_half_blocks():
    """Upper, lower and both halves are where the ink is."""
    lines = text_images(_image((0, 0), (1, 1), (0, 2), (1, 2)), None, is_unicode=True)
    assert lines == ["▀▄█", *[""] * 13]


def test_ascii_shades_are_the_darker_the_more_ink():
    """For terminals without Unicode, the mean of two pixels selects a character."""
    lines = text_images(_image((0, 0), (0, 1), (1, 1)), None, is_unicode=False)
    assert lines[0] == "=@"
    assert "".join(lines).isascii()


def test_images_stand_side_by_side_below_their_labels():
    """Each is 28 columns wide, and says if it has no label."""
    pixels = np.full((2, 784), 255, np.uint8)
    lines = text_images(pixels, np.array([7, -1], np.int8), is_unicode=True)
    assert lines[0] == "label 7".ljust(30) + "no label"
    assert lines[1:] == ["█" * 28 + "  " + "█" * 28] * 14


def test_no_images_give_no_lines():
    """With labels or without."""
    for labels in (None, np.empty(0, np.int8)):
        assert text_images(np.empty((0, 784), np.uint8), labels, is_unicode=True) == []


def test_a_faint_image_is_drawn_by_its_own_ink():
    """Half of its highest value; a blank image stays blank."""
    image = _image((0, 0)) // 8
    assert text_images(image, None, is_unicode=True)[0] == "▀"
    assert text_images(image * 0, None, is_unicode=True) == [""] * 14


def test_probabilities_as_bars():
    """To an eighth of a column, or to a column in ASCII, and in six decimals."""
    shares = [0.5, 0.25, 0.1, 0.05, 0.05, 0.03, 0.01, 0.009, 0.001, 0.0]
    bars = text_bars(shares, is_unicode=True)
    assert bars[0] == f"0 {'█' * 10:20} 0.500000"
    assert bars[5] == f"5 {'▋':20} 0.030000"
    assert bars[9] == f"9 {'':20} 0.000000"
    assert text_bars(shares, is_unicode=False)[1] == f"1 {'#' * 5:20} 0.250000"
    assert text_bars([1.0] * 10, is_unicode=True)[0] == f"0 {'█' * 20} 1.000000"


def test_magnified_images_have_crisp_edges():
    """Each pixel is ten by ten; images stand side by side with a white gap."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 784), dtype=np.uint8)
    with Image.open(io.BytesIO(magnified_png([each.tobytes() for each in images]))) as picture:
        found = 255 - np.asarray(picture)
    assert found.shape == (280, 580)
    for image, place in zip(images, (found[:, :280], found[:, 300:]), strict=True):
        assert np.array_equal(place, image.reshape(28, 28).repeat(10, axis=0).repeat(10, axis=1))
    assert not found[:, 280:300].any()
