"""A Python process that says at its end how much memory it took at most: `python process.py MODULE ARGUMENTS...`.

What getrusage says of a child includes its parent's memory at the fork; this reads the process's own mark.
"""

import atexit
import importlib
import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The most memory this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    # macOS counts bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    atexit.register(lambda: print("peak bytes:", peak_bytes()))
    sys.argv = sys.argv[1:]
    importlib.import_module(sys.argv[0]).main()
