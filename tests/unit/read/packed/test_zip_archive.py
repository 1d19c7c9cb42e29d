"""Zip archives of one file, and why any other archive is refused."""

import struct
import zipfile
from contextlib import suppress

import pytest
from support.packed import zip_of

from job.errors import DataError

TEXT = bytes(range(256)) * 400


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_every_method(stream, method):
    """However an archive compresses its member, it is read."""
    assert stream(zip_of({"a.csv": TEXT}, method)).read() == TEXT


def test_folders_and_attributes_are_ignored(stream):
    """The one file is found among folders and the attributes that macOS adds."""
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
def test_archives_of_several_files_or_none(stream, members, found):
    """Which of several files is meant is not guessed; the error names them."""
    content = zip_of(dict.fromkeys(members, b""))
    with pytest.raises(DataError, match=rf"/a.csv.gz: the zip archive holds {found}, expected one; unpack it"):
        stream(content).read()


def test_workbooks(stream):
    """Excel's .xlsx is a zip archive of many files; the error says how to export it."""
    content = zip_of({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
    with pytest.raises(DataError, match=r"a.csv.gz: is a workbook, .*; save its sheet as `CSV UTF-8`"):
        stream(content).read()


def test_a_member_without_a_name(stream):
    """Some versions of Python fail over it; that is reported as damage."""
    with suppress(DataError):
        assert stream(zip_of({"@name": TEXT}).replace(b"@name", b"\0name")).read() == TEXT


def test_encrypted_archives(stream):
    """They are refused with the name of the member."""
    content = bytearray(zip_of({"a.csv": TEXT}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"the zip archive is encrypted \(a.csv\)"):
        stream(bytes(content)).read()


def test_concatenated_archives(stream):
    """Zipfile would read the last of two archives and silently ignore the first."""
    with pytest.raises(DataError, match="there is other data before the archive"):
        stream(zip_of({"a": TEXT}) + zip_of({"b": TEXT})).read()


def test_an_archive_that_needs_too_much_memory(stream):
    """A dictionary beyond the limit is refused before it is allocated."""
    content = bytearray(zip_of({"__MACOSX/a": b"", "a.csv": TEXT}, zipfile.ZIP_LZMA))
    size = content.index(b"a.csv") + len("a.csv") + 5
    content[size : size + 4] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(DataError, match=f"a.csv.gz: the zip archive needs {1 << 30} bytes of memory"):
        stream(bytes(content)).read()


def test_an_archive_of_a_million_files(stream):
    """Its central directory is refused before it is read."""
    entry, end = struct.pack("<4s42xc", b"PK\x01\x02", b"a"), "<4s4xHHIIH"
    count = (1 << 20) // len(entry) + 1
    content = b"PK\x03\x04" + entry * count
    with pytest.raises(DataError, match=r"a\.csv\.gz: the zip archive holds too many files"):
        stream(content + struct.pack(end, b"PK\x05\x06", count, count, len(entry) * count, 4, 0)).read()
