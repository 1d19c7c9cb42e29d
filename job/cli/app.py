"""The command `digit-job`: its subcommands, and how the process ends."""

import logging
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, get_args

import typer

from job import log
from job._version import __version__
from job.cli.calibrate import calibrate
from job.cli.command import JobCommand
from job.cli.compare import compare
from job.cli.evaluate import evaluate
from job.cli.export import export
from job.cli.help_page import MAX_WIDTH
from job.cli.inspect import inspect
from job.cli.prepare import prepare
from job.cli.report import report
from job.cli.sample import sample
from job.cli.schema import schema
from job.cli.score import score
from job.cli.show import show
from job.cli.terminal import (
    discard_unwritable_output,
    is_asking_for_help,
    open_standard_streams,
    say,
    show_usage,
    usage_ending,
)
from job.cli.train import train
from job.cli.tune import tune
from job.errors import StoppedAtOnce, UsageError
from job.log import Event, event
from job.telemetry.termination import ending_of, write_termination_message

_log = logging.getLogger("job")

# The commands whose log ends with a summary, and the word for what they have done.
_DONE: Final = {
    "score": "scored", "train": "trained", "tune": "tuned", "evaluate": "evaluated", "export": "exported",
    "prepare": "prepared",
}  # fmt: skip

app = typer.Typer(
    name="digit-job",
    help="Train a small classifier of handwritten digits, and score files of pixels with it.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_WIDTH},
)


def _print_version(is_asked: bool) -> None:  # noqa: FBT001  # Typer passes it by position
    if is_asked:
        say(f"digit-job {__version__}")
        raise typer.Exit


@app.callback()
def _digit_job(
    *,
    version: Annotated[  # its callback does all the work
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


# In the order in which the help lists them.
for command in (
    score, inspect, show, prepare, report, compare, calibrate, train, tune, evaluate, export, sample, schema,
):  # fmt: skip
    app.command(cls=JobCommand)(command)


def _check_umask() -> None:
    """Raise UsageError if this user could not read what it writes."""
    umask = os.umask(0o077)
    os.umask(umask)
    if umask & 0o700:
        raise UsageError(f"the umask {umask:04o} takes away this user's own rights to new files; set 0022 or 0077")


def main() -> None:
    """Run the command line and exit with the exit code of errors.py."""
    open_standard_streams()
    log_format = _requested_format(sys.argv)
    log.set_up(log_format)
    # Fields for the last event of the log; the command fills them in.
    facts: dict[str, Any] = {}
    try:
        _check_umask()
        code = app(standalone_mode=False, obj=facts) or 0
        if facts:
            finished = event(Event.FINISHED, exit_code=code, **facts)
            _log.info("%s: %s", _DONE[facts["command"]], facts["outcome"], extra=finished)
        sys.exit(code)
    except (StoppedAtOnce, Exception) as error:  # noqa: BLE001  # any other exception is a defect to report
        sys.exit(_report_error(error, facts, is_json=log.is_for_machines(log_format)))
    finally:
        discard_unwritable_output()


def _requested_format(arguments: Sequence[str]) -> log.LogFormat:
    """The log format, known before the flags are parsed, so that an invalid flag is reported in it."""
    requested = os.environ.get("DIGIT_JOB_LOG_FORMAT", "auto")
    for flag, following in pairwise([*arguments, ""]):
        name, has_value, value = flag.partition("=")
        if name == "--log-format":
            requested = value if has_value else following
    return requested if requested in get_args(log.LogFormat) else "auto"  # type: ignore[return-value]  # one of them


def _report_error(error: BaseException, facts: dict[str, Any], *, is_json: bool) -> int:
    """Write why the command fails, to the log and for Kubernetes; the exit code."""
    usage = usage_ending(error)
    ending = usage or ending_of(error)
    if usage and (not is_json or is_asking_for_help(error)):
        show_usage(error)
    else:
        failed = event(Event.FAILED, **{**facts, **ending.fields(), "outcome": "failed"})
        _log.error("%s", ending.message, extra=failed, exc_info=error if ending.is_defect else None)
    if not is_asking_for_help(error):
        write_termination_message(ending.exit_code, ending.message)
    return ending.exit_code
