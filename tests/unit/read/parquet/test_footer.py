"""The footer kernel agrees with pyarrow about every column that it reports, and survives any damage."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.guarded_memory import SIDES, GuardedFile

from job.read.parquet.footer import ChunkTable

ROWS = 60
PIXELS = {f"pixel{index}": np.arange(ROWS, dtype=np.uint8) for index in range(5)}
TABLE = pa.table(
    {
        **PIXELS,
        "wide": np.arange(ROWS),
        "text": [str(row) for row in range(ROWS)],
        "list": [[row] for row in range(ROWS)],
        "struct": [{"a": row} for row in range(ROWS)],
        "map": pa.array([[("a", row)] for row in range(ROWS)], pa.map_(pa.string(), pa.int32())),
        "maybe": [None if row % 3 else row for row in range(ROWS)],
    }
)


def _written(**options):
    file = io.BytesIO()
    pq.write_table(TABLE, file, **{"row_group_size": 25, **options})
    return file.getvalue()


def _table(content, footer=None, side="end"):
    """The table of a file, no byte around whose footer may be read."""
    return ChunkTable(GuardedFile(content, side), footer or pq.read_metadata(io.BytesIO(content)))


FILES = {
    "pyarrow's defaults": {},
    "uncompressed": {"compression": "none"},
    "version 1": {"version": "1.0"},
    "with indices": {"write_page_index": True, "store_schema": False},
    "sorted": {"sorting_columns": [pq.SortingColumn(0)]},
    "without statistics": {"write_statistics": False, "use_dictionary": False},
    "one row a group": {"row_group_size": 1},
}


@pytest.mark.parametrize("options", FILES.values(), ids=FILES.keys())
def test_chunks_are_where_pyarrow_says(options):
    """Each column of each row group is, whatever else is in the footer."""
    content = _written(**options)
    footer, table = pq.read_metadata(io.BytesIO(content)), _table(content)
    for group in range(footer.num_row_groups):
        for index, name in enumerate([*PIXELS, "wide"]):
            expected, found = footer.row_group(group).column(index), table.chunks(group).get(name)
            assert found.offset == (expected.dictionary_page_offset or expected.data_page_offset)
            assert found.size_bytes == expected.total_compressed_size
            assert found.value_bytes == {"INT32": 4, "INT64": 8}[expected.physical_type]
            assert found.is_snappy == (expected.compression == "SNAPPY")
            assert found.has_levels


@pytest.mark.parametrize("name", ["text", "list", "list.list.element", "struct.a", "map", "nothing"])
def test_other_columns_are_left_out(name):
    """Text, lists, maps, fields of a struct that may be null on two levels, and unknown names."""
    assert _table(_written()).chunks(0).get(name) is None


def test_other_codecs_are_left_out():
    """They are left to Arrow."""
    assert _table(_written(compression="zstd")).chunks(0).get("pixel0") is None


def test_columns_in_another_file_are_left_out():
    """A footer may name another file; its offsets are offsets there."""
    content = _written()
    footer = pq.read_metadata(io.BytesIO(content))
    footer.set_file_path("elsewhere.parquet")
    file = io.BytesIO()
    footer.write_metadata_file(file)
    table = _table(file.getvalue())
    assert table.chunks(0).get("pixel0") is None
    assert _table(content).chunks(0).get("pixel0") is not None


def test_no_damage_ends_the_process():
    """Whichever byte of a footer is changed, a chunk is left out or is within the file."""
    content = bytearray(_written(row_group_size=60))
    footer = pq.read_metadata(io.BytesIO(content))
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    refused = 0
    for place in range(start, len(content) - 8):
        for change in (1, 16, 128, 255):
            content[place] ^= change
            chunk = _table(bytes(content), footer).chunks(0).get("pixel2")
            content[place] ^= change
            refused += chunk is None
            assert chunk is None or 0 < chunk.offset <= len(content) - chunk.size_bytes
    assert refused


def test_a_truncated_footer_has_no_chunks():
    """Wherever it ends."""
    content = _written()
    footer = pq.read_metadata(io.BytesIO(content))
    size = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - size
    for length in range(0, 400, 7):
        cut = content[: start + length] + length.to_bytes(4, "little") + content[-4:]
        for side in SIDES:
            assert _table(cut, footer, side).chunks(0).get("pixel0") is None, length
