"""Commands and flags; the only package that prints a result, reads the environment, or exits.

A module for each command, which imports what runs it only when it is called. Every flag has an environment variable,
DIGIT_JOB_<FLAG>. Results go to standard output, logs to standard error.
"""

import logging
import sys

from job.cli.app import app
from job.cli.export import export
from job.cli.inspect import inspect
from job.cli.sample import sample
from job.cli.score import score
from job.cli.signals import StoppedAtOnce
from job.cli.streams import drop_what_cannot_be_written, open_standard_streams
from job.cli.train import train
from job.cli.tune import tune
from job.errors import OUT_OF_MEMORY, DigitJobError, ResourceExhausted

__all__ = ["app", "main"]

_log = logging.getLogger("job")

# How C++ libraries and the system's loader word that there is no memory to load them into.
_NO_MEMORY = ("bad_alloc", "failed to map segment", "annot allocate memory")

# In the order that help lists them in.
for command in (score, inspect, train, tune, export, sample):
    app.command()(command)


def main() -> None:
    """Run the command line and exit with the code that errors.py gives."""
    open_standard_streams()
    try:
        app()
    except DigitJobError as error:
        _log.error("%s", error)
        sys.exit(error.exit_code)
    except StoppedAtOnce as stop:
        _log.error("%s", stop.error)
        sys.exit(stop.error.exit_code)
    except Exception as error:  # noqa: BLE001  # whatever was not foreseen is a defect, and told with its traceback
        if _ran_out_of_memory(error):
            _log.error(OUT_OF_MEMORY)  # where memory ran out says nothing of why
            sys.exit(ResourceExhausted.exit_code)
        _log.exception("this is a defect in digit-job, please report it")
        sys.exit(DigitJobError.exit_code)
    finally:
        drop_what_cannot_be_written()


def _ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that led to it, is that of too little memory, also to load a library into."""
    is_so = isinstance(error, MemoryError) or (
        isinstance(error, (ImportError, OSError)) and any(words in str(error) for words in _NO_MEMORY)
    )
    before = error.__cause__ or error.__context__
    return is_so or (before is not None and _ran_out_of_memory(before))
