"""A network as TFLite (LiteRT by its newer name), for phones and boards: written by Keras, run by TensorFlow's own.

Only TFLite's built-in operators are used, so that any of its interpreters can run the file.
"""

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.model.bundle import TFLITE_NAME
from job.train.backend import import_keras, without_notices
from job.train.keras_export import exported_by_keras

if TYPE_CHECKING:
    import keras

_BATCH_ROWS: Final = 1024


def to_tflite(model: "keras.Model") -> bytes:
    """A network of uint8 (n, 784) -> float32 (n, 10) as TFLite, in float32; the same one always gives the same bytes.

    It takes and gives what the network does. Raises ModelInvalid if it holds something that TFLite has no operator for.
    """
    import_keras()
    import tensorflow as tf

    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with exported_by_keras(model, TFLITE_NAME, "litert", target_spec=built_in) as path:
        return path.read_bytes()


class TflitePredictor:
    """A network loaded from TFLite, one caller at a time."""

    def __init__(self, content: bytes) -> None:
        """`content`: what this module wrote."""
        import_keras()
        import tensorflow as tf

        with warnings.catch_warnings(), without_notices():
            # That it will move to a package of its own, which is some day's work.
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
            self._interpreter = tf.lite.Interpreter(model_content=content)
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        self._rows = 0

    @property
    def has_floats(self) -> bool:
        """Whether anything in it is computed with floats."""
        return any(np.issubdtype(each["dtype"], np.floating) for each in self._interpreter.get_tensor_details())

    @property
    def signature(self) -> dict[str, Any]:
        """What it takes and gives, for the model's card."""
        return {
            "input": {**_described(self._input, PIXELS), "range": [0, 255]},
            "output": _described(self._output, CLASSES),
        }

    def predict(self, pixels: Pixels) -> Probabilities:
        """uint8 (n, 784) -> float32 (n, 10)."""
        results = np.empty((len(pixels), CLASSES), np.float32)
        for start in range(0, len(pixels), _BATCH_ROWS):
            results[start : start + _BATCH_ROWS] = self._run(pixels[start : start + _BATCH_ROWS])
        return results

    def _run(self, pixels: Pixels) -> Probabilities:
        if len(pixels) != self._rows:
            self._rows = len(pixels)
            self._interpreter.resize_tensor_input(self._input["index"], pixels.shape)
            with without_notices():
                self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._input["index"], pixels)
        self._interpreter.invoke()
        given = self._interpreter.get_tensor(self._output["index"])
        scale, zero = self._output["quantization"]
        return np.asarray((given - np.float32(zero)) * np.float32(scale) if scale else given, np.float32)


def _described(tensor: dict[str, Any], width: int) -> dict[str, Any]:
    scale, zero = tensor["quantization"]
    steps = {"scale": scale, "zero_point": zero} if scale else {}
    return {"dtype": np.dtype(tensor["dtype"]).name, "shape": [width], **steps}
