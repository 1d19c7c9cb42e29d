"""Arrow files, streams, Feather and Hugging Face's folders: the same rows as from CSV; and damage of every kind."""

import json
import struct
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather
from support.batches import assert_same, joined, passthrough_rows, read_all
from support.files import PIXEL_NAMES, make_digits
from support.pictures import as_lists, as_pictures

from job.contract import PixelBatch, Reason
from job.errors import DataError, LayoutError
from job.read.source import files_at, look
from job.settings import ReadSettings

# More than a block, and several record batches.
DIGITS = make_digits(60)


def grid(type_=None):
    columns = {name: pa.array(column, type_) for name, column in zip(PIXEL_NAMES, DIGITS.pixels.T, strict=True)}
    return pa.table({"label": DIGITS.labels, **columns, "id": [f"n{row}" for row in range(60)]})


def write_file(path, table, rows=20, **options):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def write_stream(path, table, rows=20, **options):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def packed(codec):
    return {"options": pa.ipc.IpcWriteOptions(compression=codec)}


WRITERS = {
    "file": write_file,
    "file, lz4": lambda path, table: write_file(path, table, **packed("lz4")),
    "file, zstd": lambda path, table: write_file(path, table, **packed("zstd")),
    "stream": write_stream,
    "stream, zstd": lambda path, table: write_stream(path, table, **packed("zstd")),
    "Feather": lambda path, table: feather.write_feather(table, path, chunksize=20) or path,
    "Feather, not compressed": lambda path, table: feather.write_feather(table, path, "uncompressed") or path,
    "one batch": lambda path, table: write_file(path, table, 1000),
}
TABLES = {
    "columns": grid,
    "columns of 8 bytes": lambda: grid(pa.int64()),
    "columns of doubles": lambda: grid(pa.float64()),
    "columns of text": lambda: pa.table([column.cast(pa.string()) for column in grid().columns], grid().schema.names),
    "lists": lambda: pa.table({"image": as_lists(DIGITS.pixels, pa.list_(pa.int64())), "label": DIGITS.labels}),
    "squares": lambda: pa.table(
        {"image": as_lists(DIGITS.pixels, pa.list_(pa.list_(pa.uint8()))), "label": DIGITS.labels}
    ),
    "pictures": lambda: pa.table({"image": as_pictures(DIGITS.pixels, is_struct=True), "label": DIGITS.labels}),
    "cells": lambda: pa.table({"x": [" ".join(map(str, row)) for row in DIGITS.pixels.tolist()], "y": DIGITS.labels}),
    "categories": lambda: pa.table(
        {
            "image": as_lists(DIGITS.pixels, pa.list_(pa.uint8())),
            "label": pa.array(DIGITS.labels.astype(str)).dictionary_encode(),
        }
    ),
}


@pytest.fixture
def opened(storage):
    """A function that returns the source of a file, with settings as keywords."""

    def open_one(path, **choices):
        [source] = look(storage, [storage.stat(str(path))], ReadSettings(**choices))
        return source

    return open_one


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_form(opened, storage, tmp_path, write, table):
    """In parts and blocks of any size."""
    source = opened(write(tmp_path / "a.arrow", table()))
    assert (source.format, source.rows, source.has_labels) == ("arrow", 60, True)
    for part_bytes, block_rows in ((1 << 30, 1000), (1, 7), (50000, 33)):
        batches = [batch for each in source.split(part_bytes) for batch in source.read(storage, each, block_rows)]
        assert max(len(batch.pixels) for batch in batches) <= block_rows
        assert_same(joined(batches), PixelBatch(DIGITS.pixels, DIGITS.labels))


def test_record_batches_of_one_row(opened, storage, tmp_path):
    """Of any size, and in any number."""
    for write in (write_file, write_stream):
        source = opened(write(tmp_path / "a.arrow", TABLES["lists"](), 1))
        for part_bytes in (1 << 30, 1):
            batch = read_all(source, storage, part_bytes=part_bytes, block_rows=7)
            assert_same(batch, PixelBatch(DIGITS.pixels, DIGITS.labels))


