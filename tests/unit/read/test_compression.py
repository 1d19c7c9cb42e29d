import gzip
from contextlib import ExitStack

import pytest

from job.errors import DataError
from job.read.compression import Compression, opened, recognise

TEXT = bytes(range(256)) * 400


@pytest.fixture
def stream(storage, tmp_path):
    """A function that opens a file of the given content, until the test ends."""
    with ExitStack() as stack:

        def open_content(content):
            (tmp_path / "a.csv.gz").write_bytes(content)
            return stack.enter_context(opened(storage, storage.stat(str(tmp_path / "a.csv.gz")))).stream

        yield open_content


@pytest.mark.parametrize(
    ("head", "compression"),
    [
        (b"\x1f\x8b\x08\x00", Compression.GZIP),
        (b"\x1f\x8b", Compression.GZIP),
        (b"\x1f", Compression.NONE),
        (b"", Compression.NONE),
        (b"labe", Compression.NONE),
        (b"PAR1", Compression.NONE),
    ],
)
def test_gzip_is_recognised_by_its_first_bytes(head, compression):
    """The magic number decides, not the file's name."""
    assert recognise(head) is compression


@pytest.mark.parametrize(
    "content",
    [TEXT, gzip.compress(TEXT), gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])],
    ids=["plain", "gzip", "two members"],
)
def test_content_is_read_whole(stream, content):
    """The stream gives the plain content, also of gzip files that were put together from several."""
    assert stream(content).read() == TEXT


def test_content_is_read_from_any_position(stream):
    """The stream can be put to a position in the plain content."""
    file = stream(gzip.compress(TEXT))
    file.seek(70_000)
    assert file.read(10) == TEXT[70_000:70_010]
    file.seek(3)
    assert file.read(10) == TEXT[3:13]


def test_empty_gzip(stream):
    """A gzip file of nothing holds nothing."""
    assert stream(gzip.compress(b"")).read() == b""


def _flipped(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


PACKED = gzip.compress(TEXT, mtime=0)
DAMAGED = {
    "cut in the header": PACKED[:5],
    "cut in the middle": PACKED[: len(PACKED) // 2],
    "cut before the checksum": PACKED[:-8],
    "cut in the checksum": PACKED[:-3],
    "changed in the middle": _flipped(PACKED, len(PACKED) // 2),
    "changed checksum": _flipped(PACKED, len(PACKED) - 6),
    "changed size": _flipped(PACKED, len(PACKED) - 1),
    "rubbish behind": PACKED + b"rubbish",
    "another method": _flipped(PACKED, 2),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize(
    "verb", [lambda file: file.read(), lambda file: file.seek(len(TEXT) + 1)], ids=["read", "seek"]
)
def test_damaged_gzip_is_a_data_error(stream, content, verb):
    """Whatever is wrong with a gzip file, reading or passing over it says so and names the file."""
    with pytest.raises(DataError, match=r"/a.csv.gz: the gzip data is damaged or cut off \(.+\)$"):
        verb(stream(content))
