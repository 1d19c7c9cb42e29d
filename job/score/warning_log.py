"""Logs a run's warnings, each kind a few times only: those about inputs as they are found, the others at the end."""

import logging
import threading
from collections import Counter

from job.documents.report_json import Report
from job.log import Event, event
from job.report.warning_list import TOGETHER_FROM, kind_of, sentence

_log = logging.getLogger(__name__)


class WarningLog:
    """The log of the warnings of one run, or of several over the same inputs. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()
        self._summed: set[tuple[str | None, str, int]] = set()

    def add(self, path: str, full_path: str, message: str) -> None:
        """Log a warning about an input, unless two others of its kind are logged: `finish` then logs them together."""
        kind = kind_of(message)
        with self._lock:
            if (path, message) in self._logged:
                return
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
            key = warning["path"], warning["message"], warning["inputs"]
            if key not in self._summed and (key[:2] not in self._logged or warning["inputs"] > 1):
                self._summed.add(key)
                fields = {"path": warning["path"], "warning": warning["message"], "inputs": warning["inputs"]}
                _log.warning("%s", sentence(warning), extra=event(Event.INPUT_WARNING, **fields))
