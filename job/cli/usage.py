"""What the command line library says of a wrong command: its errors are not ours, and have no public base class."""

from typing import Any

from job.telemetry.termination import Ending


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
