"""The page kernel: plain columns are decoded as Arrow decodes them, and all others are left to Arrow."""

import bisect
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.guarded_memory import SIDES, GuardedFile, guarded_allocations, guarded_array, guarded_bytes

from job.compiled.machine_code import kernel
from job.read.parquet.footer import ChunkTable
from job.read.parquet.plain_pages import HEADER_NUMBERS, SLACK_BYTES, TABLE_BYTES, PlainPages

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


def _pages(content, side="end"):
    """The pages of a file, which is read into guarded memory."""
    footer = pq.read_metadata(io.BytesIO(content))
    assert footer.num_row_groups == 1
    file = GuardedFile(content, side)
    with guarded_allocations(side):
        return PlainPages(file, ChunkTable(file, footer), 0, footer.num_rows)


def _decoded(content, name, start=0, stop=ROWS):
    """A column's rows as the kernel decodes them; None if it is not plain. No byte around them is touched."""
    side = SIDES[(len(name) + start) % 2]
    target = guarded_array(np.empty(stop - start, np.uint8), side)
    return target if _pages(content, side).put(name, start, target) else None


PLAIN = {
    "pyarrow's defaults": {},
    "uncompressed": {"compression": "none"},
    "version 2 pages": {"data_page_version": "2.0"},
    "version 2 pages, uncompressed": {"data_page_version": "2.0", "compression": "none"},
    "without dictionary": {"use_dictionary": False},
    "without nulls": {"is_nullable": False},
    "without nulls, version 2 pages": {"is_nullable": False, "data_page_version": "2.0"},
    "many pages": {"data_page_size": 64, "write_batch_size": 10},
    "many pages, without dictionary": {"data_page_size": 64, "write_batch_size": 10, "use_dictionary": False},
    "a dictionary that grows too large": {"dictionary_pagesize_limit": 64, "write_batch_size": 10},
    "without statistics": {"write_statistics": False},
    **{f"as {type_}": {"type_": type_} for type_ in (pa.int16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64())},
}


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN.keys())
def test_plain_columns_are_decoded_without_arrow(options):
    """However a writer cuts and compresses them, whole or a window of rows at a time."""
    content = _written(COLUMNS, **options)
    for name, values in COLUMNS.items():
        for start, stop in ((0, ROWS), (0, 1), (1, 2), (7, 500), (500, 1000), (999, 1000), (333, 341)):
            np.testing.assert_array_equal(_decoded(content, name, start, stop), values[start:stop], name)


NULLS = {"pixel": [None if row == 700 else row % 200 for row in range(ROWS)]}
INK = {"pixel": COLUMNS["ink"]}
TOO_LARGE = {"pixel": np.where(np.arange(ROWS) == 500, 256, 3)}
NEGATIVE = {"pixel": np.where(np.arange(ROWS) == 500, -1, 3)}
NOT_PLAIN = {
    "nulls": (NULLS, {}),
    "nulls, version 2 pages": (NULLS, {"data_page_version": "2.0"}),
    "only nulls": ({"pixel": pa.nulls(ROWS, pa.uint8())}, {}),
    "zstd": (INK, {"compression": "zstd"}),
    "checksums": (INK, {"write_page_checksum": True}),
    "floats": (INK, {"type_": pa.float32()}),
    "too large": (TOO_LARGE, {}),
    "too large, without dictionary": (TOO_LARGE, {"use_dictionary": False}),
    "negative": (NEGATIVE, {}),
    "negative, without dictionary": (NEGATIVE, {"use_dictionary": False}),
    "deltas": (INK, {"use_dictionary": False, "column_encoding": "DELTA_BINARY_PACKED", "type_": pa.int32()}),
    "lists": ({"pixel": [[1]] * ROWS}, {}),
    "text": ({"pixel": ["1"] * ROWS}, {}),
}


