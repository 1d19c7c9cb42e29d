"""Resumable Keras callbacks: BackupAndRestore with its files in a `Checkpoint`, and EarlyStopping.

Keras writes a folder file by file, which a crash can interrupt; the checkpoint is replaced atomically. Keras also omits
the state of a network's random number generators, which dropout needs; it is saved here as well.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from job.storage import translated_errors
from job.train.backend import import_keras
from job.train.fit.checkpoint import BEST, METADATA, RANDOM, WEIGHTS, Checkpoint, Epoch, TrainingState
from job.train.scratch import check_room, scratch_folder, size_of

if TYPE_CHECKING:
    import keras


@contextmanager
def backup(
    checkpoint: Checkpoint,
    state: TrainingState | None,
    history: Sequence[Epoch],
    stopping: "keras.callbacks.EarlyStopping | None",
) -> Iterator["keras.callbacks.Callback"]:
    """A callback that restores `state` when training begins and saves a new state after each epoch.

    It must come behind the callbacks that append the epoch to `history` and that update `stopping`.
    """
    with scratch_folder() as folder:

        class Backup(import_keras().callbacks.BackupAndRestore):  # type: ignore[misc]  # untyped
            def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
                if state is None:
                    super().on_train_begin(logs)
                    return
                with checkpoint.restoring():
                    super().on_train_begin(logs)
                    saved = _unpack_arrays(state.files[RANDOM])
                    for variable, value in zip(_generator_states(self.model), saved, strict=True):
                        variable.assign(value)

            def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
                check_room(str(folder), size_of(self.model))
                with translated_errors(str(folder)):
                    super().on_epoch_end(epoch, logs)
                    files = {name: (folder / name).read_bytes() for name in (WEIGHTS, METADATA)}
                files[RANDOM] = _pack_arrays([variable.numpy() for variable in _generator_states(self.model)])
                if stopping is not None:
                    files[BEST] = _pack_arrays(stopping.best_weights)
                checkpoint.save(TrainingState(tuple(history), files))

        if state is not None:
            with translated_errors(str(folder)):
                for name in (WEIGHTS, METADATA):
                    (folder / name).write_bytes(state.files[name])
        yield Backup(str(folder), delete_checkpoint=False)


def early_stopping(patience: int, state: TrainingState | None) -> "keras.callbacks.EarlyStopping":
    """Keras's EarlyStopping on the validation loss, which continues from a saved state."""

    class ResumableEarlyStopping(import_keras().callbacks.EarlyStopping):  # type: ignore[misc]  # untyped
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            super().on_train_begin(logs)
            if state is None:
                return
            losses = [epoch.validation_loss for epoch in state.history]
            self.best, self.best_epoch = min(losses), losses.index(min(losses))
            self.wait = len(losses) - 1 - self.best_epoch
            self.best_weights = _unpack_arrays(state.files[BEST])

    return ResumableEarlyStopping("val_loss", patience=patience, restore_best_weights=True)


def _generator_states(model: "keras.Model") -> list["keras.Variable"]:
    """The states of a network's random number generators."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _pack_arrays(arrays: Sequence[np.ndarray[Any, Any]]) -> bytes:
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def _unpack_arrays(content: bytes) -> list[np.ndarray[Any, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [arrays[name] for name in arrays.files]
