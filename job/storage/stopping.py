"""The stop token: a function that raises to stop the work, carried by a storage and by the files opened from it.

Readers call it between short pieces of work, even while no record is complete: a line or a compressed file can expand
to any size, and a Parquet row group takes seconds to decode.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

# Raises Stopped to stop the work. Called a few times a second, from any thread.
CheckStop = Callable[[], None]


def never_stop() -> None:
    """The `check_stop` of work that nobody stops."""


class StoppableFile:
    """An open file that calls `check_stop` before every read."""

    def __init__(self, file: pa.NativeFile, check_stop: CheckStop) -> None:
        self._file = file
        self.check_stop = check_stop

    def read(self, size: int | None = None) -> bytes:
        """As NativeFile.read."""
        self.check_stop()
        content: bytes = self._file.read(size)
        return content

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """As NativeFile.readinto."""
        self.check_stop()
        return int(self._file.readinto(buffer))

    def __getattr__(self, name: str) -> Any:
        """The other methods (seek, tell, close, ...) take no time and are those of the file."""
        return getattr(self._file, name)
