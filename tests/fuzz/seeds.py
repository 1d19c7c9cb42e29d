"""The initial corpus of each target: small files in every form, and some choices for each kind of messy record."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from support.crafted_files import FILES
from support.files import csv_text, make_digits

AS_IT_IS, BUILT = b"\0", b"\1"


def write_seeds(folder, seeds):
    """Write the inputs that `seeds` yields to a folder unless it holds files already."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(seed)


def csv_seeds():
    """Files, and choices for files, with the first byte that tells which."""
    digits = make_digits(2)
    for has_header in (True, False):
        for has_labels in (True, False):
            text = csv_text(digits[: 2 - has_header], has_header=has_header, has_labels=has_labels).encode()
            yield AS_IT_IS + text
            yield AS_IT_IS + b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")
    yield AS_IT_IS + gzip.compress(csv_text(digits).encode(), mtime=0)
    for form in range(4):
        # Columns, a byte order mark, the line end and whether the last line has one; then choices for the records.
        yield BUILT + bytes([form, form % 2, form // 2, form % 2]) + bytes(range(32))


def readers_seeds():
    """A change of one word in each file."""
    for number in range(len(FILES)):
        yield bytes([number])
        yield bytes([number, 6, 0, 0, number % 32, 3 * number])


def file_seeds():
    """Any bytes: they seed the choice of lies."""
    return (bytes([number]) for number in range(64))


ROWS = 100
PARQUET = [
    {}, {"compression": "none"}, {"data_page_version": "2.0"}, {"use_dictionary": False},
    {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"}, {"write_page_checksum": True},
    {"data_page_size": 64, "write_batch_size": 10}, {"dictionary_pagesize_limit": 64, "write_batch_size": 10},
]  # fmt: skip


def page_seeds():
    """Column chunks, with choices before them: of codec, nulls and width; rows less one; first row; buffer."""
    random = np.random.default_rng(0)
    columns = [random.choice([0, 0, 0, 7, 255], ROWS), np.repeat(random.integers(0, 256, 10), 10)]
    for values in (*columns, [None, *range(1, ROWS)]):
        for type_, width in ((pa.uint8(), 4), (pa.int64(), 8)):
            for options in PARQUET:
                content, footer = _parquet(pa.table({"pixel": pa.array(values, type_)}), **options)
                chunk = footer.row_group(0).column(0)
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                choices = (chunk.compression == "SNAPPY") | 2 | 4 * (width == 8)
                yield bytes([choices, ROWS - 1, 7, 110]) + content[start : start + chunk.total_compressed_size]


def footer_seeds():
    """Footers, with the numbers of row groups and of columns before them."""
    for columns in (1, 3):
        table = pa.table({f"pixel{index}": np.arange(ROWS) for index in range(columns)})
        for options in PARQUET:
            content, footer = _parquet(table, row_group_size=40, **options)
            size = int.from_bytes(content[-8:-4], "little")
            yield bytes([footer.num_row_groups, columns]) + content[-8 - size : -8]


def snappy_seeds():
    """Compressed data, with the length of the plain data before it."""
    random = np.random.default_rng(0)
    for plain in (b"", b"a", b"a" * 100, b"abc" * 300, bytes(range(256)), random.choice([0, 0, 9], 999).tobytes()):
        yield len(plain).to_bytes(2, "little") + pa.compress(plain, "snappy", asbytes=True)


def _parquet(table, **options):
    """A file's content and footer."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue(), pq.read_metadata(file)
