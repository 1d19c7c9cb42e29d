"""What a process can tell of the container that it runs in."""

import os
from pathlib import Path
from typing import Final

_SYSTEM: Final = Path("/")
# Where digit-job lies in its own image; in other containers, such as one to develop in, output may well stay.
_MARK: Final = "opt/digit-job"


def is_lost_with_container(folder: str, system: Path = _SYSTEM) -> bool:
    """Whether what is written to a folder goes with the image's container: it is on its root, not on a volume.

    What cannot be written cannot be lost, either. system: the root.
    """
    if "://" in folder or not (system / _MARK).exists():
        return False
    path = Path(folder).absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    return os.stat(there).st_dev == os.stat(system).st_dev and os.access(there, os.W_OK)
