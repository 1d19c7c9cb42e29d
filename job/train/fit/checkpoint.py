"""How a training went, epoch by epoch; the numbers, and history.csv.

What a training run has come to, after each epoch, in one hidden file beside the model folder.

A run that was stopped or killed goes on from it (`--resume`) and ends as one that was not. Knows neither Keras nor
recipes: `backup` says what there is to keep, `run` what the run was.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, Final

from job.errors import DigitJobError, ModelInvalid, OutputOccupied
from job.flag_names import Flag
from job.storage import Storage
from job.train.place import beside


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: its number from 1, mean cross-entropy, accuracy in 0-1, wall-clock seconds."""

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


def history_csv(history: Sequence[Epoch]) -> bytes:
    """A line for each epoch, and one with the names of an Epoch's fields before them."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(field.name for field in fields(Epoch))
    lines.writerows(map(astuple, history))
    return file.getvalue().encode()


_RUN: Final = "run.json"
_HISTORY: Final = "history.json"
_DAMAGE: Final = (ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile)


@dataclass(frozen=True)
class TrainingState:
    """What a run has come to: its epochs, and the files that whoever trains needs to go on, by their names."""

    history: tuple[Epoch, ...]
    files: dict[str, bytes]


class Checkpoint:
    """The place for a run's state."""

    def __init__(self, storage: Storage, target: str, run: dict[str, Any]) -> None:
        """target: the model folder. run: all that decides what comes out, by words for people; values as JSON's."""
        self._storage = storage
        self._run = json.loads(json.dumps(run))
        self.path = beside(storage, target, "checkpoint")

    @property
    def is_there(self) -> bool:
        """Whether some run, this one or another, has left its state."""
        return self._storage.stat(self.path) is not None

    def load(self) -> TrainingState | None:
        """What an earlier part of the same run has come to; None if nothing was kept.

        Raises OutputOccupied, naming what differs, if it was another run, and ModelInvalid where the file is damaged.
        """
        if not self.is_there:
            return None
        try:
            run, history, files = _unpacked(self._storage.read(self.path))
            state = TrainingState(tuple(Epoch(**each) for each in history), files)
        except _DAMAGE as error:
            raise ModelInvalid(
                f"{self.path}: is damaged ({error!s:.100}); train without {Flag.RESUME} to start over"
            ) from error
        self._check_same(run)
        return state

    def save(self, state: TrainingState) -> None:
        """Keep a state in place of the one before, whole or not at all."""
        files = {
            _RUN: json.dumps(self._run).encode(),
            _HISTORY: json.dumps([asdict(each) for each in state.history]).encode(),
            **state.files,
        }
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, each in files.items():
                archive.writestr(name, each)
        with self._storage.commit(self.path) as file:
            file.write(content.getvalue())

    def remove(self) -> None:
        """Forget what was kept."""
        self._storage.remove(self.path)

    @contextmanager
    def needed_until_done(self) -> Iterator[None]:
        """Removed when the block ends well, or with an error that the same run would meet again."""
        try:
            yield
        except DigitJobError as error:
            if not error.can_retry:
                self.remove()
            raise
        self.remove()

    def _check_same(self, run: dict[str, Any]) -> None:
        differing = [name for name in {**run, **self._run} if run.get(name) != self._run.get(name)]
        if differing:
            what = "; ".join(f"{name}: {run.get(name)} then, {self._run.get(name)} now" for name in differing)
            raise OutputOccupied(
                f"{self.path}: is of another training run ({what}); train as then, "
                f"or without {Flag.RESUME} to start over"
            )


def _unpacked(content: bytes) -> tuple[dict[str, Any], Sequence[dict[str, Any]], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    run, history = (json.loads(files.pop(name)) for name in (_RUN, _HISTORY))
    return dict(run), history, files