@pytest.mark.parametrize("table", ["columns of doubles", "squares"])
def test_large_record_batches(opened, storage, tmp_path, monkeypatch, table):
    """In a file they are read a few columns, and a window of rows, at a time."""
    monkeypatch.setattr("job.read.arrow_files.arrow_source._WHOLE_BYTES", 1000)
    monkeypatch.setattr("job.read.table.window._WINDOW_BYTES", 784 * 13)
    monkeypatch.setattr("job.read.table.window._STRIPE_BYTES", 8 * 60 * 50)
    monkeypatch.setattr("job.read.table.table_source._GRID_ROWS", 5)
    path = write_file(tmp_path / "a.arrow", TABLES[table](), **packed("zstd"))
    source = opened(path)
    for part_bytes in (1 << 30, 1):
        batch = read_all(source, storage, part_bytes=part_bytes, block_rows=7)
        assert_same(batch, PixelBatch(DIGITS.pixels, DIGITS.labels))
    batch = read_all(opened(path, is_label_ignored=True), storage)
    assert_same(batch, PixelBatch(DIGITS.pixels))


def test_record_batches_that_take_too_much(opened, tmp_path, monkeypatch):
    """A column of a file, or a batch of a stream, is refused rather than read."""
    monkeypatch.setattr("job.read.arrow_files.arrow_source._WHOLE_BYTES", 1000)
    monkeypatch.setattr("job.read.arrow_files.arrow_source._MAX_BYTES", 10000)
    monkeypatch.setattr("job.read.arrow_files.arrow_source._MAX_STREAM_BYTES", 10000)
    for write, what in ((write_stream, "record batch 0"), (write_file, "a column of record batch 0")):
        path = write(tmp_path / "a.arrow", TABLES["lists"]())
        with pytest.raises(LayoutError, match=rf"a.arrow: {what} takes .*; write record batches of fewer rows"):
            opened(path)


def test_flags_and_passthrough(opened, storage, tmp_path):
    """They mean what they mean for Parquet; views of polars become plain text."""
    table = grid()
    table = table.append_column("view", table["id"].cast(pa.string_view()))
    source = opened(write_file(tmp_path / "a.arrow", table), keep=("view", "id"), label_column="label")
    assert source.passthrough_schema.types == [pa.large_string(), pa.string()]
    batch = read_all(source, storage, block_rows=7)
    assert passthrough_rows(batch) == [(f"n{row}", f"n{row}") for row in range(60)]
    assert source.describe_columns() == "784 pixels (pixel0 .. pixel783) + label (label)"
    assert not opened(tmp_path / "a.arrow", is_label_ignored=True).has_labels


def test_rejects(opened, storage, tmp_path):
    """A bad value rejects its own record."""
    columns = {name: pa.array([7.0, 7.0, 7.0]) for name in PIXEL_NAMES}
    columns["pixel5"], columns["label"] = pa.array([7.0, None, 300.0]), pa.array([1, 2, 12])
    for write in (write_file, write_stream):
        batch = read_all(opened(write(tmp_path / "a.arrow", pa.table(columns), 2)), storage)
        assert [(each.row, each.reason, each.detail) for each in batch.rejects] == [
            (1, Reason.MISSING_VALUE, "pixel5 is empty, expected 0-255"),
            (2, Reason.OUT_OF_RANGE, "pixel5 is 300.0, expected 0-255"),
        ]
        assert batch.pixels[:, 0].tolist() == [7, 0, 0]
        assert batch.labels.tolist() == [1, 2, -1]


def test_dictionaries_that_change(opened, storage, tmp_path):
    """A stream may replace a dictionary; it has one part, because it is read from its start."""
    labels = [pa.array(["3", "4"]).dictionary_encode(), pa.array(["5", "3"]).dictionary_encode()]
    images = as_lists(DIGITS.pixels[:2], pa.list_(pa.uint8()))
    schema = pa.schema([("image", images.type), ("label", labels[0].type)])
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for each in labels:
            writer.write_batch(pa.record_batch([images, each], schema=schema))
    source = opened(path)
    assert source.split(1) == [(0, 2)]
    assert read_all(source, storage, block_rows=1).labels.tolist() == [3, 4, 5, 3]


