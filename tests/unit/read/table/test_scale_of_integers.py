"""How much of a file of integers is looked at before its scale is certain."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES

from job.read.table import table_source


@pytest.mark.parametrize(("highest", "columns"), [(255, 1), (64, 1), (2, 784), (0, 784)])
def test_ink_settles_the_scale(open_parquet, tmp_path, monkeypatch, highest, columns):
    """In the middle of the image, where it usually is; otherwise all pixels of the first records are judged."""
    seen = []
    first_numbers = table_source._first_numbers

    def counted(table, chosen):
        for numbers in first_numbers(table, chosen):
            seen.append(len(numbers))
            yield numbers

    monkeypatch.setattr(table_source, "_first_numbers", counted)
    pixels = np.zeros((3, 784), np.int64)
    pixels[1, 14 * 28 + 14] = highest
    pq.write_table(pa.table(dict(zip(PIXEL_NAMES, pixels.T, strict=True))), tmp_path / "a.parquet")
    assert open_parquet(tmp_path / "a.parquet").pixel_scale == "255"
    assert seen == [3] * columns
