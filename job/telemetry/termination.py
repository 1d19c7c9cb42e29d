"""How a command ended: its exit code and message, in the log and as a Kubernetes termination message."""

import logging
import os
import stat
from dataclasses import dataclass
from typing import Any, Final

from job.errors import OUT_OF_MEMORY, DigitJobError, ResourceExhausted, StoppedAtOnce
from job.log import Event, event

# How C++ libraries and the system's loader word that there is no memory to load them into.
_NO_MEMORY = ("bad_alloc", "failed to map segment", "annot allocate memory")


@dataclass(frozen=True, slots=True)
class Ending:
    """An error as the outside is told of it. kind: the error's name in errors.py. is_defect: it was not foreseen."""

    exit_code: int
    message: str
    kind: str
    can_retry: bool = False
    is_defect: bool = False

    def fields(self) -> dict[str, Any]:
        """As the last event of the log tells it."""
        return {"exit_code": self.exit_code, "error": self.kind, "can_retry": self.can_retry}


def ending_of(error: BaseException) -> Ending:
    """What any error means. Foreign errors are defects, but for those of too little memory."""
    if isinstance(error, StoppedAtOnce):
        error = error.error
    if isinstance(error, DigitJobError):
        return Ending(error.exit_code, str(error), type(error).__name__, error.can_retry)
    if _ran_out_of_memory(error):
        # Where memory ran out says nothing of why.
        return Ending(ResourceExhausted.exit_code, OUT_OF_MEMORY, ResourceExhausted.__name__, can_retry=True)
    message = f"this is a defect in digit-job, please report it: {type(error).__name__}: {error}"
    return Ending(DigitJobError.exit_code, message, type(error).__name__, is_defect=True)


def _ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that led to it, is that of too little memory, also to load a library into."""
    is_so = isinstance(error, MemoryError) or (
        isinstance(error, (ImportError, OSError)) and any(words in str(error) for words in _NO_MEMORY)
    )
    before = error.__cause__ or error.__context__
    return is_so or (before is not None and _ran_out_of_memory(before))


_log = logging.getLogger(__name__)

VARIABLE: Final = "DIGIT_JOB_TERMINATION_LOG"
_PATH: Final = "/dev/termination-log"
# More of it Kubernetes would cut off, at its front.
_MOST_BYTES: Final = 4096


def write_termination_message(exit_code: int, message: str, path: str | None = None) -> None:
    """Write why the process ends where Kubernetes looks for it: into a file that is there already, or nowhere.

    path: instead of that which the environment names. What goes wrong here is a warning: the exit code stays.
    """
    path = path or os.environ.get(VARIABLE) or _PATH
    text = f"exit code {exit_code}: {message}".encode(errors="backslashreplace")[:_MOST_BYTES]
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        # Written in place, unlike all other files: it is mounted, and no other can be given its name.
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, text.decode(errors="ignore").encode())
        finally:
            os.close(handle)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s: %s", path, os.strerror(error.errno or 0), extra=event(Event.TELEMETRY_FAILED, to=path))
