import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from job.compiled.machine_code import kernel
from job.read.parquet.footer import ChunkTable
from job.read.parquet.grid import NUMBERS, SLACK_BYTES, TABLE_BYTES, PlainPages
from job.read.parquet.snappy_kernel import unpack

ROWS = 1000
RANDOM = np.random.default_rng(3)
COLUMNS = {
    "background": np.zeros(ROWS, np.uint8),
    "ink": RANDOM.integers(0, 256, ROWS, np.uint8),
    "runs": np.repeat(RANDOM.integers(0, 256, 50, np.uint8), 20),
    "few": RANDOM.choice([0, 0, 0, 7, 255], ROWS).astype(np.uint8),
    "sparse": np.where(RANDOM.random(ROWS) < 0.02, 99, 0).astype(np.uint8),
}


def _written(columns, *, is_nullable=True, type_=None, **options):
    """A Parquet file of some columns, all in one row group."""
    arrays = {name: pa.array(values, type_) for name, values in columns.items()}
    schema = pa.schema([pa.field(name, array.type, nullable=is_nullable) for name, array in arrays.items()])
    file = io.BytesIO()
    pq.write_table(pa.table(arrays, schema=schema), file, **options)
    return file.getvalue()


def _pages(content):
    footer = pq.read_metadata(io.BytesIO(content))
    assert footer.num_row_groups == 1
    file = pa.BufferReader(content)
    return PlainPages(file, ChunkTable(file, footer), 0, footer.num_rows)


def _decoded(content, name, start=0, stop=ROWS):
    """A column's rows as the kernel reads them; None if the column is not plain. The bytes around stay as they are."""
    room = np.full(stop - start + 200, 170, np.uint8)
    is_plain = _pages(content).put(name, start, room[100:-100])
    assert (room[:100] == 170).all()
    assert (room[-100:] == 170).all()
    return room[100:-100] if is_plain else None


PLAIN = {
    "as pyarrow writes": {},
    "unpacked": {"compression": "none"},
    "version 2 pages": {"data_page_version": "2.0"},
    "version 2 pages, unpacked": {"data_page_version": "2.0", "compression": "none"},
    "without dictionary": {"use_dictionary": False},
    "without nulls": {"is_nullable": False},
    "without nulls, version 2 pages": {"is_nullable": False, "data_page_version": "2.0"},
    "many pages": {"data_page_size": 64, "write_batch_size": 10},
    "many pages, without dictionary": {"data_page_size": 64, "write_batch_size": 10, "use_dictionary": False},
    "a dictionary that grew too large": {"dictionary_pagesize_limit": 64, "write_batch_size": 10},
    "without statistics": {"write_statistics": False},
    **{f"as {type_}": {"type_": type_} for type_ in (pa.int16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64())},
}


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN.keys())
@pytest.mark.parametrize("name", COLUMNS)
def test_plain_columns_are_read_without_arrow(name, options):
    """However a writer cuts and packs them, whole or a window of rows at a time."""
    content = _written(COLUMNS, **options)
    for start, stop in ((0, ROWS), (0, 1), (1, 2), (7, 500), (500, 1000), (999, 1000), (333, 341)):
        np.testing.assert_array_equal(_decoded(content, name, start, stop), COLUMNS[name][start:stop])


NULLS = {"pixel": [None if row == 700 else row % 200 for row in range(ROWS)]}
NOT_PLAIN = {
    "nulls": _written(NULLS),
    "nulls, version 2 pages": _written(NULLS, data_page_version="2.0"),
    "only nulls": _written({"pixel": pa.nulls(ROWS, pa.uint8())}),
    "zstd": _written({"pixel": COLUMNS["ink"]}, compression="zstd"),
    "checksums": _written({"pixel": COLUMNS["ink"]}, write_page_checksum=True),
    "floats": _written({"pixel": COLUMNS["ink"]}, type_=pa.float32()),
    "too large": _written({"pixel": np.where(np.arange(ROWS) == 500, 256, 3)}),
    "too large, without dictionary": _written(
        {"pixel": np.where(np.arange(ROWS) == 500, 256, 3)}, use_dictionary=False
    ),
    "negative": _written({"pixel": np.where(np.arange(ROWS) == 500, -1, 3)}),
    "negative, without dictionary": _written({"pixel": np.where(np.arange(ROWS) == 500, -1, 3)}, use_dictionary=False),
    "differences": _written(
        {"pixel": COLUMNS["ink"]}, use_dictionary=False, column_encoding="DELTA_BINARY_PACKED", type_=pa.int32()
    ),
    "lists": _written({"pixel": [[1]] * ROWS}),
    "text": _written({"pixel": ["1"] * ROWS}),
}  # fmt: skip


