"""SIGINT and SIGTERM: how a command ends in good order."""

import signal
from types import FrameType

from job.errors import Interrupted, Stopped, StoppedAtOnce, Terminated

_GO_ON = "what is committed stays, run the same command again to go on"


class StopOnSignals:
    """SIGINT and SIGTERM end the command in good order; a second one ends it at once."""

    def __init__(self, advice: str = _GO_ON, *, at_once: bool = False) -> None:
        """advice: how to go on. at_once: raise in the main thread as the signal comes, not at the next `check`."""
        self._error: Stopped | None = None
        self._advice = advice
        self._at_once = at_once
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def check(self) -> None:
        """Raises Interrupted or Terminated after such a signal."""
        if self._error:
            raise self._error

    def wait_for_check(self) -> None:
        """From now on, and for a signal that came already, raise at a `check` only."""
        self._at_once = False
        self.check()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._error = (
            Interrupted(f"interrupted; {self._advice}")
            if number == signal.SIGINT
            else Terminated(f"terminated; {self._advice}")
        )
        if self._at_once:
            raise StoppedAtOnce(self._error)
