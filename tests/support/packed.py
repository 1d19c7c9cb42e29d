"""Content compressed in every way that the reader knows."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa


def zstd(content):
    """One zstd frame."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    return packed.getvalue().to_pybytes()


def zip_of(members, method=zipfile.ZIP_DEFLATED):
    """A zip archive of the members, their content by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


PACKERS = {
    "gzip": gzip.compress,
    "bzip2": lambda content: bz2.compress(content, 1),
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": lambda content: zip_of({"a.csv": content}),
}
