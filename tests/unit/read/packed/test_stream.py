import gzip
import lzma
import struct
import zipfile
from contextlib import ExitStack, suppress

import pytest
from support.packed import PACKERS, zip_of, zstd

from job.errors import DataError, StorageError
from job.read.packed.compression import Compression, recognise
from job.read.packed.stream import opened

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
        (b"BZh9", Compression.BZIP2),
        (b"\xfd7zXZ\x00", Compression.XZ),
        (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
        (b"\x50\x2a\x4d\x18", Compression.ZSTD),
        (b"PK\x03\x04", Compression.ZIP),
        (b"\x1f", Compression.NONE),
        (b"", Compression.NONE),
        (b"labe", Compression.NONE),
        (b"PAR1", Compression.NONE),
    ],
)
def test_compression_is_recognised_by_its_first_bytes(head, compression):
    """The magic number decides, not the file's name."""
    assert recognise(head) is compression


@pytest.mark.parametrize("pack", [bytes, *PACKERS.values()], ids=["plain", *PACKERS])
@pytest.mark.parametrize("content", [TEXT, b""], ids=["text", "nothing"])
def test_content_is_read_whole(stream, pack, content):
    """The stream gives the plain content, byte for byte, also where that is nothing."""
    assert stream(pack(content)).read() == content


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_content_longer_than_a_piece_is_read_whole(stream, pack):
    """Content that swells to many times its packed size comes in order, and as many bytes as were asked for."""
    content = TEXT * 40
    file = stream(pack(content))
    assert file.read(3_000_003) == content[:3_000_003]
    assert file.read(3_000_003) == content[3_000_003:]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_members_are_read_one_behind_the_other(stream, kind):
    """Files that were put together from several hold the content of all, empty ones among them."""
    pack = PACKERS[kind]
    assert stream(pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:])).read() == TEXT


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_zeros_may_pad_a_member(stream, kind):
    """Zeros behind a member, as tapes and the xz format have them, are no damage."""
    pack = PACKERS[kind]
    assert stream(pack(TEXT[:1000]) + bytes(8) + pack(TEXT[1000:]) + bytes(100_000)).read() == TEXT


def test_zstd_may_begin_with_a_skippable_frame(stream):
    """What pzstd writes is read as what zstd writes."""
    assert stream(b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstd(TEXT)).read() == TEXT


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_content_is_read_from_any_position(stream, pack):
    """The stream can be put to a position in the plain content."""
    file = stream(pack(TEXT))
    file.seek(70_000)
    assert file.read(10) == TEXT[70_000:70_010]
    file.seek(3)
    assert file.read(10) == TEXT[3:13]
    file.seek(len(TEXT) + 1)
    assert file.read(10) == b""


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_file_below_stays_open_until_the_end(storage, tmp_path, pack):
    """Its position, which progress is told by, can be asked for when all is read."""
    (tmp_path / "a").write_bytes(pack(TEXT))
    with opened(storage, storage.stat(str(tmp_path / "a"))) as file:
        file.stream.read()
        assert 0 < file.raw.tell() <= len(pack(TEXT))
    assert file.raw.closed


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_zip_by_any_method(stream, method):
    """However an archive packs its member, it is read."""
    assert stream(zip_of({"a.csv": TEXT}, method)).read() == TEXT


def test_folders_and_what_macos_adds_are_no_members(stream):
    """The one file in an archive is found among what archivers put beside it."""
    members = {"in/": b"", "in/a.csv": TEXT, "__MACOSX/in/._a.csv": b"attributes"}
    assert stream(zip_of(members)).read() == TEXT


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (["train.csv", "test.csv"], r"2 files \(train.csv, test.csv\)"),
        (list("abcdefg"), r"7 files \(a, b, c, d, e, ..\)"),
        (["in/"], "no file"),
    ],
    ids=["two", "many", "none"],
)
def test_zip_of_other_than_one_file(stream, members, found):
    """Which of several files is meant is not guessed; the error names them."""
    content = zip_of(dict.fromkeys(members, b""))
    with pytest.raises(DataError, match=rf"/a.csv.gz: the zip archive holds {found}, expected one; unpack it"):
        stream(content).read()


