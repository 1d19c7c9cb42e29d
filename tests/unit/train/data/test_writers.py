import gzip
import logging

import numpy as np
import pytest

from job.errors import DataError
from job.train.data.split import Split, joined
from job.train.data.writers import with_writers


@pytest.fixture
def write_table(tmp_path):
    """A function that writes QMNIST's table for digits; returns the folder."""

    def write(digits, line="{digit}\t4\t{writer}\t0\t0\t0\t0\t0\n", more=3):
        rows = [line.format(digit=digit, writer=2000 + row // 7) for row, digit in enumerate([*digits, *[0] * more])]
        (tmp_path / "qmnist-test-labels.tsv.gz").write_bytes(gzip.compress("".join(rows).encode()))
        return str(tmp_path)

    return write


def test_the_writers_of_mnist_are_its_groups(storage, small_mnist, write_table):
    """Of the test images, in their order; the table goes on behind them."""
    _, test = small_mnist
    found = with_writers(storage, write_table(test.labels), test)
    assert found.groups.tolist() == [str(2000 + row // 7) for row in range(50)]
    assert np.array_equal(found.pixels, test.pixels)
    assert found.rows(np.array([49, 0])).groups.tolist() == ["2007", "2000"]


def test_other_images_have_no_writers(storage, small_mnist, write_table):
    """The same images in another order are other images; nor is anything looked for without a folder."""
    train, test = small_mnist
    folder = write_table(test.labels)
    assert with_writers(storage, folder, train).groups is None
    assert with_writers(storage, folder, test.rows(np.arange(50)[::-1])).groups is None
    assert with_writers(storage, None, test).groups is None


def test_a_folder_without_the_table_is_logged(storage, small_mnist, tmp_path, caplog):
    """Writers are unknown, as without the variable."""
    caplog.set_level(logging.INFO)
    assert with_writers(storage, str(tmp_path), small_mnist[1]).groups is None
    assert "the writers of MNIST's test images are unknown" in caplog.text


@pytest.mark.parametrize("line", ["{digit}\n", "{digit}\t4\tx{writer}\n", "\n"])
def test_a_damaged_table_is_refused(storage, small_mnist, write_table, line):
    """By its name."""
    with pytest.raises(DataError, match=r"qmnist-test-labels.tsv.gz: is not QMNIST's table of labels"):
        with_writers(storage, write_table(small_mnist[1].labels, line), small_mnist[1])


def test_a_table_of_other_digits_is_refused(storage, small_mnist, write_table):
    """Its writers would be those of other images; so would those of a table that is too short."""
    test = small_mnist[1]
    for digits, more in (((test.labels + 1) % 10, 3), (test.labels[:-1], 0)):
        with pytest.raises(DataError, match="its digits are not those of MNIST's test images"):
            with_writers(storage, write_table(digits, more=more), test)


def test_groups_are_known_if_all_splits_know_them(balanced):
    """Joined, a text of any length stays whole."""
    one, two = (Split(balanced.pixels[:2], balanced.labels[:2], np.array([text, ""])) for text in ("a", "longer"))
    assert joined([one, two]).groups.tolist() == ["a", "", "longer", ""]
    assert joined([one, Split(balanced.pixels[:2], balanced.labels[:2])]).groups is None