@pytest.mark.parametrize("content", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_other_columns_are_left_to_arrow(content):
    """Nulls, other numbers and other encodings are none of the kernel's business."""
    assert _decoded(content, "pixel") is None


def test_a_page_larger_than_its_room_is_left_to_arrow(monkeypatch):
    """However large a header says that it is."""
    content = _written({"pixel": COLUMNS["ink"]}, use_dictionary=False)
    page_bytes = 4 + 2 + len(COLUMNS["ink"]) * 4  # the length of its levels, these, and numbers
    monkeypatch.setattr("job.read.parquet.grid._PAGE_BYTES", page_bytes - 1)
    assert _decoded(content, "pixel") is None
    monkeypatch.setattr("job.read.parquet.grid._PAGE_BYTES", page_bytes + 1)
    assert _decoded(content, "pixel") is not None


CUTS = [{}, {"compression": "none"}, {"data_page_version": "2.0"}, {"use_dictionary": False}]


def _by_arrow(content, otherwise):
    try:
        return pq.read_table(io.BytesIO(content)).column("pixel").to_pylist()
    except OSError:
        return otherwise


@pytest.mark.parametrize("options", CUTS)
def test_no_damage_is_anything_but_what_arrow_sees(options):
    """Each byte of a column is changed in turn: either Arrow is asked, or the pixels are those that it would give.

    Of a header's words that say nothing about the pixels, Arrow refuses some; then they are what they were.
    """
    values = np.concatenate([COLUMNS["few"][:60], COLUMNS["runs"][:40]])
    content = bytearray(_written({"pixel": values}, write_statistics=False, **options))
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    agreed = asked = 0
    for place in range(start, start + chunk.total_compressed_size):
        for change in (1, 2, 128, 255):
            content[place] ^= change
            found = _decoded(bytes(content), "pixel", 0, 100)
            if found is None:
                asked += 1
            else:
                assert found.tolist() == _by_arrow(content, otherwise=values.tolist())
                agreed += 1
            content[place] ^= change
    assert agreed
    assert asked


def _thrift(*numbers):
    """Numbers as Thrift's compact protocol has them, seven bits a byte."""
    return b"".join(
        bytes(
            number >> shift & 127 | 128 * (number >> shift > 127) for shift in range(0, max(7, number.bit_length()), 7)
        )
        for number in numbers
    )


def _page(kind, content, values, encoding):
    """An unpacked page of version 1 with its header: kind, sizes, and the count of values in its own header's place."""
    own = {0: 5, 2: 7}[kind]
    sizes = [b"\x15" + _thrift(2 * number) for number in (kind, len(content), len(content))]
    inner = b"\x15" + _thrift(2 * values) + b"\x15" + _thrift(2 * encoding) + b"\x00"
    return b"".join(sizes) + bytes([(own - 3) << 4 | 12]) + inner + b"\x00" + content


def _decoded_chunk(content, rows):
    """A column chunk as the kernel reads it; None if it is not plain. Behind its page's room lie more indices."""
    source, target = np.frombuffer(content, np.uint8), np.zeros(rows, np.uint8)
    room = np.ones(TABLE_BYTES + 1000 + SLACK_BYTES + 2 * rows, np.uint8)
    numbers, result = np.zeros(NUMBERS, np.int64), np.zeros(1, np.int64)
    kernel("job.read.parquet.page_kernel", "decode")(
        source.ctypes.data, len(content), 4, False, False, rows, 0, rows, target.ctypes.data,
        room.ctypes.data, 1000, numbers.ctypes.data, result.ctypes.data,
    )  # fmt: skip
    return target if result[0] else None


DICTIONARY = _page(2, np.arange(4, dtype=np.int32).tobytes(), 4, 0)


def test_a_run_of_indices_is_as_long_as_its_bytes():
    """A number of groups whose bytes are, times eight, a small number again would be read from beyond the page."""
    rows = 8000
    good = bytes([8]) + _thrift(1 << 1 | 1) + bytes([0, 1, 2, 3] * 2)
    assert _decoded_chunk(DICTIONARY + _page(0, good, 8, 8), 8).tolist() == [0, 1, 2, 3] * 2
    for groups in (2, 1 << 40, 1 << 58, 1 << 60, 1 << 61):
        lying = bytes([8]) + _thrift(groups << 1 | 1) + bytes([0, 1, 2, 3] * 2)
        assert _decoded_chunk(DICTIONARY + _page(0, lying, rows, 8), rows) is None


@pytest.mark.parametrize("kind", range(16))
def test_a_field_of_a_header_whose_number_does_not_end(kind):
    """Whatever kind of field it announces, the column is left to Arrow, soon."""
    assert _decoded_chunk(bytes([kind]) + b"\xff" * 20, 8) is None


def test_a_column_cut_short_is_left_to_arrow():
    """A file that shrinks while it is read gives fewer bytes than asked for."""
    content = _written({"pixel": COLUMNS["ink"]})
    file = pa.BufferReader(content)
    table = ChunkTable(file, pq.read_metadata(io.BytesIO(content)))
    pages = PlainPages(pa.BufferReader(content[:300]), table, 0, ROWS)
    assert not pages.put("pixel", 0, np.empty(ROWS, np.uint8))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    some.lists(some.tuples(some.binary(min_size=1, max_size=90), some.integers(1, 60)), max_size=20).map(
        lambda pieces: b"".join(piece * times for piece, times in pieces)
    )
)
def test_snappy_is_unpacked(plain):
    """Whatever the compressor makes of it: literals, copies near and far, and copies of themselves."""
    packed = pa.compress(plain, "snappy", asbytes=True)
    source, target = np.frombuffer(packed, np.uint8), np.zeros(len(plain) + 16, np.uint8)
    assert unpack(source.ctypes.data, len(packed), target.ctypes.data, len(plain))
    assert target[: len(plain)].tobytes() == plain
    assert not unpack(source.ctypes.data, len(packed), target.ctypes.data, len(plain) + 1)
    if len(packed) > 1:
        assert not unpack(source.ctypes.data, len(packed) - 1, target.ctypes.data, len(plain))


