"""When whoever reads is to stop: asked between pieces of work of which none takes long, also where no record comes out.

A line or a packed file may swell to any size, and a row group may be decoded for seconds, before there is a batch.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

# Raises, where the work is to end.
CheckStop = Callable[[], None]


def go_on() -> None:
    """Nobody ever wants to stop."""


class Watched:
    """A file being read, each of whose reads asks first whether to stop."""

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
