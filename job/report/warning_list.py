"""What to look into: the warnings of a run, bounded in number, and how a run went in a word.

report.json lists them, the page, the log and the terminal show them as sentences. The same warning about many inputs is
one warning with the first names, because a thousand lines hide the one that matters.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from job.documents.report_json import ReportWarning
from job.report.words import many

# From this many inputs on, a warning is one line for all.
TOGETHER_FROM: Final = 3
MAX_WARNINGS: Final = 50
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")


class WarningList:
    """Collects warnings about inputs; of a kind it keeps the first ones and their number."""

    def __init__(self) -> None:
        self._first: dict[str, list[tuple[str, str]]] = {}
        self._inputs: dict[str, int] = {}
        self._left_out = 0

    def add(self, path: str, message: str) -> None:
        """Add a warning about an input."""
        kind = kind_of(message)
        if kind not in self._first and len(self._first) == MAX_WARNINGS:
            self._left_out += 1
            return
        first = self._first.setdefault(kind, [])
        self._inputs[kind] = self._inputs.get(kind, 0) + 1
        if len(first) < TOGETHER_FROM:
            first.append((path, message))

    def documents(self, run: Iterable[str]) -> list[ReportWarning]:
        """Report.json's `warnings`: those about the run as a whole, then those about inputs, as they were added."""
        found = [_document(message, (), 0) for message in run]
        for kind, first in self._first.items():
            if self._inputs[kind] < TOGETHER_FROM:
                found += [_document(message, (path,), 1) for path, message in first]
            else:
                found.append(_document(first[0][1], [path for path, _ in first], self._inputs[kind]))
        if self._left_out:
            found.append(_document(f"{many(self._left_out, 'more warning')} of other kinds about inputs", (), 0))
        return found


def kind_of(message: str) -> str:
    """The same text for warnings that differ in their numbers only."""
    return _NUMBER.sub("0", message)


def sentence(warning: Mapping[str, Any]) -> str:
    """A warning as one line, with the names of its inputs in front."""
    return warning["message"] if warning["path"] is None else f"{inputs_of(warning)}: {warning['message']}"


def inputs_of(warning: Mapping[str, Any]) -> str:
    """The first names of the inputs that a warning is about, and how many more they are."""
    # Reports of earlier versions have one path a warning.
    names = [warning["path"], *warning.get("others", [])]
    more = warning.get("inputs", 1) - len(names)
    return f"{', '.join(names)}{f' and {more:,} more' if more > 0 else ''}"


def outcome(warnings: int) -> str:
    """How a run that did not fail went: `ok`, or `ok with 2 warnings`."""
    return f"ok with {many(warnings, 'warning')}" if warnings else "ok"


def _document(message: str, paths: Sequence[str], inputs: int) -> ReportWarning:
    return {"path": paths[0] if paths else None, "others": list(paths[1:]), "inputs": inputs, "message": message}
