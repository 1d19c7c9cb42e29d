"""The command `digit-job`: its subcommands, and how it ends."""

import logging
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, get_args

import typer

from job import __version__, log
from job.cli.compare import compare
from job.cli.export import export
from job.cli.inspect import inspect
from job.cli.report import report
from job.cli.sample import sample
from job.cli.schema import schema
from job.cli.score import score
from job.cli.terminal import (
    drop_what_cannot_be_written,
    is_asking_for_help,
    open_standard_streams,
    say,
    show_usage,
    usage_ending,
)
from job.cli.train import train
from job.cli.tune import tune
from job.errors import StoppedAtOnce
from job.log import Event, event
from job.telemetry.termination import ending_of, write_termination_message

_log = logging.getLogger("job")

app = typer.Typer(
    name="digit-job",
    help="Train a small digit classifier, and score files of pixels with it.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # the library calls it so
    if is_asked:
        say(f"digit-job {__version__}")
        raise typer.Exit


@app.callback()
def _digit_job(
    *,
    version: Annotated[  # its callback is all there is to it
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


# In the order that help lists them in.
for command in (score, inspect, report, compare, train, tune, export, sample, schema):
    app.command()(command)


def main() -> None:
    """Run the command line and exit with the code that errors.py gives."""
    open_standard_streams()
    log_format = _asked_format(sys.argv)
    log.set_up(log_format)
    # What the command has come to, for the last line of the log; the command fills it.
    facts: dict[str, Any] = {}
    try:
        code = app(standalone_mode=False, obj=facts) or 0
        if facts:
            _log.info("finished", extra=event(Event.FINISHED, exit_code=code, **facts))
        sys.exit(code)
    except (StoppedAtOnce, Exception) as error:  # noqa: BLE001  # what was not foreseen is a defect
        sys.exit(_tell(error, facts, is_json=log.is_for_machines(log_format)))
    finally:
        drop_what_cannot_be_written()


def _asked_format(arguments: Sequence[str]) -> log.LogFormat:
    """The log format, before the flags are read: what is wrong with them is to be told in it, too."""
    asked = os.environ.get("DIGIT_JOB_LOG_FORMAT", "auto")
    for flag, behind in pairwise([*arguments, ""]):
        name, has_value, value = flag.partition("=")
        if name == "--log-format":
            asked = value if has_value else behind
    return asked if asked in get_args(log.LogFormat) else "auto"  # type: ignore[return-value]  # so it is one


def _tell(error: BaseException, facts: dict[str, Any], *, is_json: bool) -> int:
    """Tell why the command ends, in the log and to Kubernetes; the exit code."""
    usage = usage_ending(error)
    ending = usage or ending_of(error)
    told = event(Event.FAILED, **{**facts, **ending.fields()})
    if is_asking_for_help(error):
        return ending.exit_code
    if usage and not is_json:
        show_usage(error)
    else:
        _log.error("%s", ending.message, extra=told, exc_info=error if ending.is_defect else None)
    write_termination_message(ending.exit_code, ending.message)
    return ending.exit_code
