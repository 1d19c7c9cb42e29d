"""What a figure was measured on, and what the machine can do at best."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("digit-job", "numpy", "numba", "onnxruntime", "pyarrow", "pandas", "polars", "keras")
TENSORFLOW = ("tensorflow-cpu", "tensorflow")

# The best of a few, in a process of its own, because a library takes its number of threads when it is imported.
_SGEMM = """
import time
import numpy
side = 4096
left, right = numpy.random.default_rng(0).random((2, side, side), numpy.float32)
times = []
for _ in range(4):
    start = time.perf_counter()
    left @ right
    times.append(time.perf_counter() - start)
print(2 * side ** 3 / min(times))
"""


def limit_to(cores: int) -> list[int] | None:
    """Keep this process and all that it starts on so many cores; which, or None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, chosen)
    return chosen


def thread_limits(threads: int) -> dict[str, str]:
    """The environment that makes every library here use so many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    return dict.fromkeys(names, str(threads))


def sgemm_flops(threads: int) -> float:
    """FLOP/s of a large float32 matrix product in NumPy."""
    environment = os.environ | thread_limits(threads)
    command = [sys.executable, "-c", _SGEMM]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def describe(threads: int, cores: list[int] | None) -> dict[str, Any]:
    """Hardware and versions."""
    return {
        "processor": _processor(),
        "cores": len(cores) if cores else os.cpu_count(),
        "threads": threads,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in (*PACKAGES, *TENSORFLOW) if (version := _version(name))},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
