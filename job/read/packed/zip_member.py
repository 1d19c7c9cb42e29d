"""The content of one member of a zip archive, in pieces of bounded size, whatever it is compressed with.

`zipfile` inflates no more than it is asked for. Of bzip2 and LZMA it would decompress all that some bytes expand to,
gigabytes of a few kilobytes, so that those two are decompressed here. `zip_archive` knows the archive.
"""

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from job.read.packed.compression import PIECE_BYTES
from job.storage import StoppableFile

_READ_BYTES: Final = 1 << 16
_HEADER_BYTES: Final = 30
_HEADER_MAGIC: Final = b"PK\x03\x04"
# APPNOTE 5.8.8: two bytes of version, two of size, and LZMA's properties, of which there are five bytes.
_LZMA_HEADER: Final = struct.Struct("<2xHBI")
_LC_VALUES, _LP_VALUES, _PB_VALUES = 9, 5, 5


def member_pieces(raw: StoppableFile, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a member. Raises what `stream.translated_damage` knows for damage, also for a wrong checksum."""
    with archive.open(member) as stream:  # checks the member's own header
        if member.compress_type in {zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}:
            yield from _decompressed(raw, member)
            return
        while piece := stream.read(PIECE_BYTES):
            raw.check_stop()
            yield piece


def content_offset(raw: StoppableFile, member: zipfile.ZipInfo) -> int:
    """Where in the file the content of a member begins, behind its header. Raises BadZipFile.

    APPNOTE 4.3.7: a header of 30 bytes, name and extra field.
    """
    raw.seek(member.header_offset)
    header = raw.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_HEADER_MAGIC):
        raise zipfile.BadZipFile(f"{member.filename} has no header")
    name_bytes, extra_bytes = struct.unpack("<26xHH", header)
    return int(member.header_offset + _HEADER_BYTES + name_bytes + extra_bytes)


def lzma_dictionary_bytes(raw: StoppableFile, member: zipfile.ZipInfo) -> int:
    """How much memory a member that is compressed with LZMA asks for. Raises struct.error, BadZipFile."""
    raw.seek(content_offset(raw, member))
    return int(_LZMA_HEADER.unpack(raw.read(_LZMA_HEADER.size))[2])


def _decompressed(raw: StoppableFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    position = content_offset(raw, member)
    stop = position + member.compress_size
    decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor = bz2.BZ2Decompressor()
    if member.compress_type == zipfile.ZIP_LZMA:
        decompressor = _lzma_decompressor(raw, position)
        position += _LZMA_HEADER.size
    size = checksum = 0
    while not decompressor.eof:
        packed = b""
        if decompressor.needs_input:
            raw.seek(position)
            packed = raw.read(max(0, min(_READ_BYTES, stop - position)))
            position += len(packed)
            if not packed:  # LZMA's mark of the end may be missing
                break
        piece = decompressor.decompress(packed, PIECE_BYTES)
        size, checksum = size + len(piece), zlib.crc32(piece, checksum)
        raw.check_stop()
        if piece and size <= member.file_size:
            yield piece
        elif piece:
            break
    if (size, checksum) != (member.file_size, member.CRC):
        raise zipfile.BadZipFile(f"{member.filename} has another size or checksum than the archive says")


def _lzma_decompressor(raw: StoppableFile, position: int) -> lzma.LZMADecompressor:
    raw.seek(position)
    properties_bytes, properties, dictionary_bytes = _LZMA_HEADER.unpack(raw.read(_LZMA_HEADER.size))
    if properties_bytes != _LZMA_HEADER.size - 4 or properties >= _LC_VALUES * _LP_VALUES * _PB_VALUES:
        raise zipfile.BadZipFile("it has no properties of LZMA")
    rest, lc = divmod(properties, _LC_VALUES)
    pb, lp = divmod(rest, _LP_VALUES)
    coder = {"id": lzma.FILTER_LZMA1, "dict_size": dictionary_bytes, "lc": lc, "lp": lp, "pb": pb}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[coder])