def test_a_folder_of_hugging_face(storage, tmp_path, caplog):
    """`save_to_disk`: the files of JSON beside the streams are no data, and no news; a DatasetDict is two files."""
    for split, rows in (("train", slice(0, 40)), ("test", slice(40, 60))):
        folder = tmp_path / split
        folder.mkdir()
        table = pa.table(
            {"image": as_pictures(DIGITS.pixels[rows], is_struct=True), "label": DIGITS.labels[rows].astype("i8")}
        )
        write_stream(folder / "data-00000-of-00001.arrow", table, 10)
        (folder / "state.json").write_text(json.dumps({"_split": split}))
        (folder / "dataset_info.json").write_text("{}")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    test, train = look(storage, files_at(storage, [str(tmp_path)]), ReadSettings())
    assert_same(read_all(train, storage), PixelBatch(DIGITS.pixels[:40], DIGITS.labels[:40]))
    assert_same(read_all(test, storage), PixelBatch(DIGITS.pixels[40:], DIGITS.labels[40:]))
    assert not caplog.records


def test_no_rows(opened, storage, tmp_path):
    """Are no error."""
    for write in (write_file, write_stream):
        assert len(read_all(opened(write(tmp_path / "a.arrow", grid()[:0])), storage).pixels) == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"image": pa.array([[0] * 100] * 3, pa.list_(pa.int8(), 100))}), "found 1 columns"),
        (pa.table({"a": [1, 2, 3]}), "found 1 columns"),
        (pa.table({"image": pa.array([b"x"] * 3), "label": pa.array([b"x"] * 3)}), "label column 'label' is of type"),
    ],
)
def test_other_columns(opened, tmp_path, table, message):
    """Are refused as in Parquet."""
    for write in (write_file, write_stream):
        with pytest.raises(LayoutError, match=message):
            opened(write(tmp_path / "a.arrow", table))


# Damaged files


@pytest.mark.parametrize("write", [write_file, write_stream])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_truncated_files(opened, storage, tmp_path, write, share):
    """Are refused, and never read in part."""
    content = write(tmp_path / "whole", grid()).read_bytes()
    (tmp_path / "a.arrow").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a.arrow: cannot be read as Arrow: "):
        read_all(opened(tmp_path / "a.arrow"), storage)


def test_arrow_of_before_2019(opened, tmp_path):
    """Its messages have no mark."""
    path = write_file(tmp_path / "a.arrow", grid(), options=pa.ipc.IpcWriteOptions(use_legacy_format=True))
    with pytest.raises(DataError, match=r"no message begins at byte .*; files that Arrow wrote before version 0.15"):
        opened(path)


@pytest.mark.parametrize("write", [WRITERS["file, lz4"], WRITERS["stream, zstd"], write_stream])
@pytest.mark.parametrize("table", ["lists", "categories"])
def test_any_damage(storage, tmp_path, write, table):
    """Wrong bytes anywhere are refused, or change values; they never end the process."""
    content = write(tmp_path / "whole", TABLES[table]()).read_bytes()
    random, path = np.random.default_rng(1), tmp_path / "a.arrow"
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(random.choice((1, 1, 4))):
            # Most of a file is pixels; metadata are at both ends.
            place = random.choice((random.integers(len(content)), random.integers(2000), -random.integers(1, 2000)))
            damaged[place] = random.choice((0, 255, damaged[place] ^ (1 << random.integers(8))))
        path.write_bytes(damaged)
        with suppress(DataError):
            for source in look(storage, [storage.stat(str(path))], ReadSettings(scale="255")):
                read_all(source, storage)


def test_a_buffer_that_claims_terabytes(opened, storage, tmp_path):
    """The size that a compressed buffer states is checked before it is allocated."""
    table = pa.table({"image": as_lists(DIGITS.pixels, pa.list_(pa.int64()))})
    content = bytearray(write_stream(tmp_path / "whole", table, 60, **packed("zstd")).read_bytes())
    size = struct.pack("<q", 60 * 784 * 8)
    content[content.index(size) : content.index(size) + 8] = struct.pack("<q", 1 << 42)
    (tmp_path / "a.arrow").write_bytes(content)
    with pytest.raises(DataError, match="takes 4194304 MiB of memory, more than 256"):
        read_all(opened(tmp_path / "a.arrow", scale="255"), storage)


def test_pixels_are_uint8(opened, storage, tmp_path):
    """Whatever is stored."""
    batch = read_all(opened(write_file(tmp_path / "a.arrow", grid(pa.float64()))), storage)
    assert batch.pixels.dtype == np.uint8
