"""A network as TensorFlow's SavedModel, a folder, for TensorFlow Serving and its like."""

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
# What TensorFlow knows such a folder by.
GRAPH_NAME: Final = "saved_model.pb"
_BATCH_ROWS: Final = 1024


def to_saved_model(model: "keras.Model") -> dict[str, bytes]:
    """The files of a SavedModel by their paths in its folder, for a network of uint8 (n, 784) -> float32 (n, 10).

    Its `serving_default` takes `pixels` and gives `output_0`, as the network does. TensorFlow makes up a new identity
    for each one, so its bytes are never the same.
    """
    with exported_by_keras(model, SAVED_MODEL_NAME, "tf_saved_model") as folder:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class SavedModelPredictor:
    """A network loaded from a SavedModel."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files`: what this module made."""
        import_keras()
        import tensorflow as tf

        # Variables are read while it loads; the folder is not needed after that.
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
            (given,) = self._serve(tf.constant(pixels[start : start + _BATCH_ROWS])).values()
            results[start : start + _BATCH_ROWS] = given.numpy()
        return results
