"""How many cores a process may keep busy: those that it is bound to, and no more than its control groups allow.

A container on a machine of 64 cores, allowed two of them (`docker run --cpus=2`, a Kubernetes limit), still sees 64;
as many threads would be stopped for most of the time, in the middle of whatever they hold.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from job.control_groups import SYSTEM, limits


def available_cores(system: Path = SYSTEM) -> int:
    """At least 1; a part of a core counts as one. system: where `proc` and `sys` are found."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(quota) for quota in _quotas(system))]))


def _quotas(system: Path) -> Iterator[float]:
    """How many cores each control group above this process allows, of those that set a limit."""
    for contents in limits("cpu", ("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"), system):
        yield from _quota(*" ".join(contents).split())


def _quota(quota: str = "", period: str = "") -> Iterator[float]:
    """Microseconds of processor time in each period; `max` or -1 for no limit."""
    if quota.isdecimal() and period.isdecimal() and int(period):
        yield int(quota) / int(period)
