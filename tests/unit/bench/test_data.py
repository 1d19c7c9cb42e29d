import gzip

import numpy as np
import pyarrow.parquet as pq
import pytest
from bench import data as module
from bench.data import Data
from support.files import csv_text, make_digits


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Random digits, tiled from ten."""
    monkeypatch.setattr(module, "BASE_ROWS", 10)
    monkeypatch.setattr(module, "_CSV_BLOCK_ROWS", 5)
    return Data(tmp_path / "bench", str(tmp_path / "absent"))


@pytest.fixture
def tiled():
    """What 23 rows should be."""
    return make_digits(10)[np.arange(23) % 10]


def test_csv_files_repeat_the_base(data, tiled):
    """Also where the last block is a piece; compressed or not."""
    assert data.kind == "random"
    assert data.csv(23).read_text() == csv_text(tiled)
    assert gzip.decompress(data.gzip_csv(23).read_bytes()).decode() == csv_text(tiled)


def test_parquet_files_hold_the_same_in_row_groups(data, tiled):
    """784 columns, or one of 784 bytes."""
    columns, binary = pq.ParquetFile(data.parquet(23, 10)), pq.read_table(data.binary_parquet(23))
    assert columns.metadata.num_row_groups == 3
    table = columns.read()
    np.testing.assert_array_equal(table["label"].to_numpy(), tiled.labels)
    np.testing.assert_array_equal(np.column_stack(table.drop(["label"]).columns), tiled.pixels)
    assert b"".join(binary["pixels"].to_pylist()) == tiled.pixels.tobytes()


def test_a_file_is_written_once(data):
    """And nothing temporary is left beside it."""
    before = data.csv(5).stat().st_mtime_ns
    assert data.csv(5).stat().st_mtime_ns == before
    assert [path.name for path in data.csv(5).parent.iterdir()] == ["random-5.csv"]