@pytest.mark.parametrize(("columns", "options"), NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_other_columns_are_left_to_arrow(columns, options):
    """Nulls, other numbers, other codecs and other encodings are not decoded."""
    assert _decoded(_written(columns, **options), "pixel") is None


def test_a_page_larger_than_its_buffer_is_left_to_arrow(monkeypatch):
    """Whatever size its header announces."""
    content = _written(INK, use_dictionary=False)
    page_bytes = 4 + 2 + len(COLUMNS["ink"]) * 4  # the length of its levels, the levels, and values
    monkeypatch.setattr("job.read.parquet.plain_pages._PAGE_BYTES", page_bytes - 1)
    assert _decoded(content, "pixel") is None
    monkeypatch.setattr("job.read.parquet.plain_pages._PAGE_BYTES", page_bytes + 1)
    assert _decoded(content, "pixel") is not None


def _largest_page(content, monkeypatch):
    """The size of the smallest buffer that all pages of a column fit into."""

    def fits(page_bytes):
        monkeypatch.setattr("job.read.parquet.plain_pages._PAGE_BYTES", page_bytes)
        return _decoded(bytes(content), "pixel", 0, 100) is not None

    return bisect.bisect_left(range(1000), True, key=fits)


CUTS = [{}, {"compression": "none"}, {"data_page_version": "2.0"}, {"use_dictionary": False}]


def _by_arrow(content, otherwise):
    try:
        return pq.read_table(io.BytesIO(content)).column("pixel").to_pylist()
    except OSError:
        return otherwise


@pytest.mark.parametrize("options", CUTS)
def test_damage_is_noticed_or_read_as_arrow_reads_it(options, monkeypatch):
    """Whichever byte of a column is changed, it is left to Arrow, or its pixels are those that Arrow reads.

    Arrow refuses some changes to header fields that do not concern the pixels; then they are unchanged.
    """
    values = np.concatenate([COLUMNS["few"][:60], COLUMNS["runs"][:40]])
    content = bytearray(_written({"pixel": values}, write_statistics=False, **options))
    monkeypatch.setattr("job.read.parquet.plain_pages._PAGE_BYTES", _largest_page(content, monkeypatch))
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    agreed = left = 0
    for place in range(start, start + chunk.total_compressed_size):
        for change in (1, 2, 128, 255):
            content[place] ^= change
            found = _decoded(bytes(content), "pixel", 0, 100)
            if found is None:
                left += 1
            else:
                assert found.tolist() == _by_arrow(content, otherwise=values.tolist())
                agreed += 1
            content[place] ^= change
    assert agreed
    assert left


def _thrift(*numbers):
    """Numbers as varints of Thrift's compact protocol."""
    return b"".join(
        bytes(
            number >> shift & 127 | 128 * (number >> shift > 127) for shift in range(0, max(7, number.bit_length()), 7)
        )
        for number in numbers
    )


def _page(kind, plain, values, encoding, *, is_snappy=False):
    """A page of version 1 with its header: type, sizes, and the number of values in the inner header."""
    own = {0: 5, 2: 7}[kind]
    content = pa.compress(plain, "snappy", asbytes=True) if is_snappy else plain
    sizes = [b"\x15" + _thrift(2 * number) for number in (kind, len(plain), len(content))]
    inner = b"\x15" + _thrift(2 * values) + b"\x15" + _thrift(2 * encoding) + b"\x00"
    return b"".join(sizes) + bytes([(own - 3) << 4 | 12]) + inner + b"\x00" + content


def _decoded_chunk(content, rows, *, page_bytes=16, is_snappy=False, has_levels=False):
    """A column chunk as the kernel decodes it; None if it is not plain.

    No byte around the chunk, its rows and a page of `page_bytes` is touched, but for the page's slack.
    """
    for side in SIDES:
        with guarded_allocations(side):
            target, scratch = np.zeros(rows, np.uint8), np.ones(TABLE_BYTES + page_bytes + SLACK_BYTES, np.uint8)
            numbers, result = np.zeros(HEADER_NUMBERS, np.int64), np.zeros(1, np.int64)
        source = np.frombuffer(guarded_bytes(content, side), np.uint8)
        kernel("job.read.parquet.page_kernel", "decode")(
            source.ctypes.data, len(content), 4, is_snappy, has_levels, rows, 0, rows, target.ctypes.data,
            scratch.ctypes.data, page_bytes, numbers.ctypes.data, result.ctypes.data,
        )  # fmt: skip
    return target if result[0] else None


DICTIONARY = _page(2, np.arange(4, dtype=np.int32).tobytes(), 4, 0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    bits=some.integers(1, 8),
    pieces=some.lists(some.tuples(some.booleans(), some.integers(1, 40)), min_size=1, max_size=6),
    indices=some.randoms(use_true_random=False),
    dropped=some.integers(0, 7),
    is_snappy=some.booleans(),
    has_levels=some.booleans(),
)
def test_indices_are_decoded_within_their_page(bits, pieces, indices, dropped, is_snappy, has_levels):
    """Runs and packed groups of any width, up to the last byte of a page and of its buffer."""
    content, expected = bytes([bits]), []
    for is_packed, count in pieces:
        if is_packed:
            values = [indices.randrange(1 << bits) for _ in range(8 * count)]
            number = sum(value << (bits * place) for place, value in enumerate(values))
            content += _thrift(count << 1 | 1) + number.to_bytes(bits * count, "little")
        else:
            values = [indices.randrange(1 << bits)] * count
            content += _thrift(count << 1) + bytes(values[:1])
        expected += values
    if pieces[-1][0]:
        # The last of eight packed indices may be padding.
        expected = expected[: len(expected) - dropped]
    if has_levels:
        levels = _thrift(len(expected) << 1) + b"\x01"
        content = len(levels).to_bytes(4, "little") + levels + content
    dictionary = np.arange(1 << bits, dtype=np.int32)[::-1].tobytes()
    chunk = _page(2, dictionary, 1 << bits, 0, is_snappy=is_snappy)
    chunk += _page(0, content, len(expected), 8, is_snappy=is_snappy)
    options = {"is_snappy": is_snappy, "has_levels": has_levels}
    for page_bytes in (max(len(content), len(dictionary)), 3000):
        found = _decoded_chunk(chunk, len(expected), page_bytes=page_bytes, **options)
        assert found.tolist() == [(1 << bits) - 1 - index for index in expected]
    for lost in range(1, 12):
        _decoded_chunk(chunk[:-lost], len(expected), page_bytes=3000, **options)


def test_a_run_of_indices_ends_with_its_page():
    """A number of groups whose size overflows to a small one must not be read from beyond the page."""
    rows = 8000
    good = bytes([8]) + _thrift(1 << 1 | 1) + bytes([0, 1, 2, 3] * 2)
    assert _decoded_chunk(DICTIONARY + _page(0, good, 8, 8), 8).tolist() == [0, 1, 2, 3] * 2
    for groups in (2, 1 << 40, 1 << 58, 1 << 60, 1 << 61):
        lying = bytes([8]) + _thrift(groups << 1 | 1) + bytes([0, 1, 2, 3] * 2)
        assert _decoded_chunk(DICTIONARY + _page(0, lying, rows, 8), rows) is None


def test_a_header_field_whose_number_does_not_end():
    """Whatever type the field announces, the column is left to Arrow, and soon."""
    for kind in range(16):
        assert _decoded_chunk(bytes([kind]) + b"\xff" * 20, 8) is None, kind


def test_a_truncated_column_is_left_to_arrow():
    """A file that shrinks while it is read returns fewer bytes than asked for."""
    content = _written(INK)
    file = pa.BufferReader(content)
    table = ChunkTable(file, pq.read_metadata(io.BytesIO(content)))
    pages = PlainPages(pa.BufferReader(content[:300]), table, 0, ROWS)
    assert not pages.put("pixel", 0, np.empty(ROWS, np.uint8))
