"""Standard streams: results go to standard output, whatever state it is in."""

import os
import sys
from io import TextIOWrapper

import typer

from job import log
from job.storage import translated_errors


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
