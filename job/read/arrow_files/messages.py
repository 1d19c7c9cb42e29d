"""The messages of an Arrow IPC file or stream: where its record batches are, and how large, without reading them.

pyarrow tells neither before it has read a batch whole, however large the file says it is. Format: "Arrow Columnar
Format", chapter "Serialization and Interprocess Communication", whose metadata are FlatBuffers (Message.fbs, File.fbs).
"""

import struct
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from job.settings import MIB

FILE_MAGIC: Final = b"ARROW1"
_CONTINUATION: Final = b"\xff\xff\xff\xff"
_PREFIX_BYTES: Final = 8
_MAX_METADATA_BYTES: Final = 64 * MIB
_MAX_TABLE_BYTES: Final = 1 << 10

# Kinds of messages (MessageHeader), and fields of the tables Message, DictionaryBatch, RecordBatch and Footer.
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
_DATA: Final = 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_DICTIONARIES, _RECORD_BATCHES = 2, 3
_BLOCK: Final = struct.Struct("<qi4xq")
_BUFFER: Final = struct.Struct("<qq")


class DamagedMessage(ValueError):
    """The bytes are not Arrow's, or do not fit the file."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message. offset, size_bytes: in the file, with its metadata. rows: of a record batch, else 0.

    decoded_bytes: the size of its buffers once they are decompressed, and of the largest of them, as the file states.
    """

    kind: int
    offset: int
    size_bytes: int
    rows: int = 0
    decoded_bytes: int = 0
    largest_bytes: int = 0


def file_batches(file: pa.NativeFile) -> tuple[list[Message], list[Message]]:
    """The record batches and the dictionaries of the file format, in the order of its footer. Raises DamagedMessage."""
    size = file.size()
    tail = len(FILE_MAGIC) + 4
    (footer_bytes,) = struct.unpack("<i", _read(file, size - tail, 4))
    if _read(file, size - len(FILE_MAGIC), len(FILE_MAGIC)) != FILE_MAGIC:
        raise DamagedMessage("it does not end with Arrow's footer, as if it were truncated")
    if not 0 < footer_bytes <= min(size - tail, _MAX_METADATA_BYTES):
        raise DamagedMessage(f"its footer has {footer_bytes} bytes")
    footer = _Table.root(_read(file, size - tail - footer_bytes, footer_bytes))
    return tuple(  # type: ignore[return-value]  # of two
        [_message_at(file, *_BLOCK.unpack_from(footer.content, place)[:1]) for place in footer.structs(field, _BLOCK)]
        for field in (_RECORD_BATCHES, _DICTIONARIES)
    )


def stream_messages(file: pa.NativeFile) -> list[Message]:
    """All messages of the streaming format but the end of the stream. Raises DamagedMessage."""
    size, position, found = file.size(), 0, []
    while position < size:
        prefix = _read(file, position, min(_PREFIX_BYTES, size - position))
        if prefix == _CONTINUATION + bytes(4):
            break
        message = _message_at(file, position)
        found.append(message)
        position += message.size_bytes
    if not found or found[0].kind != SCHEMA:
        raise DamagedMessage("it does not begin with a schema")
    return found


