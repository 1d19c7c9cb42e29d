"""Pipes, terminals and other devices as places to write to: written into, and never replaced by a file.

`LocalStorage` commits to a regular file by renaming another one over it; as root, that would replace `/dev/null`.
"""

import errno
import io
import os
import re
import stat
from pathlib import PurePosixPath
from typing import Final

from job.errors import OutputOccupied

# What the shell's redirections and `<(...)` name: a descriptor of this process, whatever it leads to.
_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self|proc/\d+)/fd/(\d+)")
_STANDARD: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def descriptor_of(path: str) -> int | None:
    """The descriptor that a path such as `/dev/stdout` or `/dev/fd/3` stands for; None for other paths."""
    found = _DESCRIPTOR.fullmatch(path)
    return int(found[1]) if found else _STANDARD.get(path)


def is_stream(path: str, status: os.stat_result | None) -> bool:
    """Whether what is written to a path goes into a pipe, a terminal or another character device.

    status: of the path, links followed; None if nothing is there.
    """
    return descriptor_of(path) is not None or (
        status is not None and (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode))
    )


def refuse_if_no_file(path: str, status: os.stat_result | None) -> None:
    """Raise OutputOccupied for a socket or a disk, which a file would replace; folders the system refuses."""
    if status is not None and (stat.S_ISSOCK(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        raise OutputOccupied(f"{path}: is a socket or a disk, expected a file or a new path; choose another path")


def refuse_if_no_folder(path: str, status: os.stat_result | None) -> None:
    """Raise OutputOccupied for a path that a folder cannot be moved to, such as a device."""
    if status is not None and not stat.S_ISDIR(status.st_mode):
        found = "a file" if stat.S_ISREG(status.st_mode) else "a pipe or a device"
        raise OutputOccupied(f"{path}: is {found}, expected a folder or a new path; choose another path")


def open_stream(path: str) -> io.FileIO:
    """Open a stream for writing. Raises OSError, also for a pipe that nobody reads from: opening it would hang."""
    descriptor = descriptor_of(path)
    if descriptor is not None:
        # Opened anew, a file that the output is redirected to would be written to from its beginning.
        return open(os.dup(descriptor), "wb", buffering=0)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError("is a pipe that no process reads from") from error
        raise
    os.set_blocking(handle, True)
    return open(handle, "wb", buffering=0)


def refuse_pipe(path: str, status: os.stat_result) -> None:
    """Raise OSError for a named pipe, which would be waited for without end; not for one that the shell has opened."""
    if stat.S_ISFIFO(status.st_mode) and PurePosixPath(path).parts[1:2] not in {("dev",), ("proc",)}:
        raise OSError("is a pipe, expected a file")