BAD_SNAPPY = {
    "nothing": (b"", 4),
    "no length": (b"\xff\xff\xff\xff\xff\xff", 4),
    "another length": (b"\x05" + bytes([3 << 2]) + b"abcd", 4),
    "a literal that is too long": (b"\x04" + bytes([200 << 2 & 255]) + b"ab", 4),
    "a literal beyond the end": (b"\x04" + bytes([4 << 2]) + b"abcde", 4),
    "a long literal of no length": (b"\x04" + bytes([60 << 2]), 4),
    "a huge literal": (b"\x04" + bytes([63 << 2]) + b"\xff\xff\xff\xff", 4),
    "a copy of nothing": (b"\x04" + bytes([1, 1]), 4),
    "a copy from itself": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([1, 0]), 8),
    "a copy beyond the end": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([(7 << 2) | 1, 4]), 8),
    "a copy without its place": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([2, 4]), 8),
    "a copy from before the beginning": (b"\x08" + bytes([3 << 2]) + b"abcd" + bytes([1, 5]), 8),
}


@pytest.mark.parametrize(("packed", "size"), BAD_SNAPPY.values(), ids=BAD_SNAPPY.keys())
def test_what_is_no_snappy_is_refused(packed, size):
    """And nothing is written beyond what was made room for."""
    source, target = np.frombuffer(packed + bytes(8), np.uint8), np.full(size + 32, 170, np.uint8)
    assert not unpack(source.ctypes.data, len(packed), target.ctypes.data, size)
    assert (target[size + 16 :] == 170).all()
