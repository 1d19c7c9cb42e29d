"""How a command ended: the exit code and message of an error, and the Kubernetes termination message.

`cli.app` ends every command with these; `outlets` publishes the same ending in metrics and lineage.
"""

import logging
import os
import stat
from dataclasses import dataclass
from typing import Any, Final

from job.errors import OUT_OF_MEMORY, DigitJobError, ResourceExhausted, StoppedAtOnce
from job.log import Event, event
from job.redaction import redacted

_log = logging.getLogger(__name__)

VARIABLE: Final = "DIGIT_JOB_TERMINATION_LOG"
_PATH: Final = "/dev/termination-log"
# Kubernetes truncates longer messages at their start.
_MAX_BYTES: Final = 4096
# Messages of C++ libraries and the dynamic loader when memory runs out.
_NO_MEMORY: Final = ("bad_alloc", "failed to map segment", "annot allocate memory")


@dataclass(frozen=True, slots=True)
class Ending:
    """An error as it is published. kind: the name of its class. is_defect: an unexpected error, to be reported."""

    exit_code: int
    message: str
    kind: str
    can_retry: bool = False
    is_defect: bool = False

    def fields(self) -> dict[str, Any]:
        """The fields of the log's last event."""
        return {"exit_code": self.exit_code, "error": self.kind, "can_retry": self.can_retry}


def ending_of(error: BaseException) -> Ending:
    """The ending of a command that raised `error`. Errors of other libraries are defects, unless memory ran out."""
    if isinstance(error, StoppedAtOnce):
        error = error.error
    if isinstance(error, DigitJobError):
        return Ending(error.exit_code, str(error), type(error).__name__, error.can_retry)
    if _ran_out_of_memory(error):
        # Where memory ran out does not tell why, so the error's own message is dropped.
        return Ending(ResourceExhausted.exit_code, OUT_OF_MEMORY, ResourceExhausted.__name__, can_retry=True)
    message = redacted(f"this is a defect in digit-job, please report it: {type(error).__name__}: {error}")
    return Ending(DigitJobError.exit_code, message, type(error).__name__, is_defect=True)


def _ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that caused it, is due to too little memory, also for loading a library."""
    is_out_of_memory = isinstance(error, MemoryError) or (
        isinstance(error, (ImportError, OSError)) and any(words in str(error) for words in _NO_MEMORY)
    )
    before = error.__cause__ or error.__context__
    return is_out_of_memory or (before is not None and _ran_out_of_memory(before))


def write_termination_message(exit_code: int, message: str, path: str | None = None) -> None:
    """Write exit code and message into the container's termination message file, if it exists.

    path: overrides the environment variable. A failure is only logged, as a warning: the exit code stays.
    """
    path = path or os.environ.get(VARIABLE) or _PATH
    text = f"exit code {exit_code}: {message}".encode(errors="backslashreplace")[:_MAX_BYTES]
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        # In place, unlike all other files: it is a mount, which cannot be renamed over.
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, text.decode(errors="ignore").encode())
        finally:
            os.close(handle)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s: %s", path, os.strerror(error.errno or 0), extra=event(Event.TELEMETRY_FAILED, to=path))
