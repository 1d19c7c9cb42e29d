"""The trials of a search: `search.json`, replaced after each trial, and the results as a table.

`search.json` also identifies the search, so that the same command continues after the last trial.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self, TypedDict

from job.documents.checking import check_document, parse_json
from job.errors import OutputOccupied
from job.flag_names import Flag
from job.storage import Storage, join
from job.train.fit.checkpoint import differences

RECORD_NAME: Final = "search.json"
TABLE_NAME: Final = "trials.csv"
BEST_NAME: Final = "best.json"
_COLUMNS: Final = (
    "trial", "accuracy", "right", "hidden", "dropout", "learning_rate", "batch_size", "epochs", "parameters", "seconds",
)  # fmt: skip


class RecordedTrial(TypedDict):
    """A `Trial` in search.json."""

    number: int
    hidden: list[int]
    dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    parameters: int
    seconds: float
    right: int | None
    accuracy: float | None


class RecordedSearch(TypedDict):
    """The content of search.json, as far as it is the same for every search."""

    trials: list[RecordedTrial]


@dataclass(frozen=True)
class Trial:
    """The settings of one training, and its results.

    number: from 1; 0 is the unchanged recipe. right: number of validation images classified correctly, and accuracy
    their share; None where training diverged. proposed: the settings as the oracle proposed them.
    """

    number: int
    hidden: tuple[int, ...]
    dropout: float
    learning_rate: float
    batch_size: int
    epochs: int
    parameters: int
    seconds: float
    right: int | None
    accuracy: float | None
    proposed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Raises TypeError or KeyError where the content is not a trial."""
        return cls(**{**content, "hidden": tuple(content["hidden"])})

    @property
    def settings(self) -> dict[str, Any]:
        """The settings for `train`, by the names of its flags."""
        return {
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "learning-rate": self.learning_rate,
            "batch-size": self.batch_size,
        }

    @property
    def cells(self) -> dict[str, str]:
        """The text of each column of the table in the terminal."""
        values: dict[str, Any] = {
            **asdict(self),
            "trial": self.number or "default",
            "accuracy": "diverged" if self.accuracy is None else f"{100 * self.accuracy:.2f} %",
            "right": "" if self.right is None else f"{self.right:,}",
            "hidden": "-".join(map(str, self.hidden)),
            "learning_rate": f"{self.learning_rate:g}",
            "parameters": f"{self.parameters:,}",
            "seconds": f"{self.seconds:.1f}",
        }
        return {name: str(values[name]) for name in _COLUMNS}


class SearchRecord:
    """The folder of a search."""

    def __init__(self, storage: Storage, folder: str, search: dict[str, Any]) -> None:
        """search: JSON values of everything that decides the trials and their results, by readable names."""
        self._storage = storage
        self._search = json.loads(json.dumps(search))
        self.folder = folder

    def load(self) -> list[Trial]:
        """The trials that an earlier part of the same search has made; none at its start.

        Raises OutputOccupied where the folder holds another search, naming the differences, or something else.
        """
        path = join(self.folder, RECORD_NAME)
        if self._storage.stat(path) is None:
            self._refuse_occupied()
            return []
        try:
            record = parse_json(self._storage.read(path))
            check_document(RecordedSearch, record)
            search, trials = dict(record["search"]), [Trial.from_json(each) for each in record["trials"]]
        except (ValueError, KeyError, TypeError) as error:
            raise OutputOccupied(
                f"{path}: is not the record of a search ({error!r:.100}); delete it, or choose another {Flag.OUTPUT}"
            ) from error
        self._check_same_search(path, search)
        return trials

    def save(self, trials: Sequence[Trial]) -> None:
        """Replace the saved trials, atomically."""
        content = {"search": self._search, "trials": [asdict(each) for each in trials]}
        self._write(RECORD_NAME, json.dumps(content, indent=2).encode() + b"\n")

    def save_results(self, trials: Sequence[Trial], best: dict[str, Any]) -> str:
        """Write the table, and the best settings as a file for `train --settings`; returns that file's path."""
        self._write(TABLE_NAME, as_csv(trials))
        self._write(BEST_NAME, json.dumps(best, indent=2).encode() + b"\n")
        return join(self.folder, BEST_NAME)

    def _write(self, name: str, content: bytes) -> None:
        with self._storage.commit(join(self.folder, name)) as file:
            file.write(content)

    def _refuse_occupied(self) -> None:
        names = self._storage.list(self.folder)
        if names or self._storage.stat(self.folder) is not None:
            found = f"holds {names[0]!r}" if names else "is a file"
            raise OutputOccupied(f"{self.folder}: {found}, expected a search's folder, an empty folder or a new path")

    def _check_same_search(self, path: str, search: dict[str, Any]) -> None:
        differing = differences(search, self._search)
        if differing:
            raise OutputOccupied(
                f"{path}: belongs to another search ({differing}); repeat that search's settings, "
                f"or choose another {Flag.OUTPUT}"
            )


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials from the best; ties by fewer parameters, then by number. Those that diverged come last."""
    return sorted(trials, key=lambda each: (-1 if each.right is None else each.right, -each.parameters), reverse=True)


def as_csv(trials: Sequence[Trial]) -> bytes:
    """A header, and a line for each trial from the best; widths are joined by dashes."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for each in ranked(trials):
        values = {**asdict(each), "trial": each.number, "hidden": "-".join(map(str, each.hidden))}
        lines.writerow("" if values[name] is None else values[name] for name in _COLUMNS)
    return file.getvalue().encode()


def as_text(trials: Sequence[Trial]) -> str:
    """The same as an aligned table."""
    rows = [[name.replace("_", " ") for name in _COLUMNS]]
    rows += [list(each.cells.values()) for each in ranked(trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
