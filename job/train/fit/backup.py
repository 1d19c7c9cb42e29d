"""Keras's own callbacks that save and restore a training, with their files in a `Checkpoint`, and early stopping.

Keras writes to a folder, file by file, which a crash can catch half-done; the checkpoint is replaced as a whole. Keras
also leaves out what a network draws random numbers from, as dropout does; that is added.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.storage import translated_errors
from job.train.backend import import_keras
from job.train.fit.checkpoint import Checkpoint, Epoch, TrainingState
from job.train.scratch import check_room, scratch_folder, size_of

if TYPE_CHECKING:
    import keras


_BEST: Final = "best.npz"
_RANDOM: Final = "random.npz"


@contextmanager
def backup(
    checkpoint: Checkpoint,
    state: TrainingState | None,
    history: Sequence[Epoch],
    stopping: "keras.callbacks.EarlyStopping | None",
) -> Iterator["keras.callbacks.Callback"]:
    """A callback that begins with a state and keeps a new one after each epoch.

    history: the run's epochs, which has the new one when the callback's turn comes; so has `stopping`, if there is one.
    """
    with scratch_folder() as folder:

        class Backup(import_keras().callbacks.BackupAndRestore):  # type: ignore[misc]  # it has no types
            def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
                super().on_train_begin(logs)
                if state is not None:
                    for variable, value in zip(_random_of(self.model), _unpacked(state.files[_RANDOM]), strict=True):
                        variable.assign(value)

            def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                check_room(str(folder), size_of(self.model))
                with translated_errors(str(folder)):
                    super().on_epoch_end(epoch, logs)
                    files = {path.name: path.read_bytes() for path in folder.iterdir()}
                files[_RANDOM] = _packed([variable.numpy() for variable in _random_of(self.model)])
                if stopping is not None:
                    files[_BEST] = _packed(stopping.best_weights)
                checkpoint.save(TrainingState(tuple(history), files))

        for name, content in (state.files if state else {}).items():
            with translated_errors(str(folder)):
                (folder / name).write_bytes(content)
        yield Backup(str(folder), delete_checkpoint=False)


def early_stopping(patience: int, state: TrainingState | None) -> "keras.callbacks.EarlyStopping":
    """Keras's EarlyStopping by the loss on the validation images, which goes on where it was in a state."""

    class Stopping(import_keras().callbacks.EarlyStopping):  # type: ignore[misc]  # it has no types
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            super().on_train_begin(logs)
            if state is None:
                return
            losses = [epoch.validation_loss for epoch in state.history]
            self.best, self.best_epoch = min(losses), losses.index(min(losses))
            self.wait = len(losses) - 1 - self.best_epoch
            self.best_weights = _unpacked(state.files[_BEST])

    return Stopping("val_loss", patience=patience, restore_best_weights=True)


def _random_of(model: "keras.Model") -> list["keras.Variable"]:
    """The states of a network's random number generators."""
    kept = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in kept]


def _packed(arrays: Sequence[np.ndarray[Any, Any]]) -> bytes:
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def _unpacked(content: bytes) -> list[np.ndarray[Any, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]
