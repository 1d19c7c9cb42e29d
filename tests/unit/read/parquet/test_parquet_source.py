"""Parquet files of 784 columns: as every library writes them, in parts and blocks, with bad values, damaged."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import assert_same, joined, read_all
from support.files import PIXEL_NAMES, make_digits, write_parquet
from support.pictures import as_bytes, as_pictures

from job.contract import PixelBatch, Reason
from job.errors import DataError, InputChanged, LayoutError
from job.read.csv.csv_source import csv_source
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings
from job.storage import LocalStorage


def _write(path, digits, **replaced):
    """A file of digits with some columns replaced: pixel3=pa.array(..)."""
    columns = {"label": digits.labels}
    columns |= {name: digits.pixels[:, index] for index, name in enumerate(PIXEL_NAMES)}
    pq.write_table(pa.table(columns | replaced), path)
    return path


@pytest.fixture
def three(digits):
    return digits[:3]


def test_sizes_of_row_groups_parts_and_blocks(open_parquet, storage, tmp_path, digits):
    """Rows come in order, at most `block_rows` at a time, whatever the sizes."""
    few = digits[:5]
    for row_group_size in (1, 2, 1000):
        source = open_parquet(write_parquet(tmp_path / "a.parquet", few, row_group_size=row_group_size))
        assert (source.rows, source.has_labels, source.format) == (5, True, "parquet")
        for block_rows in (1, 3):
            batches = [batch for each in source.split(20_000) for batch in source.read(storage, each, block_rows)]
            assert max(len(batch.pixels) for batch in batches) <= block_rows
            assert_same(joined(batches), PixelBatch(few.pixels, few.labels))
            assert all(batch.pixels.flags.c_contiguous and batch.pixels.dtype == np.uint8 for batch in batches)


def test_file_without_labels(open_parquet, storage, tmp_path, digits):
    """Without a label column, batches have no labels."""
    source = open_parquet(write_parquet(tmp_path / "a.parquet", digits, has_labels=False))
    assert_same(read_all(source, storage), PixelBatch(digits.pixels))


@pytest.mark.parametrize("choices", [{"is_label_ignored": True}, {"label_column": "pixelate"}])
def test_label_named_by_the_user(open_parquet, storage, tmp_path, three, choices):
    """The user may name another column as the label, or none."""
    path = _write(tmp_path / "a.parquet", three, pixelate=pa.array([3, 2, 1]))
    batch = read_all(open_parquet(path, **choices), storage)
    assert (batch.labels is None) if "is_label_ignored" in choices else batch.labels.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    "names",
    [[f"{row}x{column}" for row in range(28) for column in range(28)], [f"pixel.{index}" for index in range(784)]],
    ids=["grid", "dots"],
)
def test_columns_in_any_order_among_others(open_parquet, storage, tmp_path, digits, names):
    """Pixels are put in order by name; other columns, of any type, are skipped."""
    order = np.random.default_rng(3).permutation(784)
    columns = {"pixel": pa.array([{"x": 1}] * 100), **{names[index]: digits.pixels[:, index] for index in order}}
    pq.write_table(pa.table(columns | {"Label": digits.labels, "note": ["text"] * 100}), tmp_path / "a.parquet")
    batch = read_all(open_parquet(tmp_path / "a.parquet"), storage)
    assert_same(batch, PixelBatch(digits.pixels, digits.labels))


@pytest.mark.parametrize(
    "type_",
    [pa.int16(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()],
    ids=str,
)
def test_any_numeric_type(open_parquet, storage, tmp_path, digits, type_):
    """Pixels and labels may be any integers or floating-point numbers."""
    few = digits[:5]
    path = write_parquet(tmp_path / "a.parquet", few)
    table = pq.read_table(path)
    pq.write_table(table.cast(pa.schema([(name, type_) for name in table.column_names])), path)
    assert_same(read_all(open_parquet(path), storage), PixelBatch(few.pixels, few.labels))


@pytest.mark.parametrize(
    ("column", "reason", "detail"),
    [
        (pa.array([1, None, 2], pa.uint8()), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, None, 2], pa.float32()), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, float("nan"), 2]), Reason.MISSING_VALUE, "pixel3 is empty, expected 0-255"),
        (pa.array([1, 256, 2]), Reason.OUT_OF_RANGE, "pixel3 is 256, expected 0-255"),
        (pa.array([1, -1, 2], pa.int8()), Reason.OUT_OF_RANGE, "pixel3 is -1, expected 0-255"),
        (pa.array([1, 2**63 - 1, 2]), Reason.OUT_OF_RANGE, "pixel3 is 9223372036854775807, expected 0-255"),
        (pa.array([1, 2**64 - 1, 2], pa.uint64()), Reason.OUT_OF_RANGE, f"pixel3 is {2**64 - 1}, expected 0-255"),
        (pa.array([1, 300.5, 2]), Reason.OUT_OF_RANGE, "pixel3 is 300.5, expected 0-255"),
        (pa.array([1, float("-inf"), 2]), Reason.NOT_A_NUMBER, "pixel3 is -inf, expected 0-255"),
        (pa.array([1, 0.5, 2]), Reason.NOT_AN_INTEGER, "pixel3 is 0.5, expected a whole number 0-255"),
    ],
    ids=lambda value: str(value).replace("\n", "") if isinstance(value, pa.Array) else "",
)
def test_a_bad_pixel_keeps_its_row(open_parquet, storage, tmp_path, three, column, reason, detail):
    """A value that is not a pixel rejects its row with reason and column; the pixels are 0, the label stays."""
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", three, pixel3=column)), storage)
    [reject] = batch.rejects
    assert (reject.row, reject.reason, reject.detail, reject.column) == (1, reason, detail, "pixel3")
    assert (reject.line, reject.byte_offset) == (None, None)
    assert batch.pixels[:, 3].tolist() == [1, 0, 2]
    assert not batch.pixels[1].any()
    np.testing.assert_array_equal(np.delete(batch.pixels[[0, 2]], 3, 1), np.delete(three.pixels[[0, 2]], 3, 1))
    assert batch.labels.tolist() == three.labels.tolist()


def test_a_row_with_several_bad_values(open_parquet, storage, tmp_path, three):
    """It has one reject, for the first bad column, and rejects are ordered by row."""
    bad = {"pixel700": pa.array([1, 999, None]), "pixel4": pa.array([1, None, 3]), "label": pa.array([77, 78, 79])}
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", three, **bad)), storage)
    assert [(each.row, each.column, each.reason) for each in batch.rejects] == [
        (0, "label", Reason.BAD_LABEL),
        (1, "pixel4", Reason.MISSING_VALUE),
        (2, "pixel700", Reason.MISSING_VALUE),
    ]


def test_bad_labels(open_parquet, storage, tmp_path, three):
    """A missing label is none, another one than 0-9 is rejected, and the pixels stay."""
    column = pa.array([None, 3, 10])
    batch = read_all(open_parquet(_write(tmp_path / "a.parquet", three, label=column)), storage)
    assert batch.labels.tolist() == [-1, 3, -1]
    assert [(each.row, each.detail) for each in batch.rejects] == [(2, "label is 10, expected 0-9")]
    assert {each.reason for each in batch.rejects} == {Reason.BAD_LABEL}
    np.testing.assert_array_equal(batch.pixels, three.pixels)


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("pixel3", pa.array([b"1", b"2", b"3"]), "pixel column 'pixel3' is of type binary, expected a number"),
        (
            "pixel3",
            pa.array([True, False, True]),
            "pixel column 'pixel3' is of type bool, but others are not; expected one kind",
        ),
        (
            "pixel3",
            pa.array([[1], [2], [3]]),
            "pixel column 'pixel3' is of type list<element: int64>, expected a number",
        ),
        ("label", pa.array([True, False, True]), "label column 'label' is of type bool, expected a number or text"),
        ("label", pa.nulls(3), "label column 'label' is of type null, expected a number or text"),
    ],
)
def test_columns_of_other_types(open_parquet, tmp_path, three, name, column, message):
    """Columns that cannot be pixels or labels are refused before any row is read, with their name and type."""
    path = _write(tmp_path / "a.parquet", three, **{name: column})
    with pytest.raises(LayoutError) as error:
        open_parquet(path)
    assert str(error.value) == f"{path}: {message}"


def test_other_tables(open_parquet, tmp_path):
    """A file of something else is refused with the columns that it has."""
    pq.write_table(pa.table({"name": ["x"], "age": [3]}), tmp_path / "a.parquet")
    with pytest.raises(LayoutError, match=re.escape("a.parquet: found 2 columns (name, age); expected 784")):
        open_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("share", "ranges"),
    [
        (0.001, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (1, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (2.1, [(0, 2), (2, 4), (4, 5)]),
        (100, [(0, 5)]),
    ],
)
def test_ranges_are_runs_of_row_groups(open_parquet, tmp_path, digits, share, ranges):
    """A range has as many row groups as fit into a part, and at least one."""
    same = type(digits)(np.tile(digits.pixels[:10], (5, 1)), np.tile(digits.labels[:10], 5))
    source = open_parquet(write_parquet(tmp_path / "a.parquet", same, row_group_size=10))
    assert source.split(int(share * source.group_bytes[0])) == ranges


def test_empty_files(open_parquet, storage, tmp_path, digits):
    """A file without rows, in one row group or none, has one range of no records."""
    schema = pq.read_schema(write_parquet(tmp_path / "one.parquet", digits[:0]))
    pq.ParquetWriter(tmp_path / "none.parquet", schema).close()
    for name, groups in (("one.parquet", 1), ("none.parquet", 0)):
        source = open_parquet(tmp_path / name)
        assert (source.rows, len(source.group_rows), len(source.split(1))) == (0, groups, 1)
        assert read_all(source, storage).pixels.shape == (0, 784)


def test_empty_row_groups(open_parquet, storage, tmp_path, digits):
    """Row groups without rows are read like any other."""
    table = pq.read_table(write_parquet(tmp_path / "a.parquet", digits))
    with pq.ParquetWriter(tmp_path / "b.parquet", table.schema) as writer:
        for start, rows in ((0, 0), (0, 40), (40, 0), (40, 60), (0, 0)):
            writer.write_table(table.slice(start, rows))
    for part_bytes in (1, 10**9):
        batch = read_all(open_parquet(tmp_path / "b.parquet"), storage, part_bytes=part_bytes)
        assert_same(batch, PixelBatch(digits.pixels, digits.labels))


@pytest.mark.parametrize("keep", [4, 8, 100, 0.5, -8, -1], ids=str)
def test_a_truncated_file(open_parquet, tmp_path, digits, keep):
    """It is a data error of one line that names the file."""
    path = write_parquet(tmp_path / "a.parquet", digits)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(DataError) as error:
        open_parquet(path)
    assert str(error.value).startswith(f"{path}: cannot be read as Parquet: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["pages", "footer"])
@pytest.mark.parametrize("seed", range(5))
def test_a_corrupt_file(open_parquet, storage, tmp_path, digits, place, seed):
    """Garbage within it is a data error of one line that names the file, because no retry can help."""
    path = write_parquet(tmp_path / "a.parquet", digits)
    content = bytearray(path.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    random = np.random.default_rng(seed)
    start = int(random.integers(4, footer // 2)) if place == "pages" else footer
    content[start : start + 5000] = random.bytes(5000)
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_all(open_parquet(path), storage)
    assert str(error.value).startswith(f"{path}: cannot be read as Parquet: ")
    assert "\n" not in str(error.value)


def test_progress_adds_up_to_the_file(open_parquet, storage, tmp_path, digits):
    """The bytes read, as the batches say, add up to about the file's size."""
    source = open_parquet(write_parquet(tmp_path / "a.parquet", digits, row_group_size=30))
    sizes = [batch.size_bytes for each in source.split(1) for batch in source.read(storage, each, 7)]
    assert sum(sizes) == pytest.approx(source.file.size, abs=len(sizes))


