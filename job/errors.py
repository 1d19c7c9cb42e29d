"""Every way digit-job can end badly, as one tree; each error knows its exit code and whether a retry can help.

DigitJobError
├── UsageError           2   the command line asks for something that does not exist or does not fit
├── ModelFellShort       3   the model was trained, or compared, but is not as good as was asked
├── DataError           65   the data cannot be used as what it was said to be
│   ├── LayoutError     65   no way was found to see digits in a file's columns
│   └── TooManyRejects  65   more records were rejected than --max-rejects allows
├── NoInput             66   nothing to read
├── InternalError       70   a promise of ours is broken: a defect
├── OutputOccupied      73   the output folder holds something else
├── StorageError        74   reading or writing failed                                    (a retry can help)
│   └── InputChanged    74   an input was replaced or resized while it was read           (a retry can help)
├── ResourceExhausted   75   memory, disk or another resource ran out                     (a retry can help)
├── ModelInvalid        78   the model cannot be trusted or used
├── SettingsInvalid     78   the file of settings cannot be used
└── Stopped                  asked to stop; committed parts stay                          (a retry can help)
    ├── Interrupted    130   SIGINT
    └── Terminated     143   SIGTERM

A message says what, where, what was found, what was expected and what to do, in one or two lines.
"""

from typing import ClassVar, Final

from job.flag_names import Flag

OUT_OF_MEMORY: Final = f"out of memory; lower {Flag.THREADS}, or give the job more memory"


class DigitJobError(Exception):
    """Base of all errors that end a command with a message instead of a traceback."""

    exit_code: ClassVar[int] = 70
    can_retry: ClassVar[bool] = False


class UsageError(DigitJobError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class ModelFellShort(DigitJobError):
    """The model was trained and saved, or compared with another, but is not as good as was asked."""

    exit_code = 3


class DataError(DigitJobError):
    """The data cannot be used as what it was said to be."""

    exit_code = 65


class LayoutError(DataError):
    """No way was found to see 784 pixels, and perhaps a label, in a file's columns."""


class TooManyRejects(DataError):
    """More records were rejected than `--max-rejects` allows."""


class NoInput(DigitJobError):
    """There is nothing to read: no such file, an empty folder, a pattern that matches nothing."""

    exit_code = 66


class InternalError(DigitJobError):
    """A promise of digit-job's own is broken, such as rows that do not add up."""

    exit_code = 70


class OutputOccupied(DigitJobError):
    """The output folder holds something that this run must not touch."""

    exit_code = 73


class StorageError(DigitJobError):
    """Reading or writing failed."""

    exit_code = 74
    can_retry = True


class InputChanged(StorageError):
    """An input was replaced, or changed its size, after the run had planned it."""


class ResourceExhausted(DigitJobError):
    """Memory, disk space or another resource of the machine ran out."""

    exit_code = 75
    can_retry = True


class ModelInvalid(DigitJobError):
    """The model, or a setting that goes with it, cannot be trusted or used."""

    exit_code = 78


class SettingsInvalid(DigitJobError):
    """The file of settings is not there, or cannot be used as one."""

    exit_code = 78


class Stopped(DigitJobError):
    """The process was asked to stop: what is committed stays, nothing half-written does."""

    can_retry = True


class Interrupted(Stopped):
    """Stopped by SIGINT (Ctrl-C)."""

    exit_code = 130


class Terminated(Stopped):
    """Stopped by SIGTERM."""

    exit_code = 143


class StoppedAtOnce(BaseException):
    """A Stopped that a signal raises wherever the process is, and so in the midst of code that catches any Exception.

    Logging does, and would go on as if nothing had happened. KeyboardInterrupt is none, either.
    """

    def __init__(self, error: Stopped) -> None:
        super().__init__(str(error))
        self.error = error
