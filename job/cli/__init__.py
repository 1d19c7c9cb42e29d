"""Commands and flags; the only package that prints a result, reads the environment, or exits.

A module for each command, which imports what runs it only when it is called. Every flag has an environment variable,
DIGIT_JOB_<FLAG>. Results go to standard output, logs to standard error.
"""

import logging
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, get_args

from job import log
from job.cli.app import app
from job.cli.compare import compare
from job.cli.export import export
from job.cli.inspect import inspect
from job.cli.report import report
from job.cli.sample import sample
from job.cli.score import score
from job.cli.streams import drop_what_cannot_be_written, open_standard_streams
from job.cli.train import train
from job.cli.tune import tune
from job.cli.usage import is_asking_for_help, show_usage, usage_ending
from job.errors import StoppedAtOnce
from job.log import Event, event
from job.telemetry.termination import ending_of, write_termination_message

__all__ = ["app", "main"]

_log = logging.getLogger("job")

# In the order that help lists them in.
for command in (score, inspect, report, compare, train, tune, export, sample):
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
