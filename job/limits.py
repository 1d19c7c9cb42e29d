"""How much of the machine this process may use: cores and memory, as its control groups limit them (cgroups(7)).

In a container the control groups hold what it was given (`docker run --cpus --memory`, a Kubernetes limit), while the
machine's own files still describe the whole machine. A 512 MiB container on 64 cores would start 64 threads and be
OOM-killed; one limited to two cores would have its 64 threads throttled most of the time.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from job.settings import MIB

SYSTEM: Final = Path("/")


def control_group_limits(
    controller: str, names: tuple[str, ...], names_v1: tuple[str, ...], system: Path
) -> Iterator[list[str]]:
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


def available_cores(system: Path = SYSTEM) -> int:
    """At least 1; a part of a core counts as one. system: where `proc` and `sys` are found."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(quota) for quota in _quotas(system))]))


def _quotas(system: Path) -> Iterator[float]:
    """How many cores each control group above this process allows, of those that set a limit."""
    for contents in control_group_limits("cpu", ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"), system):
        yield from _quota(*" ".join(contents).split())


def _quota(quota: str = "", period: str = "") -> Iterator[float]:
    """Microseconds of processor time in each period; `max` or -1 for no limit."""
    if quota.isdecimal() and period.isdecimal() and int(period):
        yield int(quota) / int(period)


# By the peak memory of 1 to 12 threads, see tests/bench/README.md: Parquet takes the most, 65 MiB a thread.
_PROCESS_BYTES: Final = 160 * MIB

_THREAD_BYTES: Final = 80 * MIB


def threads_in_memory(system: Path = SYSTEM) -> int | None:
    """At least 1; None where no control group sets a limit. system: where `proc` and `sys` are found."""
    allowed = list(_limits(system))
    return max(1, (min(allowed) - _PROCESS_BYTES) // _THREAD_BYTES) if allowed else None


def _limits(system: Path) -> Iterator[int]:
    """The bytes that each control group above this process allows; version 1 says "none" by more than there can be."""
    for (limit,) in control_group_limits("memory", ("memory.max",), ("memory.limit_in_bytes",), system):
        if limit.isdecimal():
            yield int(limit)


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
