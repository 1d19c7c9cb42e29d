import re

import numpy as np
import pytest
from support.files import make_digits, read_mnist

from job.read.checks import input_warnings


def _transposed(pixels):
    return np.ascontiguousarray(pixels.reshape(-1, 28, 28).transpose(0, 2, 1)).reshape(-1, 784)


def _bars(rows, seed=0):
    """Upright bars of ink, about as digits are: 20 tall, 6 to 18 wide, anywhere."""
    random = np.random.default_rng(seed)
    images = np.zeros((rows, 28, 28), np.uint8)
    for image in images:
        width, left = random.integers(6, 19), random.integers(1, 9)
        image[4:24, left : left + width] = random.integers(128, 256)
    return images.reshape(rows, 784)


def _with_label_last(pixels):
    labels = np.random.default_rng(1).integers(0, 10, (len(pixels), 1))
    return np.hstack([pixels[:, 1:], labels.astype(np.uint8)])


def _with_label_first(pixels):
    return np.ascontiguousarray(_with_label_last(pixels[:, ::-1])[:, ::-1])


ODD = {
    "inverted": (lambda pixels: 255 - pixels, "dark digits on white"),
    "transposed": (_transposed, "say --transpose"),
    "0 to 1": (lambda pixels: (pixels > 127).astype(np.uint8), "say --scale 1"),
    "label last": (_with_label_last, "the last pixel of the first .* is 0-9 throughout"),
    "label first": (_with_label_first, "the first pixel of the first .* is 0-9 throughout"),
    "blank": (np.zeros_like, "images are blank"),
    "white": (lambda pixels: np.full_like(pixels, 255), "is one even shade"),
    "grey": (lambda pixels: np.repeat(np.arange(1, len(pixels) + 1, dtype=np.uint8)[:, None], 784, axis=1), "even"),
}


@pytest.mark.parametrize(("change", "said"), ODD.values(), ids=ODD)
def test_what_cannot_be_digits_is_told(change, said):
    """One sentence says what was seen and what settles it."""
    found = input_warnings(change(_bars(64)), None)
    assert len(found) == 1
    assert re.search(said, found[0])


@pytest.mark.parametrize("rows", [0, 1, 64, 256, 1024])
@pytest.mark.parametrize("make", [_bars, lambda rows: make_digits(rows).pixels], ids=["bars", "noise"])
def test_ordinary_data_is_not_suspected(make, rows):
    """Digits, and noise too, are passed without a word, however many there are."""
    labels = np.zeros(rows, np.int8)
    assert input_warnings(make(rows), labels) == []
    assert input_warnings(make(rows), None) == []


@pytest.mark.parametrize("high", [2, 10, 256])
def test_noise_all_over_is_not_suspected_of_labels(high):
    """A scanner's faint noise in the corners has neighbours that are noisy, too."""
    noise = np.random.default_rng(0).integers(0, high, (256, 784), dtype=np.uint8)
    assert input_warnings(np.maximum(_bars(256), noise), None) == []


def test_few_images_are_not_judged_by_their_shape():
    """A handful of digits may all be wide ones."""
    assert input_warnings(_transposed(_bars(63)), None) == []


def test_even_one_image_can_be_blank():
    """What needs no crowd to be seen is told of a single image."""
    assert len(input_warnings(np.zeros((1, 784), np.uint8), None)) == 1


def test_several_oddities_are_all_told():
    """Transposed and with a label among the pixels is both."""
    assert len(input_warnings(_with_label_last(_transposed(_bars(64))), None)) == 2


@pytest.mark.parametrize(("rows", "batches"), [(64, 500), (256, 200), (1000, 50)])
def test_no_false_alarm_on_mnist_and_no_miss_when_it_is_changed(mnist, rows, batches):
    """Of random batches of MNIST's training images none is suspected; transposed or inverted, every one is."""
    pixels = read_mnist(mnist, "train").pixels
    random = np.random.default_rng(0)
    for _ in range(batches):
        batch = pixels[random.integers(0, len(pixels), rows)]
        assert input_warnings(batch, None) == []
        assert len(input_warnings(_transposed(batch), None)) == 1
        assert len(input_warnings(255 - batch, None)) == 1


def test_no_false_alarm_where_a_file_is_sorted(mnist):
    """A file that begins with a thousand of one digit, whichever, is ordinary."""
    train = read_mnist(mnist, "train")
    assert [input_warnings(train.pixels[train.labels == digit][:1024], None) for digit in range(10)] == [[]] * 10
