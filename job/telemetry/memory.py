"""How much memory the process has needed."""

import sys
from typing import Final

_STATUS: Final = "/proc/self/status"
_PEAK: Final = "VmHWM:"


def peak_memory_bytes() -> int:
    """The most memory that the process has had resident at once.

    Asked of Linux itself, whose getrusage counts what the process's parent had before it started this one.
    """
    try:
        with open(_STATUS, encoding="ascii") as status:
            return int(status.read().split(_PEAK)[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        import resource  # noqa: PLC0415  # which Windows does not have

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
