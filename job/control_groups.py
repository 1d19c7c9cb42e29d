"""The control groups that a Linux process is in (cgroups(7)), in either of their versions: what their files say.

In a container these hold what it was given (`docker run --cpus --memory`, a Kubernetes limit); the machine's own files
still tell of the whole machine.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

SYSTEM: Final = Path("/")


def limits(controller: str, names: tuple[str, ...], names_v1: tuple[str, ...], system: Path) -> Iterator[list[str]]:
    """The contents of a controller's files, for each group from that of this process upwards; "" where there is none.

    names, names_v1: the files in either version. system: where `proc` and `sys` are found.
    """
    groups = system / "sys/fs/cgroup"
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from ([_text(folder / name) for name in names] for folder in _upwards(groups, path))
        elif controller in controllers.split(","):
            yield from ([_text(folder / name) for name in names_v1] for folder in _upwards(groups / controllers, path))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it. In a container the path may be one of the host's, which is not there."""
    inner = PurePosixPath(path.lstrip("/"))
    for folder in (inner, *inner.parents):
        yield root / folder


def _text(path: Path) -> str:
    """What a file of the kernel's says; nothing where there is none, or it may not be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
