"""How many cores a process may keep busy: those that it is bound to, and no more than its control groups allow.

A container on a machine of 64 cores, allowed two of them (`docker run --cpus=2`, a Kubernetes limit), still sees 64;
as many threads would be stopped for most of the time, in the middle of whatever they hold.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_SYSTEM: Final = Path("/")


def available_cores(system: Path = _SYSTEM) -> int:
    """At least 1; a part of a core counts as one. system: where `proc` and `sys` are found."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(quota) for quota in _quotas(system))]))


def _quotas(system: Path) -> Iterator[float]:
    """How many cores each control group above this process allows (Linux: cgroups(7)), of those that set a limit."""
    groups = system / "sys/fs/cgroup"
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            for folder in _upwards(groups, path):
                yield from _quota(*_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):
            for folder in _upwards(groups / controllers, path):
                yield from _quota(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """A group's folder and those above it. In a container the path may be one of the host's, which is not there."""
    inner = PurePosixPath(path.lstrip("/"))
    for folder in (inner, *inner.parents):
        yield root / folder


def _quota(quota: str = "", period: str = "") -> Iterator[float]:
    """Microseconds of processor time in each period; `max` or -1 for no limit."""
    if quota.strip().isdecimal() and period.strip().isdecimal() and int(period):
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    """What a file of the kernel's says; nothing where there is none, or it may not be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
