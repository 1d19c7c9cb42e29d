"""The command as a user runs it: a process of its own."""

import os
import subprocess
import sys


def start(*arguments, preexec_fn=None, **environment):
    """A running `digit-job ...`; values of `environment` go into its environment; preexec_fn: see subprocess.Popen."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
    return subprocess.Popen(
        [sys.executable, "-c", "from job.cli import main; main()", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **environment},
        preexec_fn=preexec_fn,  # noqa: PLW1509  # the tests start no threads that it could deadlock with
    )


def digit_job(*arguments, **environment):
    """A finished `digit-job ...` with returncode, stdout and stderr."""
    process = start(*arguments, **environment)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
