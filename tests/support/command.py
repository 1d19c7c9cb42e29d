"""The command as a user runs it: a process of its own."""

import os
import subprocess
import sys

# The process sends itself a signal right after the nth file got its final name, and notes when that was.
_SIGNALS_ITSELF = """
import itertools, os, time
from job.storage.filesystem import LocalFileSystem

renamed, rename = itertools.count(1), LocalFileSystem.rename
number, at = map(int, os.environ["SIGNAL_AT"].split())

def rename_and_signal(self, source, target):
    rename(self, source, target)
    if next(renamed) == at:
        with open(os.environ["SIGNALLED"], "w") as file:
            file.write(str(time.monotonic()))
        os.kill(os.getpid(), number)

LocalFileSystem.rename = rename_and_signal
"""
_RUNS = "from job.cli.app import main; main()"


def start(*arguments, preexec_fn=None, code="", **environment):
    """A running `digit-job ...`.

    Values of `environment` go into its environment. preexec_fn: see subprocess.Popen. code: what it runs beforehand.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
    return subprocess.Popen(
        [sys.executable, "-c", code + _RUNS, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **environment},
        preexec_fn=preexec_fn,  # noqa: PLW1509  # the tests start no threads that it could deadlock with
    )


def start_signalled(number, at, note, *arguments):
    """A running `digit-job ...` that gets a signal, after as many parts and files as `at` are committed, from itself.

    So the moment depends on no clock. `note` is a file that will hold when it was, as time.monotonic has it.
    """
    return start(*arguments, code=_SIGNALS_ITSELF, SIGNAL_AT=f"{number:d} {at}", SIGNALLED=str(note))


# The process sends itself a signal as a module is imported.
_SIGNALS_ITSELF_AT_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == os.environ["SIGNAL_IMPORT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(os.environ["SIGNAL_AT"]))

sys.meta_path.insert(0, Finder())
"""


def start_signalled_at_import(number, module, *arguments):
    """A running `digit-job ...` that gets a signal from itself as it imports a module for the first time."""
    return start(*arguments, code=_SIGNALS_ITSELF_AT_IMPORT, SIGNAL_AT=f"{number:d}", SIGNAL_IMPORT=module)


def digit_job(*arguments, **environment):
    """A finished `digit-job ...` with returncode, stdout and stderr."""
    process = start(*arguments, **environment)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
