"""What a search has found so far, in one file that is replaced after each trial; and as a table.

`search.json` says what was searched and holds all trials, so that the same command goes on behind the last one.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from job.errors import OutputOccupied
from job.flag_names import Flag
from job.storage import Storage, join

RECORD_NAME: Final = "search.json"
TABLE_NAME: Final = "trials.csv"
BEST_NAME: Final = "best.json"
_FOR_PEOPLE: Final = (
    "trial", "accuracy", "right", "hidden", "dropout", "learning_rate", "batch_size", "epochs", "parameters", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and what came out.

    number: from 1; 0 is the recipe as it is. right: how many of the validation images were named right, and accuracy
    that share of them; None where training diverged. proposed: the settings as the oracle had them.
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
        """Raises TypeError or KeyError where the content is no trial."""
        return cls(**{**content, "hidden": tuple(content["hidden"])})

    @property
    def settings(self) -> dict[str, Any]:
        """What `train` takes, by the names of its flags."""
        return {
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "learning-rate": self.learning_rate,
            "batch-size": self.batch_size,
        }

    @property
    def in_words(self) -> dict[str, str]:
        """Each column of a table for people."""
        is_there = self.accuracy is not None
        values: dict[str, Any] = {
            **asdict(self),
            "trial": self.number or "default",
            "accuracy": f"{100 * self.accuracy:.2f} %" if self.accuracy is not None else "diverged",
            "right": f"{self.right:,}" if is_there else "",
            "hidden": "-".join(map(str, self.hidden)),
            "learning_rate": f"{self.learning_rate:g}",
            "parameters": f"{self.parameters:,}",
            "seconds": f"{self.seconds:.1f}",
        }
        return {name: str(values[name]) for name in _FOR_PEOPLE}


class SearchRecord:
    """A search's folder."""

    def __init__(self, storage: Storage, folder: str, search: dict[str, Any]) -> None:
        """search: all that decides what is tried and found, by words for people; values as JSON's."""
        self._storage = storage
        self._search = json.loads(json.dumps(search))
        self.folder = folder

    def load(self) -> list[Trial]:
        """The trials that an earlier part of the same search has made; none if it begins.

        Raises OutputOccupied where the folder is of another search, naming what differs, or of something else.
        """
        path = join(self.folder, RECORD_NAME)
        if self._storage.stat(path) is None:
            self._refuse_occupied()
            return []
        try:
            record = json.loads(self._storage.read(path))
            search, trials = dict(record["search"]), [Trial.from_json(each) for each in record["trials"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise OutputOccupied(
                f"{path}: is no record of a search ({error!r:.100}); remove it, or name another {Flag.OUTPUT}"
            ) from error
        self._check_same(path, search)
        return trials

    def save(self, trials: Sequence[Trial]) -> None:
        """Keep the trials in place of those kept before, whole or not at all."""
        content = {"search": self._search, "trials": [asdict(each) for each in trials]}
        self._write(RECORD_NAME, json.dumps(content, indent=2).encode() + b"\n")

    def save_results(self, trials: Sequence[Trial], best: dict[str, Any]) -> str:
        """Write the table, and the best settings as a file for `train --settings`; returns that one's path."""
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
            raise OutputOccupied(f"{self.folder}: {found}, expected a search's folder, an empty one or none")

    def _check_same(self, path: str, search: dict[str, Any]) -> None:
        differing = [name for name in {**search, **self._search} if search.get(name) != self._search.get(name)]
        if differing:
            what = "; ".join(f"{name}: {search.get(name)} then, {self._search.get(name)} now" for name in differing)
            raise OutputOccupied(
                f"{path}: is of another search ({what}); search as then, or name another {Flag.OUTPUT}"
            )


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The best first; of equals the one with fewer parameters, then the earlier one. Those that diverged come last."""
    return sorted(trials, key=lambda each: (-1 if each.right is None else each.right, -each.parameters), reverse=True)


def as_csv(trials: Sequence[Trial]) -> bytes:
    """A line for each trial, the best first, and one of names before them; widths are joined by dashes."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(_FOR_PEOPLE)
    for each in ranked(trials):
        values = {**asdict(each), "trial": each.number, "hidden": "-".join(map(str, each.hidden))}
        lines.writerow("" if values[name] is None else values[name] for name in _FOR_PEOPLE)
    return file.getvalue().encode()


def as_text(trials: Sequence[Trial]) -> str:
    """The same to read, numbers under each other."""
    rows = [[name.replace("_", " ") for name in _FOR_PEOPLE]]
    rows += [list(each.in_words.values()) for each in ranked(trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
