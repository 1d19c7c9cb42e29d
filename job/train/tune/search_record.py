"""The folder of a search: `search.json`, replaced after each training, and the results.

`search.json` also identifies the search, so that the same command continues after the last training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from job.documents.checking import check_document, parse_json
from job.errors import OutputOccupied
from job.flag_names import Flag
from job.storage import Storage, join
from job.train.fit.checkpoint import differences
from job.train.tune.search_trial import FoldResult, Trial, as_csv

RECORD_NAME: Final = "search.json"
TABLE_NAME: Final = "trials.csv"
BEST_NAME: Final = "best.json"
PAGE_NAME: Final = "search.html"
# Records of the first format, without this number, have no folds and one fixed space.
_FORMAT: Final = 2


class SearchRecord:
    """The folder of a search."""

    def __init__(self, storage: Storage, folder: str, search: Mapping[str, Any]) -> None:
        """search: JSON values of everything that decides the trials and their results, by readable names."""
        self._storage = storage
        self._search = json.loads(json.dumps(search))
        self.folder = folder

    def load(self) -> list[Trial]:
        """The trials that an earlier part of the same search has made, the last perhaps in part; none at its start.

        Raises OutputOccupied where the folder holds another search, naming the differences, or something else.
        """
        path = join(self.folder, RECORD_NAME)
        if self._storage.stat(path) is None:
            self._refuse_occupied()
            return []
        try:
            record = parse_json(self._storage.read(path))
            search, trials = dict(record["search"]), list(record["trials"])
        except (ValueError, KeyError, TypeError) as error:
            raise _unreadable(path, error) from error
        if record.get("format", 1) != _FORMAT:
            raise OutputOccupied(
                f"{path}: was written by another version of digit-job, whose searches this one does not continue; "
                f"choose another {Flag.OUTPUT}"
            )
        self._check_same_search(path, search)
        try:
            return _trials(trials)
        except (ValueError, TypeError) as error:
            raise _unreadable(path, error) from error

    def save(self, trials: Sequence[Trial]) -> None:
        """Replace the saved trials, atomically."""
        content = {"format": _FORMAT, "search": self._search, "trials": [asdict(each) for each in trials]}
        self._write(RECORD_NAME, json.dumps(content, indent=2).encode() + b"\n")

    def save_results(self, trials: Sequence[Trial], best: Mapping[str, Any], page: str) -> None:
        """Write the table, the best settings as a file for `train --settings`, and the page."""
        self._write(TABLE_NAME, as_csv(trials))
        self._write(BEST_NAME, json.dumps(best, indent=2).encode() + b"\n")
        self._write(PAGE_NAME, page.encode(errors="backslashreplace"))

    @property
    def best_path(self) -> str:
        """The file of the best settings."""
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


def _unreadable(path: str, error: Exception) -> OutputOccupied:
    return OutputOccupied(
        f"{path}: is not the record of a search ({error!r:.100}); delete it, or choose another {Flag.OUTPUT}"
    )


def _trials(content: Any) -> list[Trial]:
    """Raises ValueError or TypeError where the content is not what `save` writes of trials."""
    trials = []
    for each in content:
        check_document(Trial, each)
        trials.append(Trial(**each))
    folds = [fold for each in trials for fold in each.folds]
    if any(fold.keys() != FoldResult.__required_keys__ or (fold["right"] or 0) > fold["images"] for fold in folds):
        raise ValueError("a fold has other results")
    if any(not each.folds or each.settings.keys() != trials[0].settings.keys() for each in trials):
        raise ValueError("a trial has other settings, or no results")
    if [each.number for each in trials] != list(range(len(trials))):
        raise ValueError("the trials have other numbers")
    return trials
