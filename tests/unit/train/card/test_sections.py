import numpy as np

from job.train.card.sections import golden_rows


def test_golden_rows_have_every_digit():
    """Sixteen rows: the first of each digit, wherever it is, and the first others."""
    labels = np.array([1] * 50 + [0, 2, 3, 4, 5, 6, 7, 8, 9], np.int8)
    rows = golden_rows(labels).tolist()
    assert rows == [0, 1, 2, 3, 4, 5, 6, *range(50, 59)]
    assert set(labels[rows]) == set(range(10))


def test_few_images_are_all_golden():
    """If there are fewer than sixteen."""
    assert golden_rows(np.array([3, 3, 1], np.int8)).tolist() == [0, 1, 2]
