"""A file being written whose bytes are counted and hashed: final files for the manifest, parts for their digest."""

import hashlib
from typing import BinaryIO


class HashedFile:
    """Passes what is written on to `file`. sha256: over `prefix` and what was written. bytes: how many were written."""

    closed = False

    def __init__(self, file: BinaryIO, prefix: bytes = b"") -> None:
        self._file = file
        self.sha256 = hashlib.sha256(prefix)
        self.bytes = 0

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        self.bytes += memoryview(content).nbytes
        return self._file.write(content)

    def flush(self) -> None:
        """Arrow calls it; the buffer is flushed with the commit."""
