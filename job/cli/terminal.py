"""The process as its terminal sees it: standard streams, SIGINT and SIGTERM, and errors of usage."""

import os
import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Any

import typer

from job import log
from job.errors import Interrupted, Stopped, StoppedAtOnce, Terminated
from job.storage import translated_errors
from job.telemetry.termination import Ending


def say(text: str) -> None:
    """Print a line of a result."""
    echo(log.visible(text))


def echo(text: str) -> None:
    """Print lines as they are. Raises StorageError or ResourceExhausted where they cannot be written."""
    with translated_errors("standard output"):
        typer.echo(text)


def open_standard_streams() -> None:
    """Have all three, and able to write any text: paths may hold bytes that are no UTF-8."""
    for name in ("stdin", "stdout", "stderr"):
        # In this order each takes the number of the one that was closed, so that no file of results can.
        setattr(sys, name, getattr(sys, name) or open(os.devnull, "r+"))  # noqa: SIM115  # as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_what_cannot_be_written() -> None:
    """Empty the streams' buffers: Python would do it at its very end, and fail with an exit code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


_GO_ON = "what is committed stays, run the same command again to go on"


class StopOnSignals:
    """SIGINT and SIGTERM end the command in good order; a second one ends it at once."""

    def __init__(self, advice: str = _GO_ON, *, at_once: bool = False) -> None:
        """advice: how to go on. at_once: raise in the main thread as the signal comes, not at the next `check`."""
        self._error: Stopped | None = None
        self._advice = advice
        self._at_once = at_once
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def check(self) -> None:
        """Raises Interrupted or Terminated after such a signal."""
        if self._error:
            raise self._error

    def wait_for_check(self) -> None:
        """From now on, and for a signal that came already, raise at a `check` only."""
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
    """The ending that an error of the library's means; None if it is none of its."""
    words = getattr(error, "format_message", None)
    if words is None:
        return None
    return Ending(getattr(error, "exit_code", 2), " ".join(words().split()), "UsageError")


def show_usage(error: Any) -> None:
    """Tell a person, as the library does: with the command's usage, and where to find help."""
    from typer.rich_utils import rich_format_error

    rich_format_error(error)


def is_asking_for_help(error: BaseException) -> bool:
    """Whether it is no error: the command was called without anything, and the library has printed its help."""
    return type(error).__name__ == "NoArgsIsHelpError"
