"""Networks as TensorFlow's SavedModel, which is a folder, for TensorFlow Serving and similar servers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from job.contract import CLASSES, Pixels, Probabilities
from job.train.backend import import_keras, without_notices
from job.train.export.keras_export import exported_by_keras
from job.train.scratch import scratch_folder

if TYPE_CHECKING:
    import keras


SAVED_MODEL_NAME: Final = "saved_model"
# The file that makes a folder a SavedModel.
GRAPH_NAME: Final = "saved_model.pb"
_BATCH_ROWS: Final = 1024


def to_saved_model(model: "keras.Model") -> dict[str, bytes]:
    """The files of a SavedModel by relative path, for a network of uint8 (n, 784) -> float32 (n, 10).

    Its signature `serving_default` takes `pixels` and returns `output_0`. TensorFlow gives each one a new identifier,
    so the bytes always differ.
    """
    with exported_by_keras(model, SAVED_MODEL_NAME, "tf_saved_model") as folder:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class SavedModelPredictor:
    """A network loaded from a SavedModel."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """files: as `to_saved_model` returns them."""
        import_keras()
        import tensorflow as tf

        # Variables are read while loading; the folder is not needed afterwards.
        with scratch_folder(sum(map(len, files.values()))) as folder:
            for name, content in files.items():
                path = folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            with without_notices():
                self._model = tf.saved_model.load(str(folder))
        self._serve = self._model.signatures["serving_default"]

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        import tensorflow as tf

        results = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), _BATCH_ROWS):
            (output,) = self._serve(tf.constant(pixels[start : start + _BATCH_ROWS])).values()
            results[start : start + _BATCH_ROWS] = output.numpy()
        return results
