"""The process's edge: standard streams, SIGINT and SIGTERM, and how usage errors are shown.

`app` sets up the streams once; each command prints through `say` and `echo`, and stops by `StopOnSignals`.
"""

import os
import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Any, Final, TextIO

import typer

from job import log
from job.errors import Interrupted, Stopped, StoppedAtOnce, Terminated
from job.redaction import redacted
from job.storage import translated_errors
from job.telemetry.termination import Ending

_RESUME: Final = "committed parts are kept, run the same command again to resume"


def open_standard_streams() -> None:
    """Open the standard streams that are closed, and let all of them write any text, such as paths that are not UTF-8.

    A closed stream would leave its number to the next file that is opened, and prints would end up in that file.
    """
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers, each of which the next open() takes
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115  # stays open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_unwritable_output() -> None:
    """Flush the streams, or discard what they hold if that fails: Python would flush at exit, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Let what is written to a stream from now on, and what it holds, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """Print one line to standard output, its control characters escaped. Raises as `echo` does."""
    echo(log.visible(text))


def echo(text: str) -> None:
    """Print text to standard output. Raises StorageError or ResourceExhausted if it cannot be written.

    A reader that leaves, as `head` does, is no error: from then on nothing is printed.
    """
    with translated_errors("standard output"):
        try:
            # By its name, because a display puts a stream in its place that prints above itself.
            typer.echo(text, file=sys.stdout)
        except BrokenPipeError:
            _discard(sys.stdout)


class StopOnSignals:
    """Installs handlers that stop a command at SIGINT and SIGTERM; a second signal kills the process.

    advice: how to continue, for the error message. at_once: raise StoppedAtOnce in the main thread when the signal
    arrives; otherwise `check` raises.
    """

    def __init__(self, advice: str = _RESUME, *, at_once: bool = False) -> None:
        self._error: Stopped | None = None
        self._advice = advice
        self._at_once = at_once
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def check(self) -> None:
        """Raise Interrupted or Terminated if a signal has arrived."""
        if self._error:
            raise self._error

    def wait_for_check(self) -> None:
        """From now on raise only in `check`, as it does here for a signal that has already arrived."""
        self._at_once = False
        self.check()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._error = (
            Interrupted(f"interrupted; {self._advice}")
            if number == signal.SIGINT
            else Terminated(f"terminated; {self._advice}")
        )
        if self._at_once:
            raise StoppedAtOnce(self._error)


def usage_ending(error: BaseException) -> Ending | None:
    """The ending that a usage error of Typer's means; None for any other error."""
    # Typer has its own copy of Click's error classes, whose place differs between its versions.
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        return None
    return Ending(getattr(error, "exit_code", 2), redacted(" ".join(format_message().split())), "UsageError")


def show_usage(error: Any) -> None:
    """Print a usage error of Typer's to standard error, with the command's usage; or the help page it stands for."""
    if not is_asking_for_help(error):
        error.message = log.visible_lines(redacted(error.message))
    error.show()


def is_asking_for_help(error: BaseException) -> bool:
    """Whether the error only stands for the help page: the command was called without arguments."""
    return type(error).__name__ == "NoArgsIsHelpError"