def test_a_file_that_is_replaced(open_parquet, storage, tmp_path, digits):
    """The error says that it changed, and not that it cannot be read."""
    source = open_parquet(write_parquet(tmp_path / "a.parquet", digits))
    write_parquet(tmp_path / "a.parquet", digits[:50], has_labels=False)
    with pytest.raises(InputChanged, match=r"a\.parquet: was changed while it was being read"):
        read_all(source, storage)


def test_the_footer_is_parsed_once(open_parquet, storage, tmp_path, digits, monkeypatch):
    """However many parts a file has; the same path in another storage is another file."""
    path = write_parquet(tmp_path / "a.parquet", digits, row_group_size=10)
    known, opened = [], pq.ParquetFile

    def opening(*arguments, metadata, **options):
        known.append(metadata is not None)
        return opened(*arguments, metadata=metadata, **options)

    monkeypatch.setattr(pq, "ParquetFile", opening)
    assert len(read_all(open_parquet(path), storage, part_bytes=1).pixels) == 100
    assert known == [False, *[True] * 10]
    other = LocalStorage()
    parquet_source(other, other.stat(str(path)), ReadSettings())
    assert known.count(False) == 2


@pytest.fixture
def both(open_parquet, storage, tmp_path):
    """One table with four bad pixels and a bad label, read from CSV and from Parquet."""
    digits = make_digits(6)
    values = digits.pixels.astype(object)
    values[1, 3], values[2, 4], values[3, 5], values[4, 6] = 256, None, 0.5, float("inf")
    columns = {name: pa.array(values[:, index].tolist(), pa.float64()) for index, name in enumerate(PIXEL_NAMES)}
    pq.write_table(pa.table({"label": pa.array([1, 2, 3, 4, 5, 77]), **columns}), tmp_path / "a.parquet")
    rows = [",".join("" if each is None else str(each) for each in row) for row in values]
    lines = [f"{label},{row}" for label, row in zip([1, 2, 3, 4, 5, 77], rows, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["label", *PIXEL_NAMES]), *lines]))
    csv = csv_source(storage, storage.stat(str(tmp_path / "a.csv")), ReadSettings(), is_compiled=False)
    return read_all(csv, storage), read_all(open_parquet(tmp_path / "a.parquet"), storage)


