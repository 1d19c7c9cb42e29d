"""TensorBoard events of a training run: scalars, weight histograms, the graph, and the confusion matrix as an image.

Keras's own callback writes the first two, and the graph of layers. TensorFlow writes the files; its errors about them
become StorageError or ResourceExhausted.
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
from job.train.backend import import_keras, predict
from job.train.data.split import Split

if TYPE_CHECKING:
    import keras


# Histograms and confusion matrices per run, at most; also of a long one.
_MAX_STEPS: Final = 20
_INCHES: Final = 6
# Share of the row above which a cell is dark, and its count white.
_DARK: Final = 0.5


@contextmanager
def tensorboard(folder: str, validation: Split, epochs: int) -> Iterator[list["keras.callbacks.Callback"]]:
    """Callbacks that write a run's events into `train`, `validation` and `pictures` of a local folder.

    validation: the images of the confusion matrix. epochs: the maximum. Raises StorageError or ResourceExhausted where
    the events cannot be written.
    """
    interval = -(-epochs // _MAX_STEPS)
    import tensorflow as tf

    standard = import_keras().callbacks.TensorBoard(folder, histogram_freq=interval)
    try:
        yield [standard, _pictures(join(folder, "pictures"), validation, interval)]
    except tf.errors.OpError as error:
        # The operations that write events are all named so; any other error is the training's own.
        if "Summary" not in str(error):
            raise
        kind = ResourceExhausted if isinstance(error, tf.errors.ResourceExhaustedError) else StorageError
        raise kind(f"{folder}: TensorBoard's events cannot be written: {_reason(error)}") from error


def confusion_png(counts: npt.NDArray[np.int64]) -> bytes:
    """A confusion matrix, int64 (10, 10), true x predicted, as a PNG; the colour is a cell's share of its row."""
    from matplotlib import style
    from matplotlib.figure import Figure

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Not by the settings of a matplotlibrc, which may lie in the current folder and be anyone's.
    with style.context([], after_reset=True):
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


def _pictures(folder: str, validation: Split, interval: int) -> "keras.callbacks.Callback":
    """A callback that writes the graph of operations, and every `interval` epochs the confusion matrix."""
    import tensorflow as tf

    class Pictures(import_keras().callbacks.Callback):  # type: ignore[misc]  # untyped
        def on_train_begin(self, _logs: dict[str, Any] | None = None) -> None:
            self._writer = tf.summary.create_file_writer(folder)
            self._epoch = self._drawn_epoch = -1
            signature = tf.TensorSpec((None, PIXELS), tf.uint8, name="pixels")
            with self._writer.as_default(step=0):
                tf.summary.graph(tf.function(self.model).get_concrete_function(signature, training=False).graph)

        def on_epoch_end(self, epoch: int, _logs: dict[str, Any] | None = None) -> None:
            self._epoch = epoch
            if (epoch + 1) % interval == 0:
                self._draw()

        def on_train_end(self, _logs: dict[str, Any] | None = None) -> None:
            if self._drawn_epoch != self._epoch:
                self._draw()
            self._writer.close()

        def _draw(self) -> None:
            predictions = predict(self.model, validation.pixels).argmax(axis=1)
            counts = np.zeros((CLASSES, CLASSES), np.int64)
            np.add.at(counts, (validation.labels, predictions), 1)
            picture = tf.io.decode_png(confusion_png(counts))[tf.newaxis]
            with self._writer.as_default(step=self._epoch):
                tf.summary.image("confusion_matrix", picture, description="of the validation images, true x predicted")
            self._writer.flush()
            self._drawn_epoch = self._epoch

    return Pictures()


def _reason(error: Exception) -> str:
    """TensorFlow's words, without the name of its operation."""
    return str(error).partition("}} ")[2].partition("\n")[0].partition(" [Op:")[0][:200] or type(error).__name__
