"""How many threads the memory of a container has room for.

On a machine of 64 cores a container that is allowed 512 MiB of memory, and not fewer cores, would begin 64 threads, and
the kernel would kill it for what they hold.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from job.control_groups import SYSTEM, limits
from job.settings import MIB

# By the peak memory of 1 to 12 threads, see README.md, "What was measured": Parquet takes the most, 65 MiB a thread.
_PROCESS_BYTES: Final = 160 * MIB
_THREAD_BYTES: Final = 80 * MIB


def threads_in_memory(system: Path = SYSTEM) -> int | None:
    """At least 1; None where no control group sets a limit. system: where `proc` and `sys` are found."""
    allowed = list(_limits(system))
    return max(1, (min(allowed) - _PROCESS_BYTES) // _THREAD_BYTES) if allowed else None


def _limits(system: Path) -> Iterator[int]:
    """The bytes that each control group above this process allows; version 1 says "none" by more than there can be."""
    for (limit,) in limits("memory", ("memory.max",), ("memory.limit_in_bytes",), system):
        if limit.isdecimal():
            yield int(limit)
