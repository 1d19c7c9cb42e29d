import numpy as np
import pytest
from support.files import make_digits, write_csv

from job.contract import PixelBatch, Reason, Reject
from job.read.checks import FirstRows, read_first_rows
from job.read.source import look
from job.settings import ReadSettings


def _batch(digits, *rejects, has_labels=True):
    return PixelBatch(digits.pixels, digits.labels if has_labels else None, tuple(rejects))


@pytest.mark.parametrize("block_rows", [7, 100, 1024, 2000])
@pytest.mark.parametrize("has_labels", [True, False])
def test_a_head_is_the_first_1024_records_however_they_come(block_rows, has_labels):
    """Batches of any size give the same head."""
    digits, head = make_digits(2000), FirstRows()
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


def test_the_head_of_nothing():
    """An input without records has an empty head."""
    assert FirstRows().pixels.shape == (0, 784)
    assert FirstRows().labels is None


def test_no_more_of_a_file_is_read_than_its_head(storage, tmp_path, monkeypatch):
    """However long the file, reading stops once the head is whole."""
    path = write_csv(tmp_path / "a.csv", make_digits(1200))
    source = look(storage, storage.find(str(path)), ReadSettings())[0]
    asked = []
    read = type(source).read
    monkeypatch.setattr(type(source), "read", lambda *given: (asked.append(1) or each for each in read(*given)))
    assert read_first_rows(source, storage).rows == 1024
    assert len(asked) <= 2
