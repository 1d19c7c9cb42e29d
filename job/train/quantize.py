"""A network in whole numbers: TFLite with 8-bit weights and activations, for chips without floats.

Post-training quantization (B. Jacob and others, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018): the range of every value in the network is measured on images, and cut
into 256 steps. Pixels go in as they are; a probability comes out as a byte, in steps of 1/256.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import PIXELS, Pixels
from job.errors import ModelInvalid
from job.model.bundle import INT8_NAME
from job.train.backend import import_keras
from job.train.keras_export import exported_by_keras
from job.train.network import INPUT_NAME
from job.train.tflite import TflitePredictor

if TYPE_CHECKING:
    import keras

# TensorFlow's guide asks for some hundred. Measured on 6,000 validation images and the recipe `accurate`: with 10, 50,
# 100, 200, 500, 1,000 and 2,000 images, the network names 2, 2, 1, 0, 1, 1 and 0 of them otherwise than in float32.
MOST_IMAGES: Final = 500
_INK: Final = 255


def calibration_images(pixels: Pixels) -> Pixels:
    """The images to measure ranges on: of uint8 (n, 784), n > 0, at most 500, evenly spaced.

    The first has one corner pixel of full ink, so that the range of pixels is 0-255 for images of any kind, and a step
    is one grey level.
    """
    rows = np.linspace(0, len(pixels) - 1, min(len(pixels), MOST_IMAGES)).astype(int)
    chosen: Pixels = pixels[rows]
    chosen[0, :2] = 0, _INK
    return chosen


def to_int8(model: "keras.Model", images: Pixels) -> bytes:
    """A network of uint8 (n, 784) -> float32 (n, 10) as TFLite in integers alone: bytes in, bytes out.

    images: uint8 (n, 784), from the training split; the same ones always give the same bytes. Raises ModelInvalid if
    the network holds something that TFLite has no integer operator for.
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
    with exported_by_keras(_fed_with_floats(model), INT8_NAME, "litert", **options) as path:
        content = path.read_bytes()
    if TflitePredictor(content).has_floats:
        raise ModelInvalid(f"{model.name}: TFLite cannot compute it in integers alone; leave out --quantize")
    return content


def _fed_with_floats(model: "keras.Model") -> "keras.Model":
    """The same layers on float32 pixels: the converter quantizes an input that has steps to measure, and no other."""
    keras = import_keras()
    pixels = keras.Input((PIXELS,), dtype="float32", name=INPUT_NAME)
    return keras.models.clone_model(model, input_tensors=pixels, clone_function=lambda layer: layer)
