"""Logs a run's warnings, each kind a few times only: those about inputs as they are found, the others at the end."""

import logging
import threading
from collections import Counter

from job.documents.report_json import Report
from job.log import Event, event
from job.report.warning_list import TOGETHER_FROM, kind_of, sentence

_log = logging.getLogger(__name__)


class WarningLog:
    """The log of one run's warnings. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()

    def add(self, path: str, full_path: str, message: str) -> None:
        """Log a warning about an input, unless two others of its kind are logged: `finish` then logs them together."""
        kind = kind_of(message)
        with self._lock:
            self._counts[kind] += 1
            if self._counts[kind] >= TOGETHER_FROM:
                return
            self._logged.add((path, message))
        extra = event(Event.INPUT_WARNING, path=full_path, warning=message, inputs=1)
        _log.warning("%s: %s", full_path, message, extra=extra)

    def finish(self, report: Report) -> None:
        """Log those of the run's warnings that are not logged yet."""
        # Output of an earlier version has no warnings.
        for warning in report.get("warnings", []):
            if (warning["path"], warning["message"]) not in self._logged or warning["inputs"] > 1:
                fields = {"path": warning["path"], "warning": warning["message"], "inputs": warning["inputs"]}
                _log.warning("%s", sentence(warning), extra=event(Event.INPUT_WARNING, **fields))