def _message_at(file: pa.NativeFile, offset: int) -> Message:
    prefix = _read(file, offset, _PREFIX_BYTES)
    if not prefix.startswith(_CONTINUATION):
        raise DamagedMessage(
            f"no message begins at byte {offset}; files that Arrow wrote before version 0.15 cannot be read"
        )
    (metadata_bytes,) = struct.unpack_from("<i", prefix, 4)
    if not 0 < metadata_bytes <= _MAX_METADATA_BYTES:
        raise DamagedMessage(f"the message at byte {offset} has {metadata_bytes} bytes of metadata")
    table = _Table.root(_read(file, offset + _PREFIX_BYTES, metadata_bytes))
    kind, body_bytes = table.number(_HEADER_TYPE, "<B"), table.number(_BODY_LENGTH, "<q")
    body = offset + _PREFIX_BYTES + metadata_bytes
    if not 0 <= body_bytes <= file.size() - body:
        raise DamagedMessage(f"the message at byte {offset} has a body of {body_bytes} bytes, which the file has not")
    size_bytes = _PREFIX_BYTES + metadata_bytes + body_bytes
    if kind not in {DICTIONARY, RECORDS}:
        return Message(kind, offset, size_bytes)
    records = table.table(_HEADER)
    if kind == DICTIONARY:
        records = records.table(_DATA)
    rows = records.number(_LENGTH, "<q")
    sizes = _buffer_sizes(file, records, body, body_bytes)
    if rows < 0:
        raise DamagedMessage(f"the record batch at byte {offset} has {rows} rows")
    return Message(kind, offset, size_bytes, rows, sum(sizes), max(sizes, default=0))


def _buffer_sizes(file: pa.NativeFile, records: "_Table", body: int, body_bytes: int) -> list[int]:
    """The size of each buffer of a batch; a compressed one begins with its size in plain, or -1 if it is plain."""
    is_compressed, sizes = records.has(_COMPRESSION), []
    for place in records.structs(_BUFFERS, _BUFFER):
        offset, size = _BUFFER.unpack_from(records.content, place)
        if not (0 <= offset <= body_bytes and 0 <= size <= body_bytes - offset):
            raise DamagedMessage(f"a buffer of {size} bytes at {offset} is not in the {body_bytes} bytes of its batch")
        if is_compressed and size >= _PREFIX_BYTES:
            (plain,) = struct.unpack("<q", _read(file, body + offset, _PREFIX_BYTES))
            size = max(size, plain)
        sizes.append(size)
    return sizes


def _read(file: pa.NativeFile, offset: int, size: int) -> bytes:
    content: bytes = file.read_at(size, offset) if offset >= 0 else b""
    if len(content) != size:
        raise DamagedMessage("it ends in the middle of a message, as if it were truncated")
    return content


class _Table:
    """A table of a FlatBuffer: fields that may be absent, at offsets that its vtable holds."""

    def __init__(self, content: bytes, position: int) -> None:
        self.content = content
        self._position = position
        vtable = position - self._unpack("<i", position)
        size = min(self._unpack("<H", vtable), _MAX_TABLE_BYTES)
        self._fields = [self._unpack("<H", vtable + place) for place in range(4, size, 2)]

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        """The table that a FlatBuffer begins with."""
        if len(content) < struct.calcsize("<I"):
            raise DamagedMessage("its metadata are not Arrow's")
        return cls(content, struct.unpack_from("<I", content)[0])

    def has(self, field: int) -> bool:
        """Whether a field is present."""
        return field < len(self._fields) and self._fields[field] > 0

    def number(self, field: int, form: str) -> int:
        """A number; 0 if it is absent."""
        return self._unpack(form, self._position + self._fields[field]) if self.has(field) else 0

    def table(self, field: int) -> "_Table":
        """A table in this one."""
        if not self.has(field):
            raise DamagedMessage("its metadata lack a part")
        return _Table(self.content, self._target(field))

    def structs(self, field: int, form: struct.Struct) -> range:
        """Where the structs of a vector are; none if it is absent."""
        if not self.has(field):
            return range(0)
        start = self._target(field)
        count = self._unpack("<I", start)
        if count * form.size > len(self.content) - start - 4:
            raise DamagedMessage("its metadata hold fewer entries than they announce")
        return range(start + 4, start + 4 + count * form.size, form.size)

    def _target(self, field: int) -> int:
        place = self._position + self._fields[field]
        return place + self._unpack("<I", place)

    def _unpack(self, form: str, place: int) -> int:
        if not 0 <= place <= len(self.content) - struct.calcsize(form):
            raise DamagedMessage("its metadata point outside themselves")
        return int(struct.unpack_from(form, self.content, place)[0])
