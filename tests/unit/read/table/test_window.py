"""Row groups of any size in bounded memory, cut into windows, parts and blocks in any way."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, make_digits, read_mnist
from support.pictures import as_bytes, as_lists, as_pictures

from job.contract import PixelBatch, Reason
from job.read.table.window import window_rows

DIGITS = make_digits(12)


def _table(image=None, labels=None, digits=DIGITS, **replaced):
    """A table of labels and 784 columns, or of labels and one column of images."""
    grid = {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)} | replaced
    labels = digits.labels if labels is None else labels
    return pa.table({"label": labels, **(grid if image is None else {"image": image})})


FORMS = {
    "columns": lambda _: None,
    "lists": lambda pixels: as_lists(pixels, pa.list_(pa.float32())),
    "squares": lambda pixels: as_lists(pixels, pa.list_(pa.list_(pa.uint8()))),
    "bytes": lambda pixels: as_bytes(pixels, pa.binary()),
    "pictures": as_pictures,
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_are_the_same_however_they_are_cut(open_parquet, storage, tmp_path, form, data):
    """Row groups, parts, blocks, windows and the pieces that Arrow decodes make no difference."""
    path = tmp_path / "a.parquet"
    # The page kernel decodes columns in Snappy's format, Arrow those in others.
    compression, rows = data.draw(st.sampled_from(["snappy", "lz4"])), data.draw(st.integers(1, 13))
    pq.write_table(_table(FORMS[form](DIGITS.pixels)), path, compression=compression, row_group_size=rows)
    source = open_parquet(path)
    part_bytes, block_rows = data.draw(st.integers(1, 10**6)), data.draw(st.integers(1, 20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("job.read.table.window._WINDOW_BYTES", data.draw(st.integers(1, 10**4)))
        patch.setattr("job.read.table.window._STRIPE_BYTES", data.draw(st.sampled_from([5000, 10**5, 10**7])))
        patch.setattr("job.read.table.window._RUN_ROWS", data.draw(st.integers(1, 13)))
        patch.setattr("job.read.table.table_source._GRID_ROWS", data.draw(st.integers(1, 13)))
        patch.setattr("job.read.table.table_source._SLICE_BYTES", data.draw(st.integers(1, 10**5)))
        batches = [batch for each in source.split(part_bytes) for batch in source.read(storage, each, block_rows)]
    assert max(len(batch.pixels) for batch in batches) <= block_rows
    assert_same(joined(batches), PixelBatch(DIGITS.pixels, DIGITS.labels))


def test_bad_values_in_windows(open_parquet, storage, tmp_path, digits, monkeypatch):
    """Each bad row of a row group that is read in windows has one reject, for its first bad column."""
    monkeypatch.setattr("job.read.table.window._WINDOW_BYTES", 784 * 10)
    monkeypatch.setattr("job.read.table.table_source._GRID_ROWS", 5)
    bad = pa.array([None if row % 7 == 0 else 256 if row % 7 == 1 else 1 for row in range(100)])
    path = tmp_path / "a.parquet"
    pq.write_table(_table(digits=digits, pixel3=bad, pixel700=bad), path)
    batch = read_all(open_parquet(path), storage, block_rows=3)
    assert [(each.row, each.column, each.reason) for each in batch.rejects] == [
        (row, "pixel3", Reason.MISSING_VALUE if row % 7 == 0 else Reason.OUT_OF_RANGE)
        for row in range(100)
        if row % 7 < 2
    ]
    good = [row for row in range(100) if row % 7 > 1]
    expected = digits.pixels[good].copy()
    expected[:, [3, 700]] = 1
    np.testing.assert_array_equal(batch.pixels[good], expected)


@pytest.mark.parametrize(
    ("rows", "windows"), [(0, 0), (1, 1), (65_536, 1), (122_880, 1), (262_144, 3), (10**6, 4), (10**7, 39)]
)
def test_sizes_of_windows(rows, windows):
    """A row group of usual size is decoded once, a larger one a few times; no window exceeds 192 MiB."""
    found = window_rows(rows, 4096)
    assert found % 4096 == 0
    assert -(-rows // found) == windows
    assert found * 784 <= 192 * 2**20 + 4096 * 784


# Memory and imports, in processes of their own


_READ = """
import sys
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings
from job.storage import LocalStorage

storage = LocalStorage()
source = parquet_source(storage, storage.stat(sys.argv[1]), ReadSettings(keep=tuple(sys.argv[2:])))
rows = sum(len(batch.pixels) for part in source.split(1) for batch in source.read(storage, part, 1024))
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rows, peak, *sorted({"pandas", "PIL", "numba"} & set(sys.modules)))
"""


def _read_in_own_process(path, *keep):
    """(rows, peak memory in KiB, the slow libraries that were imported)."""
    command = [sys.executable, "-c", _READ, str(path), *keep]
    rows, peak, *imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(rows), int(peak), imported


@pytest.mark.parametrize("form", FORMS)
def test_slow_imports(tmp_path, form):
    """Pandas is never imported, which pyarrow tends to do; Pillow is, with the first picture."""
    pytest.importorskip("pandas")
    path = tmp_path / "a.parquet"
    pq.write_table(_table(FORMS[form](DIGITS.pixels), [str(label) for label in DIGITS.labels]), path)
    rows, _, imported = _read_in_own_process(path, "label")
    assert (rows, imported) == (12, ["PIL"] if form == "pictures" else [])


def _mnist_columns(folder):
    pixels = read_mnist(folder, "train").pixels
    return {name: np.resize(pixels[:, index], 10**6) for index, name in enumerate(PIXEL_NAMES)}


def _noise_columns(_):
    random = np.random.default_rng(0)
    return {name: random.integers(0, 256, 10**6, dtype=np.uint8) for name in PIXEL_NAMES}


def _mnist_bytes(folder):
    pixels = read_mnist(folder, "train").pixels
    return {"image": pa.array([pixels[row % len(pixels)].tobytes() for row in range(10**6)], pa.binary(784))}


@pytest.mark.soak
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
@pytest.mark.parametrize("page_rows", [20_000, 10**6], ids=["small pages", "large pages"])
@pytest.mark.parametrize("columns", [_mnist_columns, _noise_columns, _mnist_bytes])
def test_memory_of_a_giant_row_group(tmp_path, mnist, columns, page_rows, figure):
    """Reading one of a million images takes at most 400 MB, whatever its pages and however well they compress."""
    pq.write_table(pa.table(columns(mnist)), tmp_path / "a.parquet", row_group_size=10**6, max_rows_per_page=page_rows)
    rows, peak, _ = _read_in_own_process(tmp_path / "a.parquet")
    figure(f"peak memory for a row group of 1,000,000 ({columns.__name__}, {page_rows:,}): {peak * 1024 / 1e6:.0f} MB")
    assert rows == 10**6
    assert peak * 1024 <= 400e6
