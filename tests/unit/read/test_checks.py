"""Input warnings, and the first rows that they are given for."""

import re

import numpy as np
import pytest
from support.files import make_digits, read_mnist, write_csv

from job.contract import PixelBatch, Reason, Reject
from job.read.checks import FirstRows, input_warnings, read_first_rows
from job.read.source import look
from job.settings import ReadSettings


def _transposed(pixels):
    return np.ascontiguousarray(pixels.reshape(-1, 28, 28).transpose(0, 2, 1)).reshape(-1, 784)


def _bars(rows, seed=0):
    """Upright bars of ink in about the shape of digits: 20 tall, 6 to 18 wide, anywhere."""
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
    "inverted": (lambda pixels: 255 - pixels, "dark digits on white.*; if so, add --invert"),
    "transposed": (_transposed, "add --transpose"),
    "0 to 1": (lambda pixels: (pixels > 127).astype(np.uint8), "add --scale 1"),
    "faint": (lambda pixels: pixels // 3, "no pixel of the first 64 images is above 85 of 255"),
    "background of 0.01": (
        lambda pixels: np.rint(pixels * 0.99 + 2.55).astype(np.uint8),
        r"is 3 of 255 \(0.012 of 1\)",
    ),
    "label last": (_with_label_last, "the last pixel of the first .* is always 0-9"),
    "label first": (_with_label_first, "the first pixel of the first .* is always 0-9"),
    "blank": (np.zeros_like, "images are blank"),
    "white": (lambda pixels: np.full_like(pixels, 255), "is one even shade"),
    "grey": (lambda pixels: np.repeat(np.arange(1, len(pixels) + 1, dtype=np.uint8)[:, None], 784, axis=1), "even"),
}


@pytest.mark.parametrize(
    ("change", "read"),
    [
        (lambda pixels: 255 - pixels, ReadSettings(is_inverted=True)),
        (_transposed, ReadSettings(is_transposed=True)),
    ],
    ids=["--invert", "--transpose"],
)
def test_a_flag_that_was_given_is_not_recommended(change, read):
    """Where it made the images odd, the sentence says to leave it out."""
    (found,) = input_warnings(change(_bars(64)), None, read)
    flag = "--invert" if read.is_inverted else "--transpose"
    assert found.endswith(f"leave {flag} out")
    assert "add" not in found


def test_binary_images_on_the_wrong_scale_need_another_scale_also_if_inverted():
    """Pixels of 0 and 1, taken as 0-255 and inverted, are 254 and 255."""
    stored = (_bars(64) == 0).astype(np.uint8)
    found = input_warnings(255 - stored, None, ReadSettings(scale="255", is_inverted=True))
    assert "add --scale 1" in found[0]


@pytest.mark.parametrize(("change", "warning"), ODD.values(), ids=ODD)
def test_images_that_cannot_be_digits_give_a_warning(change, warning):
    """One sentence says what was found and which flag to add."""
    found = input_warnings(change(_bars(64)), None)
    assert len(found) == 1
    assert re.search(warning, found[0])


@pytest.mark.parametrize("make", [_bars, lambda rows: make_digits(rows).pixels], ids=["bars", "noise"])
def test_ordinary_images_give_no_warning(make):
    """Neither digits nor noise do, however many there are."""
    for rows in (0, 1, 64, 256, 1024):
        assert input_warnings(make(rows), np.zeros(rows, np.int8)) == []
        assert input_warnings(make(rows), None) == []


@pytest.mark.parametrize("high", [2, 10, 256])
def test_faint_noise_everywhere_is_not_taken_for_labels(high):
    """A scanner's noise in the corners has noisy neighbours."""
    noise = np.random.default_rng(0).integers(0, high, (256, 784), dtype=np.uint8)
    assert not any("like a label" in each for each in input_warnings(np.maximum(_bars(256), noise), None))


def test_few_images_are_not_judged_by_their_shape():
    """A handful of digits may all be wide ones."""
    assert input_warnings(_transposed(_bars(63)), None) == []


def test_a_single_blank_image_gives_a_warning():
    """It takes no crowd to see that."""
    assert len(input_warnings(np.zeros((1, 784), np.uint8), None)) == 1


def test_each_oddity_gives_a_warning():
    """Transposed images with a label among the pixels give two."""
    assert len(input_warnings(_with_label_last(_transposed(_bars(64))), None)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "batches"), [(64, 500), (256, 200), (1000, 50)])
def test_random_batches_of_mnist(mnist, rows, batches):
    """None gives a warning as it is; transposed or inverted, each gives one."""
    pixels = read_mnist(mnist, "train").pixels
    random = np.random.default_rng(0)
    for _ in range(batches):
        batch = pixels[random.integers(0, len(pixels), rows)]
        assert input_warnings(batch, None) == []
        assert len(input_warnings(_transposed(batch), None)) == 1
        assert len(input_warnings(255 - batch, None)) == 1


def test_a_sorted_file_gives_no_warning(mnist):
    """It begins with a thousand images of one digit, whichever."""
    train = read_mnist(mnist, "train")
    assert [input_warnings(train.pixels[train.labels == digit][:1024], None) for digit in range(10)] == [[]] * 10


# First rows


def _batch(digits, *rejects, has_labels=True):
    return PixelBatch(digits.pixels, digits.labels if has_labels else None, tuple(rejects))


@pytest.mark.parametrize("has_labels", [True, False])
def test_first_rows_are_the_first_1024_records(has_labels):
    """They are the same from batches of any size."""
    digits = make_digits(2000)
    for block_rows in (7, 100, 1024, 2000):
        head = FirstRows()
        for start in range(0, 2000, block_rows):
            head.add(_batch(digits[start : start + block_rows], has_labels=has_labels))
        assert head.is_full
        np.testing.assert_array_equal(head.pixels, digits.pixels[:1024])
        np.testing.assert_equal(head.labels, digits.labels[:1024] if has_labels else None)


def test_rejected_records_are_left_out_but_counted():
    """A record without pixels is no image to judge; one with a bad label is."""
    digits, head = make_digits(5), FirstRows()
    head.add(_batch(digits, Reject(1, Reason.NOT_A_NUMBER, ""), Reject(3, Reason.BAD_LABEL, "")))
    np.testing.assert_array_equal(head.pixels, digits.pixels[[0, 2, 3, 4]])
    assert (head.rows, head.rejected, head.is_full) == (5, 1, False)


def test_no_rows():
    """An input without records has no first rows, and no labels."""
    assert FirstRows().pixels.shape == (0, 784)
    assert FirstRows().labels is None


def test_reading_stops_after_the_first_rows(storage, tmp_path, monkeypatch):
    """However long the file is."""
    path = write_csv(tmp_path / "a.csv", make_digits(1200))
    source = look(storage, storage.find(str(path)), ReadSettings())[0]
    batches = []
    read = type(source).read
    monkeypatch.setattr(type(source), "read", lambda *given: (batches.append(1) or each for each in read(*given)))
    assert read_first_rows(source, storage).rows == 1024
    assert len(batches) <= 2
