"""Compressed files as plain streams, whatever they are compressed with, and whatever is wrong with them."""

import gzip

import pytest
from support.packed import PACKERS

from job.errors import DataError, StorageError
from job.read.packed.stream import opened

TEXT = bytes(range(256)) * 400
PLAIN_OR_PACKED = {"plain": bytes, **PACKERS}


@pytest.mark.parametrize("pack", PLAIN_OR_PACKED.values(), ids=PLAIN_OR_PACKED)
def test_content_is_read_whole(stream, pack):
    """The stream is the plain content, byte for byte, even if that is empty."""
    for content in (TEXT, b""):
        assert stream(pack(content)).read() == content


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_content_longer_than_a_piece(stream, pack):
    """Content that expands far comes in order, in as many bytes as were asked for."""
    content = TEXT * 40
    file = stream(pack(content))
    assert file.read(3_000_003) == content[:3_000_003]
    assert file.read(3_000_003) == content[3_000_003:]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_seeking(stream, pack):
    """Any position in the plain content can be sought, forwards and back; beyond the end is the end."""
    file = stream(pack(TEXT))
    file.seek(70_000)
    assert file.read(10) == TEXT[70_000:70_010]
    file.seek(3)
    assert file.read(10) == TEXT[3:13]
    file.seek(len(TEXT) + 1)
    assert file.read(10) == b""


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_the_raw_file_stays_open_until_the_end(storage, tmp_path, pack):
    """Its position, which tells progress, is known after everything is read."""
    (tmp_path / "a").write_bytes(pack(TEXT))
    with opened(storage, storage.stat(str(tmp_path / "a"))) as file:
        file.stream.read()
        assert 0 < file.raw.tell() <= len(pack(TEXT))
    assert file.raw.closed


class _Failing:
    """A file whose storage fails after its first bytes."""

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


def test_a_storage_that_fails_is_not_damage(storage, tmp_path, monkeypatch):
    """An error with a number of the operating system is a storage error, and worth a retry."""
    (tmp_path / "a").write_bytes(b"")
    file = storage.stat(str(tmp_path / "a"))
    monkeypatch.setattr(type(storage), "open", lambda *_: _Failing(gzip.compress(TEXT)[:100]))
    with pytest.raises(StorageError, match="Input/output error"), opened(storage, file) as content:
        content.stream.read()


def _flipped(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


DAMAGES = {
    "truncated in the header": lambda packed: packed[:7],
    "truncated in the middle": lambda packed: packed[: len(packed) // 2],
    "truncated at the end": lambda packed: packed[:-8],
    "truncated shortly before the end": lambda packed: packed[:-3],
    "truncated in a second member": lambda packed: packed + packed[: len(packed) // 2],
    "second member's header": lambda packed: packed + _flipped(packed, 2),
    "changed in the middle": lambda packed: _flipped(packed, len(packed) // 2),
    "changed at the end": lambda packed: _flipped(packed, len(packed) - 6),
    "changed last byte": lambda packed: _flipped(packed, len(packed) - 1),
    "garbage after it": lambda packed: packed + b"garbage",
}
# Arrow writes zstd without a checksum. A zip archive ends with a comment's length, and may have been moved.
UNNOTICED = {
    ("zstd", "changed in the middle"), ("zstd", "changed at the end"), ("zip", "changed last byte"),
    ("zip", "garbage after it"), ("zip", "truncated in a second member"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKERS)
def test_damaged_data_is_a_data_error(stream, kind):
    """Reading and seeking past any damage raises an error of one line that names the file."""
    packed = PACKERS[kind](TEXT)
    for name, damage in DAMAGES.items():
        if (kind, name) in UNNOTICED:
            continue
        for access in (lambda file: file.read(), lambda file: file.seek(len(TEXT) * 3)):
            with pytest.raises(DataError, match=rf"/a.csv.gz: the {kind} data is damaged or truncated \(.+\)$"):
                pytest.fail(f"{name}: {access(stream(damage(packed)))}")
