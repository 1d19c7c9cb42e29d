"""The state of a training run after each epoch, in one hidden file beside the model folder.

A run that was stopped or killed resumes from it (`--resume`) and ends with the same weights as one that was not.
Neither Keras nor recipes are known here: `backup` decides what to save, `training` what identifies a run. Also the
figures of each epoch, and history.csv.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, Final

from job.documents.checking import parse_json
from job.errors import DataError, DigitJobError, ModelInvalid, OutputOccupied
from job.flag_names import Flag
from job.model.bounds import MAX_FILE_BYTES
from job.storage import Storage
from job.train.damage import damage_of
from job.train.place import beside

# What a state can consist of: Keras's two files of a backup, the states of the random generators, and the weights of
# the best epoch. Nothing else in a checkpoint is read.
WEIGHTS: Final = "latest.weights.h5"
METADATA: Final = "training_metadata.json"
RANDOM: Final = "random.npz"
BEST: Final = "best.npz"
_STATE_FILES: Final[tuple[str, ...]] = (WEIGHTS, METADATA, RANDOM, BEST)
# Only early stopping has best weights.
_REQUIRED: Final = (WEIGHTS, METADATA, RANDOM)
_RUN: Final = "run.json"
_HISTORY: Final = "history.json"
_DAMAGE: Final = (ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images: its number from 1, mean cross-entropy, accuracy in 0-1, wall-clock seconds.

    learning_rate: at its end.
    """

    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


def history_csv(history: Sequence[Epoch]) -> bytes:
    """A header with the names of an Epoch's fields, and a line for each epoch."""
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(field.name for field in fields(Epoch))
    lines.writerows(map(astuple, history))
    return file.getvalue().encode()


@dataclass(frozen=True)
class TrainingState:
    """A run's epochs so far, and the files that the trainer needs to continue, by the names above."""

    history: tuple[Epoch, ...]
    files: dict[str, bytes]


class Checkpoint:
    """The file that holds a run's state: readable by its user alone, refused if another user can have written it."""

    def __init__(self, storage: Storage, target: str, run: dict[str, Any]) -> None:
        """target: the model folder. run: JSON values of everything that decides the weights, by readable names."""
        self._storage = storage
        self._run = json.loads(json.dumps(run))
        self.path = beside(storage, target, "checkpoint")

    @property
    def exists(self) -> bool:
        """Whether this run or another one has left a state."""
        return self._storage.stat(self.path) is not None

    def load(self) -> TrainingState | None:
        """The state of an earlier part of the same run; None if there is no checkpoint.

        Raises OutputOccupied, naming the differences, if it belongs to another run, and ModelInvalid if it is damaged
        or another user can have written it.
        """
        if not self.exists:
            return None
        try:
            content = self._storage.read_own(self.path, max_bytes=MAX_FILE_BYTES)
        except DataError as error:
            raise ModelInvalid(f"{error}; train without {Flag.RESUME} to start over") from error
        try:
            run, history, files = _unpack(content)
            self._check_same_run(run)  # first, because another version may have other figures
            return TrainingState(tuple(Epoch(**each) for each in history), files)
        except _DAMAGE as error:
            raise self._damaged(error) from error

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Raise ModelInvalid for whatever Keras or NumPy raise in the block, which restores a loaded state."""
        with damage_of(self.path, lambda error: str(self._damaged(error))):
            yield

    def _damaged(self, error: Exception) -> ModelInvalid:
        return ModelInvalid(f"{self.path}: is damaged ({error!s:.100}); train without {Flag.RESUME} to start over")

    def save(self, state: TrainingState) -> None:
        """Replace the saved state, atomically."""
        files = {
            _RUN: json.dumps(self._run).encode(),
            _HISTORY: json.dumps([asdict(each) for each in state.history]).encode(),
            **state.files,
        }
        archive_bytes = io.BytesIO()
        with zipfile.ZipFile(archive_bytes, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        with self._storage.commit(self.path, is_private=True) as file:
            file.write(archive_bytes.getvalue())

    def remove(self) -> None:
        """Delete the saved state."""
        self._storage.remove(self.path)

    @contextmanager
    def removed_when_done(self) -> Iterator[None]:
        """Delete the state when the block succeeds or fails for good; keep it where resuming can help."""
        try:
            yield
        except DigitJobError as error:
            if not error.can_retry:
                self.remove()
            raise
        self.remove()

    def _check_same_run(self, run: dict[str, Any]) -> None:
        differing = differences(run, self._run)
        if differing:
            raise OutputOccupied(
                f"{self.path}: belongs to another training run ({differing}); repeat that run's settings, "
                f"or train without {Flag.RESUME} to start over"
            )


def differences(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The values that differ between an earlier run and this one, for an error message; empty if none does."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    return "; ".join(f"{name}: {then.get(name)} then, {now.get(name)} now" for name in names)


def _unpack(content: bytes) -> tuple[dict[str, Any], Sequence[dict[str, Any]], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        expected = {*_REQUIRED, *archive.namelist()}
        files = {name: _stored(archive, name) for name in _STATE_FILES if name in expected}
        run, history = (parse_json(_stored(archive, name)) for name in (_RUN, _HISTORY))
    return dict(run), history, files


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member that is no larger than the archive: `save` compresses none."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)
