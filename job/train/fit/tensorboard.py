"""What a training tells TensorBoard: scalars, histograms of weights, the confusion matrix as a picture, the graph.

Keras's own callback writes the first two, and the graph of layers. TensorFlow writes the files; its errors about them
leave here as those of storage.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from job.contract import CLASS_NAMES, CLASSES, PIXELS
from job.errors import ResourceExhausted, StorageError
from job.storage import join
from job.train.backend import import_keras
from job.train.data.split import Split
from job.train.judge.parity import predict

if TYPE_CHECKING:
    import keras


# A long training writes so many histograms of each kind, and pictures.
_MOST_STEPS: Final = 20
_INCHES: Final = 6
_DARK: Final = 0.5


@contextmanager
def tensorboard(folder: str, validation: Split, epochs: int) -> Iterator[list["keras.callbacks.Callback"]]:
    """Callbacks that write a training's events into a folder of this machine, in `train`, `validation`, `pictures`.

    validation: whose confusion matrix is drawn. epochs: at most so many. Raises StorageError or ResourceExhausted where
    the events cannot be written.
    """
    interval = -(-epochs // _MOST_STEPS)
    import tensorflow as tf

    standard = import_keras().callbacks.TensorBoard(folder, histogram_freq=interval)
    try:
        yield [standard, _pictures(join(folder, "pictures"), validation, interval)]
    except tf.errors.OpError as error:
        if "Summary" not in str(error):  # then it is of the training itself: these operations are all called so
            raise
        kind = ResourceExhausted if isinstance(error, tf.errors.ResourceExhaustedError) else StorageError
        raise kind(f"{folder}: TensorBoard's events cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """TensorFlow's words, without the name of its operation."""
    return str(error).partition("}} ")[2].partition("\n")[0].partition(" [Op:")[0][:200] or type(error).__name__


def _pictures(folder: str, validation: Split, interval: int) -> "keras.callbacks.Callback":
    """A callback that writes the graph of operations, and each few epochs the confusion matrix."""
    import tensorflow as tf

    class Pictures(import_keras().callbacks.Callback):  # type: ignore[misc]  # it has no types
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  # Keras passes it
            self._writer = tf.summary.create_file_writer(folder)
            self._last = self._drawn = -1
            signature = tf.TensorSpec((None, PIXELS), tf.uint8, name="pixels")
            with self._writer.as_default(step=0):
                tf.summary.graph(tf.function(self.model).get_concrete_function(signature, training=False).graph)

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
            self._last = epoch
            if (epoch + 1) % interval == 0:
                self._draw()

        def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
            if self._drawn != self._last:
                self._draw()
            self._writer.close()

        def _draw(self) -> None:
            predictions = predict(self.model, validation.pixels).argmax(axis=1)
            counts = np.zeros((CLASSES, CLASSES), np.int64)
            np.add.at(counts, (validation.labels, predictions), 1)
            picture = tf.io.decode_png(drawn(counts))[tf.newaxis]
            with self._writer.as_default(step=self._last):
                tf.summary.image("confusion_matrix", picture, description="of the validation images, true x predicted")
            self._writer.flush()
            self._drawn = self._last

    return Pictures()


def drawn(counts: npt.NDArray[np.int64]) -> bytes:
    """A confusion matrix, int64 (10, 10), true x predicted, as a PNG: counts, on the darker the greater their share."""
    from matplotlib.figure import Figure

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(_INCHES, _INCHES), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted digit", ylabel="true digit")
    axes.set_xticks(range(CLASSES), CLASS_NAMES)
    axes.set_yticks(range(CLASSES), CLASS_NAMES)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > _DARK else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