def test_workbook_is_told_from_an_archive(stream):
    """Excel's .xlsx is a zip archive of many files, of which none is worth unpacking."""
    content = zip_of({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
    with pytest.raises(DataError, match=r"a.csv.gz: is a workbook, .*; save its sheet as `CSV UTF-8`"):
        stream(content).read()


def test_zip_of_a_file_without_a_name(stream):
    """A name of no letters, which some versions of Python stumble over, is damage at worst."""
    with suppress(DataError):
        assert stream(zip_of({"@name": TEXT}).replace(b"@name", b"\0name")).read() == TEXT


def test_encrypted_zip(stream):
    """An archive that asks for a password is refused, with its member's name."""
    content = bytearray(zip_of({"a.csv": TEXT}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"the zip archive is encrypted \(a.csv\)"):
        stream(bytes(content)).read()


def test_zip_behind_another(stream):
    """Of two archives in one file zipfile would read the last and be silent about the first."""
    with pytest.raises(DataError, match="something stands before the archive"):
        stream(zip_of({"a": TEXT}) + zip_of({"b": TEXT})).read()


def test_xz_that_asks_for_too_much_memory(stream, monkeypatch):
    """A dictionary beyond the limit is refused, instead of filling the machine's memory."""
    monkeypatch.setattr("job.read.packed.zip_archive.LZMA_MEMORY_BYTES", 1 << 20)
    with pytest.raises(DataError, match="the xz data is damaged or cut off"):
        stream(lzma.compress(TEXT, preset=9)).read()


def test_zip_that_asks_for_too_much_memory(stream):
    """The same in a zip archive, whose header is as easily made up."""
    content = bytearray(zip_of({"__MACOSX/a": b"", "a.csv": TEXT}, zipfile.ZIP_LZMA))
    size = content.index(b"a.csv") + len("a.csv") + 5
    content[size : size + 4] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(DataError, match=f"a.csv.gz: the zip archive asks for {1 << 30} bytes of memory"):
        stream(bytes(content)).read()


def test_zip_that_lists_more_files_than_memory_should_hold(stream):
    """A list of a million members is not read to be counted."""
    entry, end = struct.pack("<4s42xc", b"PK\x01\x02", b"a"), "<4s4xHHIIH"
    count = (1 << 20) // len(entry) + 1
    content = b"PK\x03\x04" + entry * count
    with pytest.raises(DataError, match=r"a\.csv\.gz: the zip archive lists too many files"):
        stream(content + struct.pack(end, b"PK\x05\x06", count, count, len(entry) * count, 4, 0)).read()


class _Failing:
    """A file whose storage fails behind its first bytes."""

    def __init__(self, content):
        self._content = content

    def read(self, size):
        if not self._content:
            raise OSError(5, "Input/output error")
        head, self._content = self._content[:size], b""
        return head

    def seek(self, position):
        pass

    def close(self):
        pass


def test_failing_storage_is_no_damage(storage, tmp_path, monkeypatch):
    """An error that the operating system has a number for is the storage's, and worth a retry."""
    (tmp_path / "a").write_bytes(b"")
    file = storage.stat(str(tmp_path / "a"))
    monkeypatch.setattr(type(storage), "open", lambda *_: _Failing(gzip.compress(TEXT)[:100]))
    with pytest.raises(StorageError, match="Input/output error"), opened(storage, file) as content:
        content.stream.read()


def _flipped(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


DAMAGES = {
    "cut in the header": lambda packed: packed[:7],
    "cut in the middle": lambda packed: packed[: len(packed) // 2],
    "cut at the end": lambda packed: packed[:-8],
    "cut shortly before the end": lambda packed: packed[:-3],
    "cut in a second member": lambda packed: packed + packed[: len(packed) // 2],
    "second member's header": lambda packed: packed + _flipped(packed, 2),
    "changed in the middle": lambda packed: _flipped(packed, len(packed) // 2),
    "changed at the end": lambda packed: _flipped(packed, len(packed) - 6),
    "changed last byte": lambda packed: _flipped(packed, len(packed) - 1),
    "rubbish behind": lambda packed: packed + b"rubbish",
}
# Arrow writes zstd without a checksum; and a zip archive's end is a comment's length, and may have been moved.
UNNOTICED = {
    ("zstd", "changed in the middle"), ("zstd", "changed at the end"), ("zip", "changed last byte"),
    ("zip", "rubbish behind"), ("zip", "cut in a second member"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "damage"),
    [(kind, damage) for kind in PACKERS for damage in DAMAGES if (kind, damage) not in UNNOTICED],
)
@pytest.mark.parametrize(
    "verb", [lambda file: file.read(), lambda file: file.seek(len(TEXT) * 3)], ids=["read", "seek"]
)
def test_damaged_data_is_a_data_error(stream, kind, damage, verb):
    """Whatever is wrong with a packed file, reading or passing over it says so in a line and names the file."""
    content = DAMAGES[damage](PACKERS[kind](TEXT))
    with pytest.raises(DataError, match=rf"/a.csv.gz: the {kind} data is damaged or cut off \(.+\)$"):
        verb(stream(content))
