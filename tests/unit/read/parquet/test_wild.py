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

from job.contract import PixelBatch
from job.errors import DataError
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings

DIGITS = make_digits(12)


def _source(storage, path):
    return parquet_source(storage, storage.stat(str(path)), ReadSettings())


def _frame(pixels=DIGITS.pixels):
    """What people have in memory: int64 columns with the label first."""
    import pandas as pd

    frame = pd.DataFrame(pixels, columns=PIXEL_NAMES)
    frame.insert(0, "label", DIGITS.labels)
    return frame


def _table(image=None, labels=None):
    grid = {name: DIGITS.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    labels = DIGITS.labels if labels is None else labels
    return pa.table({"label": labels, **(grid if image is None else {"image": image})})


def _pandas_shuffled(path):
    frame = _frame().astype("int64")
    frame.index = np.arange(12)[::-1]
    frame.to_parquet(path)


def _pandas_lists(path):
    frame = _frame()[["label"]]
    frame["image"] = list(DIGITS.pixels)
    frame.to_parquet(path)


def _polars(path, **options):
    polars = pytest.importorskip("polars")
    polars.from_arrow(_table()).write_parquet(path, **options)


def _polars_series(path, kind):
    polars = pytest.importorskip("polars")
    type_ = {
        "list": polars.List(polars.UInt8),
        "array": polars.Array(polars.UInt8, 784),
        "square": polars.Array(polars.UInt8, (28, 28)),
        "bytes": polars.Binary,
    }[kind]
    rows = DIGITS.pixels.reshape(-1, 28, 28) if kind == "square" else DIGITS.pixels
    cells = [row.tobytes() for row in rows] if kind == "bytes" else rows.tolist()
    labels = polars.Series("label", DIGITS.labels).cast(polars.String).cast(polars.Categorical)
    polars.DataFrame([labels, polars.Series("pixels", cells, dtype=type_)]).write_parquet(path)


def _hugging_face(path):
    metadata = {
        "huggingface": '{"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel"}}}}'
    }
    table = _table(as_pictures(DIGITS.pixels, is_struct=True), DIGITS.labels.astype(np.int64))
    pq.write_table(table.select(["image", "label"]).replace_schema_metadata(metadata), path)


WRITERS = {
    "pandas": lambda path: _frame().to_parquet(path),
    "pandas int64, own index": _pandas_shuffled,
    "pandas float64": lambda path: _frame().astype("float64").to_parquet(path),
    "pandas nullable": lambda path: _frame().astype("Int64").to_parquet(path),
    "pandas label as category": lambda path: _frame().astype({"label": "category"}).to_parquet(path),
    "pandas label as text": lambda path: _frame().astype({"label": "str"}).to_parquet(path),
    "pandas fractions": lambda path: _frame(DIGITS.pixels / 255).to_parquet(path),
    "pandas lists": _pandas_lists,
    "polars": _polars,
    "polars gzip": lambda path: _polars(path, compression="gzip", row_group_size=5),
    "polars without statistics": lambda path: _polars(path, statistics=False, compression="uncompressed"),
    "polars list": lambda path: _polars_series(path, "list"),
    "polars array": lambda path: _polars_series(path, "array"),
    "polars square": lambda path: _polars_series(path, "square"),
    "polars bytes": lambda path: _polars_series(path, "bytes"),
    "hugging face": _hugging_face,
    **{
        f"pyarrow {name}": lambda path, options=options: pq.write_table(_table(), path, **options)
        for name, options in {
            "zstd": {"compression": "zstd"},
            "lz4": {"compression": "lz4"},
            "brotli": {"compression": "brotli"},
            "plain": {"use_dictionary": False},
            "delta": {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED"},
            "pages 2.0": {"data_page_version": "2.0"},
            "version 1.0": {"version": "1.0"},
            "without schema": {"store_schema": False},
            "tiny pages": {"data_page_size": 1, "write_batch_size": 1},
            "checksums": {"write_page_checksum": True},
            "page index": {"write_page_index": True},
        }.items()
    },
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_files_as_people_write_them(storage, tmp_path, write):
    """The same images, as this and that library writes them, are the same rows."""
    write(tmp_path / "a.parquet")
    source = _source(storage, tmp_path / "a.parquet")
    assert source.rows == 12
    assert_same(read_all(source, storage), PixelBatch(DIGITS.pixels, DIGITS.labels))


FORMS = {
    "columns": lambda _: None,
    "lists": lambda pixels: as_lists(pixels, pa.list_(pa.float32())),
    "squares": lambda pixels: as_lists(pixels, pa.list_(pa.list_(pa.uint8()))),
    "bytes": lambda pixels: as_bytes(pixels, pa.binary()),
    "pictures": as_pictures,
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_same_rows_however_cut(storage, tmp_path, form, data):
    """Row groups, parts, blocks and the slices of large row groups change nothing."""
    path = tmp_path / "a.parquet"
    pq.write_table(_table(FORMS[form](DIGITS.pixels)), path, row_group_size=data.draw(st.integers(1, 13)))
    source = _source(storage, path)
    part_bytes, block_rows = data.draw(st.integers(1, 10**6)), data.draw(st.integers(1, 20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("job.read.parquet.window._WINDOW_BYTES", data.draw(st.integers(1, 10**4)))
        patch.setattr("job.read.parquet.window._STRIPE_BYTES", data.draw(st.sampled_from([1, 10**5, 10**7])))
        patch.setattr("job.read.parquet.window._RUN_ROWS", data.draw(st.integers(1, 13)))
        patch.setattr("job.read.parquet.parquet_source._GRID_ROWS", data.draw(st.integers(1, 13)))
        patch.setattr("job.read.parquet.parquet_source._SLICE_BYTES", data.draw(st.integers(1, 10**5)))
        batches = [batch for span in source.spans(part_bytes) for batch in source.read(storage, span, block_rows)]
    assert max(len(batch.pixels) for batch in batches) <= block_rows
    assert_same(joined(batches), PixelBatch(DIGITS.pixels, DIGITS.labels))


def test_wrong_checksum(storage, tmp_path):
    """Where pages have checksums, a flipped bit is a data error and no wrong digit."""
    path = tmp_path / "a.parquet"
    table = _table(as_bytes(DIGITS.pixels, pa.binary(784)))
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    place = content.index(DIGITS.pixels[5].tobytes())
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_all(_source(storage, path), storage)


_READ = """
import sys
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings
from job.storage import LocalStorage

storage = LocalStorage()
source = parquet_source(storage, storage.stat(sys.argv[1]), ReadSettings(keep=tuple(sys.argv[2:])))
rows = sum(len(batch.pixels) for span in source.spans(1) for batch in source.read(storage, span, 1024))
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rows, peak, *sorted({"pandas", "PIL", "numba"} & set(sys.modules)))
"""


def _read_in_own_process(path, *keep):
    """Rows, peak memory in KiB, and which of the slow libraries were imported."""
    command = [sys.executable, "-c", _READ, str(path), *keep]
    rows, peak, *imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(rows), int(peak), imported


@pytest.mark.parametrize("form", FORMS)
def test_no_slow_import(tmp_path, form):
    """However much pyarrow likes to, pandas is never imported; Pillow is with the first picture."""
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
    """Reading a row group of a million images takes at most 400 MB, however large its pages, compressible or not."""
    pq.write_table(pa.table(columns(mnist)), tmp_path / "a.parquet", row_group_size=10**6, max_rows_per_page=page_rows)
    rows, peak, _ = _read_in_own_process(tmp_path / "a.parquet")
    figure(f"peak memory for a row group of 1,000,000 ({columns.__name__}, {page_rows:,}): {peak * 1024 / 1e6:.0f} MB")
    assert rows == 10**6
    assert peak * 1024 <= 400e6
