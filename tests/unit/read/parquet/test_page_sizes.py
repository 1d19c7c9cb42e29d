"""The sizes of pages are found by their headers alone, and no header leads outside the bytes that are read."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.guarded_memory import SIDES, GuardedFile
from support.parquet_file import columns_file, constant_chunk, endless_chunk, plain_chunk

from job.read.parquet.footer import ChunkTable
from job.read.parquet.page_sizes import check_page_sizes
from job.settings import MIB


def _check(content, names, side="end"):
    footer = pq.read_metadata(io.BytesIO(content))
    check_page_sizes(GuardedFile(content, side), ChunkTable(GuardedFile(content, side), footer).entries(0, names))


def _written(table, **options):
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, **options)
    return file.getvalue()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("rows", [1, 50_000])
def test_pages_of_any_file_pass(side, version, rows):
    """Short chunks, which are read whole, and long ones; pages with and without a dictionary; structs and lists."""
    random = np.random.default_rng(0)
    table = {
        "number": random.random(rows),
        "text": [str(row % 9) for row in range(rows)],
        "list": [[row] for row in range(rows)],
        "struct": [{"bytes": b"x" * 3000 if not row % 100 else None, "path": "y"} for row in range(rows)],
    }
    content = _written(table, data_page_version=version, data_page_size=4000)
    _check(content, [*table], side)
    _check(content, ["struct.bytes"], side)


def test_pages_add_up():
    """The largest page and the dictionary of each column that is read at once."""
    column = [bytes(200 * MIB)]
    content = _written({"a": column, "b": column, "c": column}, compression="zstd", use_dictionary=False)
    _check(content, ["a", "b"])
    with pytest.raises(pa.ArrowInvalid, match="pages take 600 MiB of memory at once, more than 512"):
        _check(content, ["a", "b", "c"])


@pytest.mark.parametrize("side", SIDES)
def test_no_damage_leads_outside(side):
    """Whichever byte of the pages is changed, they pass or do not."""
    found = set()
    for chunk in (constant_chunk(100, 8, 1), plain_chunk(4, bytes(32))):
        content = bytearray(columns_file(chunk, 100, 8, ["pixel"]))
        for place in range(4, 4 + len(chunk)):
            for change in (1, 2, 16, 128, 255):
                content[place] ^= change
                try:
                    _check(bytes(content), ["pixel"], side)
                    found.add("passes")
                except pa.ArrowInvalid as error:
                    found.add(str(error))
                content[place] ^= change
    assert len(found) == 3, found


@pytest.mark.parametrize("padding", [0, 100, 40_000])
def test_a_page_that_leads_back_to_itself(padding):
    """The walk along the pages only goes forward, in short chunks and in long ones."""
    with pytest.raises(pa.ArrowInvalid, match="announces more bytes or values than there are"):
        _check(columns_file(endless_chunk() + bytes(padding), 100, 4, ["pixel"]), ["pixel"])


@pytest.mark.parametrize("number", [2**31, 2**32, 2**61, 2**62])
def test_numbers_of_more_than_32_bits_are_damage(number):
    """A header whose number of values does not fit into 32 bits."""
    with pytest.raises(pa.ArrowInvalid, match="header of a page is damaged"):
        _check(columns_file(constant_chunk(number, 4, 0), 100, 4, ["pixel"]), ["pixel"])
