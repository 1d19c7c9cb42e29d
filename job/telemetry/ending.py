"""How a command ended badly: which exit code, in which words, and whether trying again helps."""

from dataclasses import dataclass
from typing import Any

from job.errors import OUT_OF_MEMORY, DigitJobError, ResourceExhausted, StoppedAtOnce

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
