"""Parquet files that lie about their numbers are refused with 65, whatever the number and the lie."""

import io
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.crafted_parquet import FEW_VALUES, VALUES, Lie, written_files
from support.files import PIXEL_NAMES
from support.memory_storage import MemoryStorage, source_in_memory
from support.outcome import assert_ended, measured
from support.parquet_file import columns_file, constant_chunk, plain_chunk
from support.reader_process import ReaderProcess, problem

from job.errors import DataError
from job.read.parquet.parquet_source import parquet_source
from job.settings import ReadSettings

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")

ROWS = (10**9, 2**31, 2**32 + 7, 2**38, 2**60, 2**61, 2**61 + 4096, 2**63 - 1, -1, -(2**63))
FORMS = [name for name, _ in written_files()]
# With 784 columns, a file takes some hundredths of a second.
SMALL = [name for name in FORMS if name not in {"columns", "longs", "numbers", "text", "decimals", "shared"}]


@pytest.fixture(scope="module")
def reader():
    """One process for all files; the first is read to load what reading needs."""
    process = ReaderProcess(seconds=60)
    for _, file in written_files():
        answer = process.read(file.lie([]))
        assert answer.get("rows") == answer.get("announced"), answer
        assert "rows" in answer, answer
    yield process
    process.close()


# A file without the numbers' bytes


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("width", [4, 8])
def test_rows_that_the_bytes_cannot_hold(reader, rows, width):
    """784 columns that share one chunk of 40 bytes: one run without bits, one with, or no values at all."""
    values = min(max(rows, 1), 2**31 - 1)
    for chunk in (constant_chunk(values, width, 0), constant_chunk(values, width, 1), plain_chunk(values, b"")):
        answer = reader.read(columns_file(chunk, rows, width))
        assert problem(answer) is None
        assert "number of rows" in answer["error"] or f"announces {rows:,} rows" in answer["error"]


@pytest.mark.parametrize("command", ["score", "inspect"])
@pytest.mark.parametrize("rows", [10**9, 2**38, 2**60, 2**61 + 4096])
def test_made_up_rows_end_a_run_at_once(tmp_path, model, command, rows):
    """With 65 and the file's name, in little memory, before any work."""
    path = tmp_path / "a.parquet"
    path.write_bytes(columns_file(constant_chunk(min(rows, 2**31 - 1), 8, 0), rows, 8))
    options = ["--input", path, "--output", tmp_path / "out", "--model", model] if command == "score" else [path]
    assert_ended(measured(tmp_path, command, *options), 65, str(path), "rows, but a file of")
    assert not (tmp_path / "out").exists()


def test_many_groups_are_added_up(reader):
    """Row groups that could each be believed are not believed together."""
    content = columns_file(constant_chunk(2**20, 4, 0), 2**20, 4, ["image"], groups=2000)
    assert "2,097,152,000 rows, but a file" in reader.read(content)["error"]


def test_plain_values_that_overflow_their_size(reader):
    """2^29 + 1 values of 8 bytes are no 8 bytes, in 32 bits or in 64."""
    for values in (2**29, 2**29 + 1, 2**61, 2**61 + 1):
        answer = reader.read(columns_file(plain_chunk(values, bytes(8)), 4_000_000, 8))
        assert answer["code"] == 65, answer


@pytest.mark.parametrize("rows", [1, 1_000_000])
def test_constant_images_are_read(reader, rows):
    """A million images of one value take few bytes, and are believed: pyarrow's, and one run in one page."""
    dictionary = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([bytes(784)]))
    content = io.BytesIO()
    pq.write_table(pa.table({"image": dictionary}), content, row_group_size=rows, store_schema=False)
    for file in (content.getvalue(), columns_file(constant_chunk(rows, 4, 0), rows, 4)):
        answer = reader.read(file)
        assert (answer.get("rows"), answer.get("announced")) == (rows, rows), answer


def test_rows_without_bits_heed_a_stop():
    """A run over rows that take no bytes calls `check_stop` with every batch."""

    class Stopped(Exception):
        pass

    def stop():
        if time.monotonic() > deadline:
            raise Stopped

    deadline = float("inf")
    content = columns_file(constant_chunk(4_000_000, 4, 0), 4_000_000, 4)
    storage = MemoryStorage(content, stop)
    source = parquet_source(storage, storage.stat("/in/a.csv"), ReadSettings(scale="255"))
    deadline = time.monotonic() + 0.2
    with pytest.raises(Stopped):
        for _ in source.read(storage, (0, 1), 1024):
            pass
    assert time.monotonic() < deadline + 2


# A written file with other numbers


@pytest.mark.parametrize(
    "form", [form if form in {"fixed", "lists"} else pytest.param(form, marks=pytest.mark.slow) for form in SMALL]
)
def test_every_number_of_a_file(reader, form):
    """Each number of the footer and of the pages, replaced by one that overflows, or by none."""
    file = dict(written_files())[form]
    _check(reader, file, FEW_VALUES)


@pytest.mark.soak
@pytest.mark.parametrize("form", SMALL)
def test_every_number_and_every_value(reader, form):
    """The same for all the numbers around which arithmetic wraps."""
    _check(reader, dict(written_files())[form], VALUES)


@pytest.mark.soak
@pytest.mark.parametrize("form", sorted({*FORMS} - {*SMALL}))
def test_every_number_of_784_columns(reader, form):
    """The same for files whose pixels are columns."""
    _check(reader, dict(written_files())[form], VALUES)


