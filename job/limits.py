"""What this process may use: cores and memory, as its control groups limit them (cgroups(7)), and a lasting disk.

In a container, control groups hold its limits (`docker run --cpus --memory`, Kubernetes), while /proc and os.cpu_count
describe the whole machine. Without them, a 512 MiB container on 64 cores would start 64 threads and be OOM-killed; one
limited to two cores would have 64 threads throttled most of the time.
"""

import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from job.settings import MIB

# Above the peaks of 1 to 12 threads in tests/bench/README.md; Parquet takes the most, 65 MiB per thread.
_PROCESS_BYTES: Final = 160 * MIB
_THREAD_BYTES: Final = 80 * MIB
# The root of the file system; tests pass another.
_ROOT: Final = Path("/")
# The folder of digit-job in its own image. In other containers, such as a development container, output may persist.
_IMAGE_FOLDER: Final = "opt/digit-job"

_log = logging.getLogger(__name__)


def available_cores(root: Path = _ROOT) -> int:
    """The number of cores, at least 1: the lowest of the CPU affinity and all CPU quotas, rounded up."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _cpu_quotas(root))]))


def threads_in_memory(root: Path = _ROOT) -> int | None:
    """The number of threads that fit into the memory limit, at least 1; None if there is no limit."""
    limits = list(_memory_limits(root))
    return max(1, (min(limits) - _PROCESS_BYTES) // _THREAD_BYTES) if limits else None


def default_threads(root: Path = _ROOT) -> int:
    """One thread per available core, as far as memory allows."""
    cores, in_memory = available_cores(root), threads_in_memory(root)
    if in_memory is not None and in_memory < cores:
        _log.info("%d threads on %d cores, because the container's memory has no room for more", in_memory, cores)
        return in_memory
    return cores


def is_lost_with_container(folder: str, root: Path = _ROOT) -> bool:
    """Whether the output folder is on the root file system of the image's container instead of a volume.

    False for a folder that cannot be written to: nothing will be lost there.
    """
    if "://" in folder or not (root / _IMAGE_FOLDER).exists():
        return False
    path = Path(folder).absolute()
    existing = next(each for each in (path, *path.parents) if each.exists())
    return os.stat(existing).st_dev == os.stat(root).st_dev and os.access(existing, os.W_OK)


def _cpu_quotas(root: Path) -> Iterator[float]:
    """The number of cores that each control group of this process allows, if it has a limit."""
    for contents in _control_group_files("cpu", ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"), root):
        yield from _parse_quota(*" ".join(contents).split())


def _parse_quota(quota: str = "", period: str = "") -> Iterator[float]:
    """Both in microseconds of CPU time; a quota of `max` or -1 is no limit."""
    if quota.isdecimal() and period.isdecimal() and int(period):
        yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    """The bytes that each control group of this process allows; in version 1, no limit is a very large number."""
    for (limit,) in _control_group_files("memory", ("memory.max",), ("memory.limit_in_bytes",), root):
        if limit.isdecimal():
            yield int(limit)


def _control_group_files(
    controller: str, names: tuple[str, ...], names_v1: tuple[str, ...], root: Path
) -> Iterator[list[str]]:
    """The contents of a controller's files, for the control group of this process and each one above it.

    names, names_v1: the files in version 2 and in version 1. The content of a missing file is empty.
    """
    groups = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from ([_read(folder / name) for name in names] for folder in _upwards(groups, path))
        elif controller in controllers.split(","):
            yield from ([_read(folder / name) for name in names_v1] for folder in _upwards(groups / controllers, path))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """The folder of a group and those above it. In a container, the path may be the host's, which does not exist."""
    inner = PurePosixPath(path.lstrip("/"))
    for folder in (inner, *inner.parents):
        yield root / folder


def _read(path: Path) -> str:
    """The content of a kernel file; empty if it is missing or not readable."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
