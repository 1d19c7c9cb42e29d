"""How work is told to stop: a function that raises, carried by the storage and by every file opened from it.

It is called between pieces of work of which none takes long, also where no record comes out for long: a line or a
compressed file may expand to any size, and a row group takes seconds to decode.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

# Raises Stopped where the work is to end; called a few times a second, from any thread.
CheckStop = Callable[[], None]


def never_stop() -> None:
    """For work that nobody wants to stop."""


class StoppableFile:
    """An open file whose reads call `check_stop` first."""

    def __init__(self, file: pa.NativeFile, check_stop: CheckStop) -> None:
        self._file = file
        self.check_stop = check_stop

    def read(self, size: int | None = None) -> bytes:
        """As NativeFile's."""
        self.check_stop()
        content: bytes = self._file.read(size)
        return content

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """As NativeFile's."""
        self.check_stop()
        return int(self._file.readinto(buffer))

    def __getattr__(self, name: str) -> Any:
        """Seeking, telling and closing take no time."""
        return getattr(self._file, name)