def _check(reader, file, values):
    for name in file.names:
        for value in values:
            found = problem(reader.read(file.lie([Lie(name, value)])))
            assert found is None, (name, value, found)


def test_row_groups_add_up_to_the_file():
    """A footer whose total is another number than its row groups have is damaged."""
    file = dict(written_files())["bytes"]
    with pytest.raises(DataError, match="its row groups have 24 rows, but its footer announces 25"):
        source_in_memory(file.lie([Lie(("footer", 3), 25)]), ReadSettings())


@pytest.mark.parametrize("size", [0, -1, -(2**63), 2**63 - 1])
def test_sizes_of_row_groups_only_plan(size):
    """Whatever the footer says of a row group's size, the parts cover all row groups in order."""
    file = dict(written_files())["bytes"]
    _, source = source_in_memory(file.lie([Lie(("footer", 4, "*", 2), size)]), ReadSettings(scale="255"))
    ranges = source.split(1000)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert ranges[-1][1] == 2


# Pages


def test_a_page_that_expands_to_gigabytes(tmp_path):
    """Is refused by its header: Arrow would allocate and fill a page however large it is."""
    table = pa.table({"image": [bytes(600 << 20), bytes(784)]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)
    assert path.stat().st_size < 1 << 20
    result = measured(tmp_path, "inspect", path)
    assert_ended(result, 65, str(path), "pages take 600 MiB of memory at once, more than 512")


def _shared(value, rows):
    """A column of one value for all rows, which is written as a dictionary."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


def _written(path, columns, **options):
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False, write_statistics=False, **options)
    assert path.stat().st_size < 1 << 20


def _assert_bounded(tmp_path, model, path, *options):
    """A run over a file ends in little memory, with 65 or with all rows rejected."""
    run = ["score", "--input", path, "--output", tmp_path / "out", "--model", model, "--max-rejects", "100%"]
    result = measured(tmp_path, *run, *options, seconds=120, most_mib=600)
    assert result.returncode in {0, 65}, result.stderr
    return result


@pytest.mark.parametrize("command", ["score", "inspect"])
def test_an_image_that_all_rows_share(tmp_path, model, command):
    """2,000 images of 1 MiB each, as one value in the dictionary."""
    path = tmp_path / "a.parquet"
    _written(path, {"image": _shared(bytes(1 << 20), 2000)})
    options = ["--input", path, "--output", tmp_path / "out", "--model", model] if command == "score" else [path]
    assert measured(tmp_path, command, *options, seconds=120, most_mib=600).returncode in {0, 65}


@pytest.mark.parametrize("is_image", [True, False])
@pytest.mark.parametrize("options", [("--keep", "note"), ("--label-column", "note")])
def test_a_text_that_all_rows_share(tmp_path, model, is_image, options):
    """A kept column or a label of 1 MiB beside a column of images, and beside 784 columns."""
    path = tmp_path / "a.parquet"
    rows = 2000
    zeros = pa.array(np.zeros(rows, np.uint8))
    pixels = {"image": _shared(bytes(784), rows)} if is_image else dict.fromkeys(PIXEL_NAMES, zeros)
    _written(path, {**pixels, "note": _shared("7" * (1 << 20), rows)})
    result = _assert_bounded(tmp_path, model, path, *options)
    if "--keep" in options:
        assert_ended(result, 65, str(path), "note: has a text of 1,048,576 bytes")


def test_pixels_whose_text_all_rows_share(tmp_path, model):
    """Numbers written with a million zeros in front."""
    path = tmp_path / "a.parquet"
    column = _shared("0" * (1 << 18), 2000)
    _written(path, dict.fromkeys(PIXEL_NAMES[:1], column) | dict.fromkeys(PIXEL_NAMES[1:], _shared("0", 2000)))
    _assert_bounded(tmp_path, model, path)


def test_an_image_that_does_not_fit(tmp_path):
    """One value of more than a batch may take is refused by file and column."""
    path = tmp_path / "a.parquet"
    _written(path, {"image": [bytes(300 << 20)]}, use_dictionary=False)
    assert_ended(measured(tmp_path, "inspect", path), 65, str(path), "column image: a row may take 300 MiB")


def test_long_lists_in_short_footers(reader):
    """A footer that announces a million row groups is refused before they are allocated."""
    base = reader.read(columns_file(constant_chunk(1, 4, 0), 1, 4))["mib"]
    file = dict(written_files())["bytes"]
    for name in (("footer", 2, "#"), ("footer", 4, "#"), ("footer", 4, "*", 1, "#")):
        answer = reader.read(file.lie([Lie(name, 999_999)]))
        assert problem(answer) is None
        assert answer["mib"] < base + 100


def test_pages_of_real_files_pass():
    """Chunks that are read by the beginnings of their pages, of dictionaries and of plain values."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (3000, 784), dtype=np.uint8)
    columns = {name: pixels[:, place].astype(np.float32) for place, name in enumerate(PIXEL_NAMES)}
    for table, options in (
        (columns, {"data_page_size": 2000, "use_dictionary": False}),
        ({"image": list(map(bytes, pixels))}, {"data_page_size": 9000, "store_schema": False}),
    ):
        content = io.BytesIO()
        pq.write_table(pa.table(table), content, write_batch_size=100, **options)
        storage, source = source_in_memory(content.getvalue(), ReadSettings(scale="255"))
        found = np.concatenate([batch.pixels for batch in source.read(storage, (0, 1), 1024)])
        np.testing.assert_array_equal(found, pixels)
