"""All errors of digit-job as one tree; each class knows its exit code and whether a retry can help.

DigitJobError
├── UsageError           2   an invalid flag or setting, or two that contradict each other
├── ModelFellShort       3   the model did not pass a quality gate
├── RunFellShort         3   a scoring run did not pass a quality gate; its output can be read
├── DataError           65   a file's content cannot be used
│   ├── LayoutError     65   no 784 pixels recognised in a file's columns
│   └── TooManyRejects  65   more records rejected than --max-rejects allows
├── NoInput             66   no input file found
├── InternalError       70   an invariant is violated: a defect in digit-job
├── OutputOccupied      73   the output folder holds something else
├── StorageError        74   a file cannot be read or written                             (a retry can help)
│   ├── InputChanged    74   an input file changed during the run                         (a retry can help)
│   └── PartDamaged     74   a committed part changed after it was written                (a retry can help)
├── ResourceExhausted   75   out of memory, disk space, threads or open files             (a retry can help)
├── ModelInvalid        78   the model is missing, damaged or incompatible
├── PromiseRefused      78   no held-out rows carry the promise of --max-error
├── SettingsInvalid     78   the settings file is missing or invalid
└── Stopped                  stopped on request; committed parts are kept                 (a retry can help)
    ├── Interrupted    130   SIGINT
    └── Terminated     143   SIGTERM

Exit codes are those of sysexits.h, and 128 + n for signal n. A message says what failed, where, what was found, what
was expected and what to do about it, in one or two lines.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from job._version import __version__
from job.flag_names import Flag
from job.redaction import redacted

OUT_OF_MEMORY: Final = f"out of memory; lower {Flag.THREADS}, or give the job more memory"


class DigitJobError(Exception):
    """Base class; the command line prints its message without a traceback."""

    exit_code: ClassVar[int] = 70
    can_retry: ClassVar[bool] = False

    def __init__(self, message: str = "") -> None:
        super().__init__(redacted(message))


class UsageError(DigitJobError):
    """A flag or setting is invalid, or contradicts another one."""

    exit_code = 2


class ModelFellShort(DigitJobError):
    """The model was trained, or compared with another, and did not pass a quality gate."""

    exit_code = 3


class RunFellShort(DigitJobError):
    """A scoring run wrote its output, which did not pass a quality gate."""

    exit_code = 3

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result  # a `score.run.RunResult`


class DataError(DigitJobError):
    """The content of a file cannot be used: damaged, in another format, or inconsistent."""

    exit_code = 65


class LayoutError(DataError):
    """The columns of a file were not recognised as 784 pixels and, optionally, a label."""


class TooManyRejects(DataError):
    """More records were rejected than `--max-rejects` allows."""


class NoInput(DigitJobError):
    """There is no input file: the path does not exist, the folder is empty, or the pattern matches nothing."""

    exit_code = 66


class InternalError(DigitJobError):
    """An invariant of digit-job is violated, such as a row count that does not add up."""

    exit_code = 70


class OutputOccupied(DigitJobError):
    """The output folder holds files that this run must not replace."""

    exit_code = 73


class StorageError(DigitJobError):
    """A file cannot be read or written."""

    exit_code = 74
    can_retry = True


class InputChanged(StorageError):
    """An input file was replaced or resized after the run had planned it."""


class PartDamaged(StorageError):
    """A committed part of an unfinished run is not what was written. The next run of the command makes it anew."""


class ResourceExhausted(DigitJobError):
    """The machine ran out of memory, disk space, threads, open files or a similar resource."""

    exit_code = 75
    can_retry = True


class ModelInvalid(DigitJobError):
    """The model is missing, damaged, incompatible or not approved for scoring."""

    exit_code = 78


class PromiseRefused(DigitJobError):
    """The rows that a promise of `--max-error` would rest on are missing, damaged, another model's, or too few."""

    exit_code = 78


class SettingsInvalid(DigitJobError):
    """The settings file is missing or invalid."""

    exit_code = 78


class Stopped(DigitJobError):
    """The work was stopped on request. Committed files are kept, files being written are discarded."""

    can_retry = True


class Interrupted(Stopped):
    """Stopped by SIGINT (Ctrl-C)."""

    exit_code = 130


class Terminated(Stopped):
    """Stopped by SIGTERM."""

    exit_code = 143


class StoppedAtOnce(BaseException):
    """A `Stopped` that a signal handler raises, wherever the process is.

    It is no Exception, as KeyboardInterrupt is none: code such as logging catches every Exception and carries on.
    """

    def __init__(self, error: Stopped) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def requires_extra(name: str) -> Iterator[None]:
    """Turn a missing library inside the block into a UsageError that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this needs the {name} extra ({error.name} is not installed): pip install '.[{name}]' in a checkout, "
            f"pip install 'digit_job-{__version__}-py3-none-any.whl[{name}]' of a wheel; "
            "of the images, digit-job has it"
        ) from error
