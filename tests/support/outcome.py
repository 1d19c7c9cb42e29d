"""Runs a command in the test's own process, which is quick, or in a process of its own, whose memory is measured."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from job.cli.app import main

MOST_MIB = 400

# The peak of getrusage includes the memory of the process that forked the child; VmHWM is the child's own.
_MEASURED = """
import atexit, os

def write_peak():
    with open("/proc/self/status") as status, open(os.environ["PEAK_FILE"], "w") as file:
        file.write(status.read().split("VmHWM:")[1].split()[0])

atexit.register(write_peak)
from job.cli.app import main
main()
"""


def assert_ended(result, code, *words):
    """The exit code is `code`, and standard error has warnings and, unless it is 0, one error line with these words."""
    lines = result.stderr.splitlines()
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert all(
        line.startswith(("error: ", "warning: ")) or "scor" in line or "resuming" in line or "accuracy" in line
        for line in lines
    ), lines
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == (1 if code else 0), lines
    for word in words:
        assert word in errors[0]


def call(capfd, *arguments, **environment):
    """A finished `digit-job ...` that ran in this process, from the command line to the exit code, logging text."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    capfd.readouterr()
    environment = {"DIGIT_JOB_LOG_FORMAT": "text", **environment}
    try:
        with patch.object(sys, "argv", ["digit-job", *map(str, arguments)]), patch.dict(os.environ, environment):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    stdout, stderr = capfd.readouterr()
    return subprocess.CompletedProcess(arguments, code, stdout, stderr)


def measured(folder, *arguments, seconds=30, most_mib=MOST_MIB, **how):
    """A finished `digit-job ...` in a process of its own, which must end in time and use less than `most_mib`.

    folder: for a file with the peak memory. how: passed to subprocess.run.
    """
    peak = Path(folder) / "peak"
    # As for users: a buffer that cannot be written is noticed at the end.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    result = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        env={**clean, "DIGIT_JOB_LOG_FORMAT": "text", "PEAK_FILE": str(peak)},
        timeout=seconds,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **how},
    )
    mib = int(peak.read_text()) / 1024
    assert mib < most_mib, mib
    return result
