"""What a file is, by its first bytes: which reader it is for, or a sentence that says why none reads it.

`source` asks for every file. What only the structure of a text tells, such as libsvm or JSON lines, `csv.head` refuses.
"""

import re
import struct
from enum import Enum, auto
from typing import Final

from job.contract import SIDE
from job.errors import LayoutError
from job.flag_names import Flag
from job.read.pictures.kinds import picture_kind

# As many bytes as `file_kind` wants to see: a tar archive's magic number is behind its first member's name.
HEAD_BYTES: Final = 512


class FileKind(Enum):
    """The formats that are read."""

    CSV = auto()
    PARQUET = auto()
    ARROW_FILE = auto()
    ARROW_STREAM = auto()
    IDX_IMAGES = auto()
    IDX_LABELS = auto()
    NPY = auto()
    NPZ = auto()
    PICTURE = auto()


_MAGIC: Final = {
    b"PAR1": FileKind.PARQUET,
    b"ARROW1": FileKind.ARROW_FILE,
    # The mark before each message of the IPC format since Arrow 0.15.
    b"\xff\xff\xff\xff": FileKind.ARROW_STREAM,
    b"\x00\x00\x08\x03": FileKind.IDX_IMAGES,
    b"\x00\x00\x08\x01": FileKind.IDX_LABELS,
    b"\x93NUMPY": FileKind.NPY,
}

_PARQUET: Final = "convert it to Parquet or CSV"
_UNPACK: Final = "unpack it, or use gzip, bzip2, xz, zstd or zip"
_PICKLE: Final = "is a pickle, which may run code when it is opened and is never read; save the arrays with numpy.savez"
_WORKBOOK: Final = "is an Excel workbook; save its sheet as `CSV UTF-8`"
_MATLAB: Final = "is a MATLAB file; save its arrays with numpy.savez, or as CSV"

# Of formats that are not read: the first bytes, and what to say.
_REFUSED: Final = {
    b"PARE": "is a Parquet file whose footer is encrypted; write it again without encryption",
    b"FEA1": "is a Feather file of version 1; write it again as version 2",
    b"Obj\x01": f"is an Avro file; {_PARQUET}",
    b"\x89HDF\r\n\x1a\n": f"is an HDF5 file; save its arrays with numpy.savez; a model goes to {Flag.MODEL}",
    b"MATLAB 5.0 MAT-file": _MATLAB,
    b"MATLAB 7.3 MAT-file": _MATLAB,
    b"SQLite format 3\x00": "is an SQLite database; export the table as CSV",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _WORKBOOK,
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), _PICKLE),
    **dict.fromkeys((b"cnumpy", b"cpandas", b"ccopy_reg", b"(lp0\n", b"(dp0\n"), _PICKLE),
    b"RDX2\n": "is an R workspace; save the table with write.csv",
    b"RDX3\n": "is an R workspace; save the table with write.csv",
    b"X\n\x00\x00\x00": "is an R object (RDS); save the table with write.csv",
    b"<stata_dta>": "is a Stata file; save the table as CSV",
    b"$FL2": "is an SPSS file; save the table as CSV",
    b"$FL3": "is an SPSS file; save the table as CSV",
    b"%PDF-": "is a PDF document; expected a table of pixels",
    b"7z\xbc\xaf\x27\x1c": f"is a 7-Zip archive; {_UNPACK}",
    b"Rar!\x1a\x07": f"is a RAR archive; {_UNPACK}",
    b"\x04\x22\x4d\x18": f"is compressed with LZ4; {_UNPACK}",
    b"\x1f\x9d": f"is compressed with compress; {_UNPACK}",
    b"\xff\x06\x00\x00sNaPpY": f"is compressed with Snappy; {_UNPACK}",
    **dict.fromkeys(
        (b"x\x01", b"x\x5e\x01", b"x\x9c", b"x\xda"),
        "is a zlib stream, as joblib writes it; save the arrays with numpy.savez_compressed",
    ),
    b"version https://git-lfs.github.com/spec/": "is a Git LFS pointer, not the data itself; run `git lfs pull`",
    b"/annex/objects/": "is a git-annex pointer, not the data itself; run `git annex get`",
}
# Text may begin with these, too; binary content follows in the format.
_REFUSED_IF_BINARY: Final = {
    b"ORC": f"is an ORC file; {_PARQUET}",
}
# The same at another offset.
_REFUSED_WITHIN: Final = {
    (257, b"ustar"): "is a tar archive; unpack it and name its files",
    (8, b"DUCK"): "is a DuckDB database; export the table as Parquet or CSV",
}

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_HTML: Final = re.compile(rb"\s*<(!doctype\s+html|html|head|body|!--)", re.IGNORECASE)
_XML: Final = re.compile(rb"\s*<(\?xml|[A-Za-z][\w:.-]*[\s/>])")
# Eight bytes of length and four of its checksum; Castagnoli's polynomial, reversed.
_RECORD_HEADER: Final = struct.Struct("<8sI")
_CRC_32C: Final = 0x82F63B78
_IDX: Final = re.compile(rb"\x00\x00[\x08\x09\x0b-\x0e][\x01-\x04]")


def file_kind(head: bytes, path: str) -> FileKind:
    """The format of a file by its first HEAD_BYTES bytes, unpacked; text of any kind is CSV.

    Raises LayoutError, with what to do instead, for the well-known formats that are not read.
    """
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind is not None:
        return kind
    # Text may begin with the marks of some kinds, too; binary content follows in the format.
    if picture_kind(head) is not None and _CONTROL.search(head):
        return FileKind.PICTURE
    refusal = _refusal(head)
    if refusal is not None:
        raise LayoutError(f"{path}: {refusal}")
    return FileKind.CSV


def _refusal(head: bytes) -> str | None:
    """Why a file is not read; None if it may be CSV."""
    found = [text for magic, text in _REFUSED.items() if head.startswith(magic)]
    if _CONTROL.search(head):
        found += [text for magic, text in _REFUSED_IF_BINARY.items() if head.startswith(magic)]
        found += [text for (place, magic), text in _REFUSED_WITHIN.items() if head.startswith(magic, place)]
    text = head.removeprefix(_BYTE_ORDER_MARK)
    if _HTML.match(text):
        found.append("is an HTML page, not data: a page of a login or an error, perhaps; download the file itself")
    elif _XML.match(text):
        found.append("is XML, not data: an error that a server sent, perhaps; download the file itself")
    if _is_tfrecord(head):
        found.append("is a TFRecord file; write its images to Parquet, or to an array with numpy.save")
    if _IDX.match(head):
        found.append(f"is an IDX file, but not of images of {SIDE}x{SIDE} bytes, or of labels")
    return found[0] if found else None


def _is_tfrecord(head: bytes) -> bool:
    """Whether a file begins with the length of a record and the checksum of that.

    The checksum is CRC-32C, rotated and shifted; see tensorflow/core/lib/io/record_writer.h.
    """
    if len(head) < _RECORD_HEADER.size or not any(head[: _RECORD_HEADER.size]):
        return False
    length, checksum = _RECORD_HEADER.unpack_from(head)
    crc = 0xFFFFFFFF
    for byte in length:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC_32C if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return bool(checksum == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
