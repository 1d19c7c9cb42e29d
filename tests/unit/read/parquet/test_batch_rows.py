"""As many rows are decoded at once as surely fit, and all of them where nothing is long."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.memory_storage import source_in_memory

from job.read.parquet.batch_rows import BatchRows
from job.read.parquet.footer import ChunkTable
from job.read.parquet.page_sizes import check_page_sizes
from job.settings import MIB, ReadSettings


def _rows(columns, rows, **options):
    """How many rows of a file with these columns may be decoded at once."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, store_schema=False, write_statistics=False, **options)
    content = pa.BufferReader(file.getvalue())
    footer = pq.read_metadata(io.BytesIO(file.getvalue()))
    table = ChunkTable(content, footer)
    walks = check_page_sizes(content, table.entries(0, [*columns]))
    return BatchRows(content, walks, table.byte_leaves, footer.num_rows).at_most(rows)


def _shared(value, rows):
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_one_long_value(codec):
    """1 MiB for each of 1,024 rows: 64 of them fit into 64 MiB."""
    for value in (bytes(MIB), "x" * MIB):
        assert _rows({"a": _shared(value, 1024)}, 1024, compression=codec) == 64
    assert _rows({"a": _shared(bytes(MIB), 10), "b": _shared(bytes(MIB), 10)}, 1000, compression=codec) == 25


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"}])
def test_usual_columns_are_read_at_full_width(options):
    """Images that differ fill a dictionary of 1 MiB, and the other pages hold them one after another."""
    random = np.random.default_rng(0)
    images = [bytes(each) for each in random.integers(0, 256, (5000, 784), np.uint8)]
    ids = [f"image-{row:09}" for row in range(5000)]
    assert _rows({"image": images, "id": ids, "label": ["7"] * 5000}, 4096, **options) == 4096
    assert _rows({"number": np.arange(5000)}, 1 << 16, **options) == 1 << 16
    assert _rows({"pixels": [["0"] * 784] * 500}, 1024, **options) == 1024


def test_a_long_value_among_short_ones():
    """The longest value of a dictionary counts, wherever it is."""
    values = [f"{row}" for row in range(1000)]
    values[700] = "x" * MIB
    assert _rows({"a": values}, 1024, dictionary_pagesize_limit=4 * MIB) == 64


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_pages_of_long_values(encoding):
    """A page for each value of 8 MiB."""
    options = {"use_dictionary": False, "column_encoding": {"a": encoding}, "write_batch_size": 1}
    found = _rows({"a": [bytes(8 * MIB)] * 40}, 1024, compression="zstd", data_page_size=1, **options)
    assert found in {4, 8}


def test_values_of_one_width():
    """The schema says what each takes."""
    assert _rows({"a": pa.array([bytes(MIB)] * 2, pa.binary(MIB))}, 1024) == 64
    assert _rows({"a": pa.array([bytes(784)] * 9, pa.binary(784))}, 1024) == 1024


def test_large_pages_are_read_at_full_width():
    """A page of 100 MiB for a whole column is what some writers make."""
    options = {"use_dictionary": False, "data_page_size": 1 << 30, "write_batch_size": 1 << 20}
    assert _rows({"a": [bytes(784)] * 130_000}, 1024, **options) == 1024


def test_a_value_that_does_not_fit():
    """One row of more than a batch may take is refused with the column's name."""
    with pytest.raises(pa.ArrowInvalid, match="column a: a row may take 300 MiB of memory, more than 256"):
        _rows({"a": [bytes(300 * MIB)]}, 1024, compression="zstd", use_dictionary=False)


@pytest.mark.parametrize("rows", [1000, 5000])
def test_images_stay_beside_their_labels(rows):
    """Smaller batches of the label lead to the same rows, with 784 columns and with a column of images."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, 784), dtype=np.uint8)
    labels = [str(row % 10) + " " * (1 << 17) * (row == 7) for row in range(rows)]
    columns = {f"pixel{place}": pixels[:, place] for place in range(784)}
    for table in (columns, {"image": list(map(bytes, pixels))}):
        file = io.BytesIO()
        pq.write_table(pa.table({**table, "label": labels}), file, compression="zstd")
        storage, source = source_in_memory(file.getvalue(), ReadSettings(scale="255"))
        batches = [batch for part in source.split(1 << 30) for batch in source.read(storage, part, 1000)]
        np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), pixels)
        found = np.concatenate([batch.labels for batch in batches])
        np.testing.assert_array_equal(found, np.arange(rows) % 10)
