"""How much of a file of integers is looked at before its scale is certain."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import PIXEL_NAMES

from job.read.table import table_source


@pytest.mark.parametrize(("highest", "probed"), [(255, 0), (2, 0), (1, 784 * 3), (0, 784 * 3)])
def test_values_above_1_settle_the_scale(open_parquet, tmp_path, monkeypatch, highest, probed):
    """One in the middle of the image is enough; otherwise all pixels of the first records are judged."""
    seen = []

    def detect(samples):
        seen.extend(samples)
        return "255"

    monkeypatch.setattr(table_source, "detect_scale", detect)
    pixels = np.zeros((3, 784), np.int64)
    pixels[1, 14 * 28 + 14] = highest
    pq.write_table(pa.table(dict(zip(PIXEL_NAMES, pixels.T, strict=True))), tmp_path / "a.parquet")
    assert open_parquet(tmp_path / "a.parquet").pixel_scale == "255"
    assert sum(map(len, seen)) == probed
