"""The phases of a training, a search or an export: events in the log, and how far the command has come.

Every stage of this package opens a phase around each of its steps. `telemetry.progress` displays them; this module
knows no display.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from job.log import Event, event

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """What a training, a search or an export spends its time on."""

    READING = "reading"
    LOADING = "loading"
    TRAINING = "training"
    CALIBRATING = "calibrating"
    EXPORTING = "exporting"
    QUANTIZING = "quantizing"
    COMPARING = "comparing"
    EVALUATING = "evaluating"
    CORRUPTING = "corrupting"
    WRITING = "writing"
    COMMITTING = "committing"
    SEARCHING = "searching"


# Seconds that a phase takes after the last epoch, once for each item. They decide how much of a display's bar is left
# for it beside the training. Measured with MNIST on two cores: in all 4 s, after 10 s of training by `baseline`.
_EXPECTED_S: Final = {
    Phase.CALIBRATING: 0.7, Phase.EXPORTING: 0.35, Phase.QUANTIZING: 0.9, Phase.LOADING: 0.05, Phase.COMPARING: 0.05,
    Phase.EVALUATING: 0.1, Phase.CORRUPTING: 1.5, Phase.WRITING: 0.6, Phase.COMMITTING: 0.05,
}  # fmt: skip


class Phases:
    """Logs each phase of one command with its seconds, and shows it.

    show: called in the command's thread with the phase as text and the share of the work that is done, in 0-1, or None
    as long as that is unknown. current: the phase under way; after an error, the one that raised it; otherwise None.
    """

    def __init__(
        self,
        show: Callable[[str, float | None], None] = lambda _text, _share: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show, self._clock = show, clock
        self._started = clock()
        self._spent_s: dict[Phase, float] = {}
        self._text = ""
        self._first: tuple[float, int] | None = None
        self._steps = self._all_steps = 0
        self._is_trained = False
        self._expected: list[Phase] = []
        self._steps_per_s = self._followed_s = self._following_s = 0.0
        self.current: Phase | None = None

    def expect(self, following: Iterable[Phase]) -> None:
        """Say which phases follow the training, each as often as it will come."""
        self._expected = list(following)
        self._following_s = sum(_EXPECTED_S[each] for each in self._expected)

    @contextmanager
    def during(self, phase: Phase, item: str | None = None) -> Iterator[None]:
        """The block is this phase. item: what it works on, such as the name of a file."""
        self.current, self._text = phase, f"{phase} {item}" if item else str(phase)
        begun = event(Event.PHASE, phase=phase, item=item, state="begun", seconds=None)
        _log.info("%s", self._text, extra=begun)
        self._show(self._text, self._share())
        started = self._clock()
        yield
        seconds = self._clock() - started
        self._spent_s[phase] = self._spent_s.get(phase, 0.0) + seconds
        self.current = None
        if phase is Phase.TRAINING:
            self._is_trained, self._all_steps = True, self._steps  # fewer than announced if it stopped early
        elif self._is_trained and phase in self._expected:
            self._expected.remove(phase)
            self._followed_s += _EXPECTED_S[phase]
        ended = event(Event.PHASE, phase=phase, item=item, state="ended", seconds=round(seconds, 3))
        _log.info("%s took %.1f s", self._text, seconds, extra=ended)

    def advanced(self, steps: int, all_steps: int) -> None:
        """Of the training's steps, `steps` are done; their speed tells how long what follows takes beside them."""
        now = self._clock()
        self._first = self._first or (now, steps)
        began, first = self._first
        self._steps, self._all_steps = steps, all_steps
        if steps > first and now > began:
            self._steps_per_s = (steps - first) / (now - began)
        self._show(self._text, self._share())

    def summary(self) -> dict[str, Any]:
        """Fields of the log's last event: the seconds so far, in all and by phase."""
        spent = {str(phase): round(seconds, 3) for phase, seconds in self._spent_s.items()}
        return {"seconds": round(self._clock() - self._started, 3), "phase_seconds": spent}

    def _share(self) -> float | None:
        if not self._all_steps or (self._following_s and not self._steps_per_s):
            return None
        following = self._following_s * self._steps_per_s
        return (self._steps + self._followed_s * self._steps_per_s) / (self._all_steps + following)
