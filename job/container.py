"""What a process can tell of the container that it runs in."""

import os
from pathlib import Path
from typing import Final

_SYSTEM: Final = Path("/")
# What docker and podman leave in every container of theirs.
_MARKS: Final = (".dockerenv", "run/.containerenv")


def is_lost_with_container(folder: str, system: Path = _SYSTEM) -> bool:
    """Whether what is written to a folder goes with the container: it is on the container's root, not on a volume.

    Kubernetes's containers have no such mark, and their specifications say what is mounted. system: the root.
    """
    if "://" in folder or not any((system / mark).exists() for mark in _MARKS):
        return False
    path = Path(folder).absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    return os.stat(there).st_dev == os.stat(system).st_dev
