"""Small files of images in every binary format but Parquet, written by hand where a program would not write them so.

`FILES` are whole; `changed_numbers` replaces the numbers in them. `npy`, `png` and `idx` take any number in their
headers, with the checksums and lengths that belong to it.
"""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib

import pyarrow as pa

from support.files import csv_text, make_digits
from support.packed import zip_of, zstd
from support.pictures import as_lists, as_pictures

DIGITS = make_digits(3)
SIDE = 28
IMAGES_HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 28, 28), }"
LABELS_HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }"
_PIXELS = DIGITS.pixels.tobytes()
_TEXT = csv_text(DIGITS, has_header=False).encode()


def npy(header=IMAGES_HEADER, body=_PIXELS, *, version=1, header_bytes=None):
    """A `.npy` file. header_bytes: the length that it states."""
    size = len(header) if header_bytes is None else header_bytes
    length = struct.pack("<H", size % (1 << 16)) if version == 1 else struct.pack("<I", size % (1 << 32))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + body


def npz(images=None, labels=None, method=zipfile.ZIP_DEFLATED):
    """Keras's archive."""
    return zip_of({"x.npy": images or npy(), "y.npy": labels or npy(LABELS_HEADER, b"\1\2\3")}, method)


def idx(*header):
    """MNIST's file of images; header: four numbers, of which the first is the magic number."""
    return struct.pack(">4I", *(number % (1 << 32) for number in header)) + _PIXELS


def chunk(kind, data, size=None):
    """A chunk of a PNG. size: the length that it states."""
    length = (len(data) if size is None else size) % (1 << 32)
    return struct.pack(">I", length) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=SIDE, height=SIDE, kind=(8, 0, 0, 0, 0), *, more=b"", data=None, size=None):
    """A PNG. kind: the last five bytes of its header. more: chunks before the data. size: that the data states."""
    rows = zlib.compress((b"\0" + bytes(SIDE)) * SIDE) if data is None else data
    header = struct.pack(">2I5B", width % (1 << 32), height % (1 << 32), *kind)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", rows, size) + chunk(b"IEND", b"")


def arrow(columns, *, is_stream=False, codec=None, rows=2):
    """An Arrow file of batches of two rows."""
    target, table = io.BytesIO(), pa.table(columns)
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with new(target, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return target.getvalue()


def with_pictures(pictures):
    """Pictures in an Arrow file."""
    return arrow({"image": pictures}, rows=1000)


_RAW = [row.tobytes() for row in DIGITS.pixels]
_COLUMNS = {
    "lists": {"image": as_lists(DIGITS.pixels, pa.list_(pa.uint8())), "label": ["1", "2", "3"]},
    "squares": {"image": as_lists(DIGITS.pixels, pa.list_(pa.list_(pa.uint8()))), "label": [1, 2, 3]},
    "bytes": {"image": pa.array(_RAW, pa.large_binary()), "label": pa.array(["1", None, "3"], pa.large_string())},
    "views": {"image": pa.array(_RAW, pa.binary_view()), "label": pa.array(["1", "2", "3"], pa.string_view())},
    "categories": {
        "image": as_pictures(DIGITS.pixels, is_struct=True), "label": pa.array(["1", "2", "1"]).dictionary_encode(),
    },
}  # fmt: skip
FILES = {
    "idx": idx(0x803, 3, SIDE, SIDE),
    "idx, gzip": gzip.compress(idx(0x803, 3, SIDE, SIDE)),
    "npy": npy(),
    "npz": npz(),
    "npz, stored": npz(method=zipfile.ZIP_STORED),
    "npz, bzip2": npz(method=zipfile.ZIP_BZIP2),
    "npz, lzma": npz(method=zipfile.ZIP_LZMA),
    "picture": with_pictures([png(), png()]),
    **{f"arrow, {name}": arrow(columns) for name, columns in _COLUMNS.items()},
    **{f"stream, {name}": arrow(columns, is_stream=True) for name, columns in _COLUMNS.items()},
    "arrow, zstd": arrow(_COLUMNS["bytes"], codec="zstd"),
    "stream, lz4": arrow(_COLUMNS["lists"], codec="lz4", is_stream=True),
    "csv, gzip": gzip.compress(_TEXT),
    "csv, bzip2": bz2.compress(_TEXT),
    "csv, xz": lzma.compress(_TEXT),
    "csv, zstd": zstd(_TEXT),
    "csv, zip": zip_of({"a.csv": _TEXT}),
}
