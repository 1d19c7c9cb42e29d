"""UTF-16 text as UTF-8: what Excel's `Unicode text` and PowerShell's `>` write. All else reads UTF-8.

Such a file has only one part: a byte of its UTF-8 does not tell where to look for it in the file.
"""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

from job.errors import DataError
from job.read.packed.compression import PIECE_BYTES
from job.read.packed.stream import PieceStream

# The marks of UTF-16; those of UTF-32 begin with the first of them.
_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF_32_MARK: Final = codecs.BOM_UTF32_LE


def utf16_of(stream: BinaryIO) -> str | None:
    """The name of a stream's encoding if it begins with a byte order mark of UTF-16, else None; seeks to the start."""
    head = stream.read(len(_UTF_32_MARK))
    stream.seek(0)
    if head == _UTF_32_MARK:
        return None
    return _MARKS.get(head[:2])


@contextmanager
def as_utf8(stream: BinaryIO, encoding: str | None, where: str) -> Iterator[BinaryIO]:
    """A stream of UTF-8 with the text of a stream in `encoding`, without its mark; the stream itself if that is None.

    Reading raises DataError for bytes that are not of the encoding. `where` names the file in it.
    """
    if encoding is None:
        yield stream
        return
    with cast("BinaryIO", PieceStream(lambda: _transcoded(stream, encoding, where))) as utf8:
        yield utf8


def _transcoded(stream: BinaryIO, encoding: str, where: str) -> Iterator[bytes]:
    stream.seek(len(codecs.BOM_UTF16))
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := stream.read(PIECE_BYTES):
            yield decoder.decode(piece).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise DataError(f"{where}: is damaged or truncated: it is not UTF-16, as its first bytes say") from error
