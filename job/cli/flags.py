"""Flags: how one is made, with its environment variable, and those that several commands have.

What only an extra can do.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any

import typer

from job import log
from job.errors import UsageError
from job.settings import ScaleChoice


def _variable(flag: str) -> str:
    return "DIGIT_JOB_" + flag.partition("/")[0].removeprefix("--").upper().replace("-", "_")


def option(flag: str, text: str, *others: str, **more: Any) -> Any:
    """A flag with its environment variable."""
    return typer.Option(flag, *others, help=text, envvar=_variable(flag), **more)


def several(flag: str, text: str, metavar: str) -> Any:
    """A flag that may be given several times; its environment variable holds one value a line."""
    variable = _variable(flag)
    return typer.Option(
        flag,
        help=f"{text}; may be given several times. [env var: {variable}, one a line]",
        metavar=metavar,
        # The library would split the variable at spaces, and names may hold some.
        default_factory=lambda: [line for line in os.environ.get(variable, "").splitlines() if line],
        show_default=False,
    )


LogFormatFlag = Annotated[
    log.LogFormat,
    option("--log-format", "Log lines for people (`text`) or machines (`json`); `auto`: text on a terminal."),
]

LabelColumnFlag = Annotated[
    str | None,
    option(
        "--label-column",
        "Which column is the label, where the names leave it open; its number from 1, where there is no header.",
        metavar="NAME|N",
    ),
]
NoLabelFlag = Annotated[bool, option("--no-label", "Take no column as the label.")]
ScaleFlag = Annotated[
    ScaleChoice, option("--scale", "Value of full ink: 255, or 1 for fractions; `auto`: as the first records show.")
]
TransposeFlag = Annotated[bool, option("--transpose", "Images are stored column by column, as in EMNIST; turn them.")]
QuietFlag = Annotated[
    bool,
    option(
        "--quiet",
        "Say nothing but warnings and errors: no progress, no results on standard output.",
        "-q",
        show_default=False,
    ),
]
VerboseFlag = Annotated[bool, option("--verbose", "Log each step, too.", "-v", show_default=False)]


def verbosity(*, is_quiet: bool, is_verbose: bool) -> log.Verbosity:
    """How much to say. Raises UsageError where both are asked for."""
    if is_quiet and is_verbose:
        raise UsageError("--quiet and --verbose contradict each other; give one of them")
    return "quiet" if is_quiet else "verbose" if is_verbose else "normal"


def train_extra() -> AbstractContextManager[None]:
    """See `extra`; the one that nearly all need."""
    return extra("train")


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Raises UsageError where the block needs a library that is not installed, and names the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"this needs the {name} extra ({error.name} is not installed): pip install 'digit-job[{name}]'"
        raise UsageError(message) from error
