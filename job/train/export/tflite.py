"""Networks as TFLite (now called LiteRT), for phones and boards, in float32 or in 8-bit integers.

Keras converts, TensorFlow's interpreter runs the result. Only TFLite's built-in operators are used, so that every
interpreter can run the file.

The integer form is post-training quantization (B. Jacob and others, "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", CVPR 2018): the range of every value is measured on images and divided
into 256 steps. Pixels are bytes, and a probability is a byte in steps of 1/256.
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from job.contract import CLASSES, PIXELS, Pixels, Probabilities
from job.documents.model_json import ExportSignature, InputSignature, OutputSignature
from job.errors import ModelInvalid
from job.flag_names import Flag
from job.model.bundle import INT8_NAME, TFLITE_NAME
from job.train.backend import import_keras, without_notices
from job.train.export.keras_export import exported_by_keras
from job.train.fit.network import INPUT_NAME

if TYPE_CHECKING:
    import keras


# TensorFlow's guide suggests a few hundred. Measured on 6,000 validation images with the recipe `accurate`: with 10,
# 50, 100, 200, 500, 1,000 and 2,000 images, 2, 2, 1, 0, 1, 1 and 0 predictions differ from float32.
MAX_IMAGES: Final = 500
_INK: Final = 255
_BATCH_ROWS: Final = 1024


def to_tflite(model: "keras.Model") -> bytes:
    """A network of uint8 (n, 784) -> float32 (n, 10) as TFLite in float32; the same one always gives the same bytes.

    Raises ModelInvalid where TFLite's built-in operators cannot express it.
    """
    import_keras()
    import tensorflow as tf

    built_in = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    with exported_by_keras(model, TFLITE_NAME, "litert", target_spec=built_in) as path:
        return path.read_bytes()


def to_int8(model: "keras.Model", images: Pixels) -> bytes:
    """A network of uint8 (n, 784) -> float32 (n, 10) as TFLite in integers only, with bytes as input and output.

    images: uint8 (n, 784) of the training split; the same ones always give the same bytes. Raises ModelInvalid where
    TFLite's integer operators cannot express the network.
    """
    import_keras()
    import tensorflow as tf

    def samples() -> Iterator[list[Any]]:
        for image in calibration_images(images):
            yield [image[np.newaxis].astype(np.float32)]

    options = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": samples,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.uint8,
    }
    with exported_by_keras(_with_float_input(model), INT8_NAME, "litert", **options) as path:
        content = path.read_bytes()
    if TflitePredictor(content).has_floats:
        raise ModelInvalid(f"{model.name}: TFLite cannot compute it in integers only; leave out {Flag.QUANTIZE}")
    return content


def calibration_images(pixels: Pixels) -> Pixels:
    """The images on which ranges are measured: at most 500 of uint8 (n, 784), n > 0, evenly spaced.

    A corner of the first one is set to full ink, so that the range of pixels is 0-255 for any data, and one step is one
    grey level.
    """
    rows = np.linspace(0, len(pixels) - 1, min(len(pixels), MAX_IMAGES)).astype(int)
    chosen: Pixels = pixels[rows]
    chosen[0, :2] = 0, _INK
    return chosen


class TflitePredictor:
    """A network loaded from TFLite; not thread-safe."""

    def __init__(self, content: bytes) -> None:
        """content: as `to_tflite` or `to_int8` returns it."""
        import_keras()
        import tensorflow as tf

        with warnings.catch_warnings(), without_notices():
            # The interpreter will move to a package of its own.
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated", UserWarning)
            self._interpreter = tf.lite.Interpreter(model_content=content)
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        self._rows = 0

    @property
    def has_floats(self) -> bool:
        """Whether any tensor is a float."""
        return any(np.issubdtype(each["dtype"], np.floating) for each in self._interpreter.get_tensor_details())

    @property
    def signature(self) -> ExportSignature:
        """Its input and output, for the model's card."""
        return {
            "input": cast("InputSignature", {**_tensor_info(self._input, PIXELS), "range": [0, 255]}),
            "output": cast("OutputSignature", _tensor_info(self._output, CLASSES)),
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
        output = self._interpreter.get_tensor(self._output["index"])
        scale, zero = self._output["quantization"]
        return np.asarray((output - np.float32(zero)) * np.float32(scale) if scale else output, np.float32)


def _tensor_info(tensor: dict[str, Any], width: int) -> dict[str, Any]:
    scale, zero = tensor["quantization"]
    steps = {"scale": scale, "zero_point": zero} if scale else {}
    return {"dtype": np.dtype(tensor["dtype"]).name, "shape": [width], **steps}


def _with_float_input(model: "keras.Model") -> "keras.Model":
    """The same layers on float32 pixels; the converter quantizes no other input."""
    keras = import_keras()
    pixels = keras.Input((PIXELS,), dtype="float32", name=INPUT_NAME)
    return keras.models.clone_model(model, input_tensors=pixels, clone_function=lambda layer: layer)
