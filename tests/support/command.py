"""The command `digit-job`: in the test's own process, which is quick, or in a process of its own, as users run it."""

import io
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from unittest.mock import patch

from job.cli.app import main


def invoke(*arguments, **environment):
    """A finished `digit-job ...` that ran in this process, with returncode, stdout and stderr.

    For tests of what a command does and prints. Where the process is the subject (signals, memory, what is imported,
    a terminal), `digit_job` or `start` runs one. Values of `environment` go into its environment.
    """
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    arguments = ["digit-job", *map(str, arguments)]
    with (
        _process_state_restored(),
        patch.dict(os.environ, {**_clean_environment(), **environment}, clear=True),
        patch.object(sys, "argv", arguments),
        patch.object(sys, "stdout", stdout),
        patch.object(sys, "stderr", stderr),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(arguments, code, _written(stdout), _written(stderr))


def with_options(options, more):
    """The options of a command, pairs of a name and a value, and more of them, which replace those of the same name."""
    pairs = zip(options[::2], options[1::2], strict=True)
    kept = [each for name, value in pairs if name == "--input" or name not in more for each in (name, value)]
    return [*kept, *more]


@contextmanager
def _process_state_restored():
    """Undo what the command sets for its whole process: signal handlers, loggers, and hooks for warnings and errors."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loggers = [(each, each.handlers[:], each.level, each.propagate) for each in map(logging.getLogger, ("", "job"))]
    with (
        patch.object(sys, "unraisablehook", sys.unraisablehook),
        patch.object(threading, "excepthook", threading.excepthook),
        patch.object(warnings, "showwarning", warnings.showwarning),
    ):
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for logger, before, level, is_propagated in loggers:
                logger.handlers[:], logger.propagate = before, is_propagated
                logger.setLevel(level)


def _written(stream):
    return stream.buffer.getvalue().decode()


def _clean_environment():
    """The environment of this process without variables of digit-job's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}


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
    """A running `digit-job ...` in a process of its own.

    Values of `environment` go into its environment. preexec_fn: see subprocess.Popen. code: what it runs beforehand.
    """
    return subprocess.Popen(
        [sys.executable, "-c", code + _RUNS, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**_clean_environment(), **environment},
        preexec_fn=preexec_fn,  # noqa: PLW1509  # the tests start no threads that it could deadlock with
    )


def start_signalled(number, at, note, *arguments):
    """A running `digit-job ...` that sends itself a signal once `at` parts and files are committed.

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
    """A running `digit-job ...` that sends itself a signal when it first imports a module."""
    return start(*arguments, code=_SIGNALS_ITSELF_AT_IMPORT, SIGNAL_AT=f"{number:d}", SIGNAL_IMPORT=module)


def digit_job(*arguments, **environment):
    """A finished `digit-job ...` that ran in a process of its own, with returncode, stdout and stderr."""
    process = start(*arguments, **environment)
    stdout, stderr = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