def test_parquet_and_csv_agree(both):
    """The same table has the same rows, labels, rejected rows, columns and reasons in both formats."""
    csv, parquet = both
    np.testing.assert_array_equal(csv.pixels, parquet.pixels)
    np.testing.assert_array_equal(csv.labels, parquet.labels)
    assert [(each.row, each.column, each.reason) for each in csv.rejects] == [
        (each.row, each.column, each.reason) for each in parquet.rejects
    ]


# Files as other programs write them


DIGITS = make_digits(12)


def _frame(pixels=DIGITS.pixels):
    """A DataFrame with the label first."""
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
def test_files_of_other_programs(open_parquet, storage, tmp_path, write):
    """The same images are read from all of them."""
    write(tmp_path / "a.parquet")
    source = open_parquet(tmp_path / "a.parquet")
    assert source.rows == 12
    assert_same(read_all(source, storage), PixelBatch(DIGITS.pixels, DIGITS.labels))


def test_a_wrong_checksum(open_parquet, storage, tmp_path):
    """If pages have checksums, a flipped bit is a data error and not a wrong digit."""
    path = tmp_path / "a.parquet"
    table = _table(as_bytes(DIGITS.pixels, pa.binary(784)))
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    place = content.index(DIGITS.pixels[5].tobytes())
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_all(open_parquet(path), storage)


def test_files_of_one_schema_share_their_columns(open_parquet, tmp_path, digits):
    """So that many files take little memory, and little time; other settings or another schema are other columns."""
    paths = [write_parquet(tmp_path / name, digits[:3]) for name in ("a.parquet", "b.parquet")]
    first, second = (open_parquet(path).columns for path in paths)
    assert first is second
    assert open_parquet(paths[0], is_label_ignored=True).columns.label is None
    other = open_parquet(write_parquet(tmp_path / "c.parquet", digits[:3], has_labels=False))
    assert other.columns.label is None
