"""Networks from elsewhere put behind raw pixels: their input rescaled as they expect it, their output probabilities.

`foreign` and `foreign_saved_model` load them. What they expect is found on reference digits, see `model.input_range`.
"""

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import PIXELS, Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.input_range import InputRange, OutputKind, decide, evidence_of, output_kind, undecided
from job.normalize.reference_digits import reference_digits
from job.train.backend import import_keras, predict
from job.train.data.split import Split
from job.train.export.foreign import layers_of
from job.train.fit.network import INPUT_NAME, OUTPUT_NAME

if TYPE_CHECKING:
    import keras


_NOISE_IMAGES: Final = 256

_log = logging.getLogger(__name__)


def behind_pixels(
    model: "keras.Model", samples: Pixels, path: str, *, input_range: InputRange | None = None
) -> "keras.Model":
    """The network with uint8 (n, 784) pixels as input and probabilities as output.

    input_range: what it expects; None: find out. samples: uint8 (n, 784), to see whether its outputs are
    probabilities. Raises ModelInvalid where the evidence for a range is thin.
    """
    keras = import_keras()
    wrapped = _with_pixel_input(model, input_range or _input_range(model, path), path)
    kind = output_kind(predict(wrapped, samples))
    if kind is OutputKind.PROBABILITIES:
        return wrapped
    if kind is OutputKind.LOGITS:
        _log.info("%s: its outputs are not probabilities; added a softmax", path)
        outputs = keras.layers.Softmax(name=OUTPUT_NAME)(wrapped.output)
    else:
        _log.info("%s: its outputs do not add up to 1; divided them by their sum", path)
        outputs = wrapped.output / keras.ops.maximum(keras.ops.sum(wrapped.output, axis=1, keepdims=True), 1e-38)
    return keras.Model(wrapped.input, outputs, name=model.name)


def probe_images(digits: Split) -> Pixels:
    """Images to compare networks on that come with none of their own, uint8 (n, 784).

    The given digits first, then a blank image, one of full ink, and noise.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, PIXELS), np.uint8)
    blank = np.zeros((1, PIXELS), np.uint8)
    return np.concatenate([digits.pixels, blank, ~blank, noise])


def _input_range(model: "keras.Model", path: str) -> InputRange:
    """The range that a network expects, by its structure and by evidence."""
    entry = model.inputs[0]
    if "int" in str(entry.dtype):
        _log.info("%s: has an integer input; gets pixels of 0-255", path)
        return InputRange.BYTES
    digits = reference_digits()
    found = {each: evidence_of(_outputs(model, each.apply(digits.pixels)), digits.labels) for each in InputRange}
    chosen = decide(found)
    if chosen is not None:
        share = 100 * found[chosen].accuracy
        _log.info(
            "%s: gets %s, of which it classifies %.0f %% of the reference digits correctly", path, chosen.formula, share
        )
        return chosen
    if any(isinstance(layer, import_keras().layers.Rescaling) for layer in layers_of(model)):
        _log.info("%s: has a Rescaling layer; gets pixels of 0-255", path)
        return InputRange.BYTES
    raise undecided(path, found)


def _outputs(model: "keras.Model", values: Any) -> Probabilities:
    """The network's outputs, float32 (n, 10), for its inputs as rows, float32 (n, 784)."""
    keras = import_keras()
    shaped = values.reshape(-1, *model.inputs[0].shape[1:])
    return np.asarray(keras.ops.convert_to_numpy(model(shaped, training=False)), np.float32)


def _with_pixel_input(model: "keras.Model", input_range: InputRange, path: str) -> "keras.Model":
    keras = import_keras()
    entry = model.inputs[0]
    is_integer = "int" in str(entry.dtype)
    if is_integer and input_range is not InputRange.BYTES:
        raise ModelInvalid(f"{path}: has an input of integers, which cannot hold {input_range.formula}")
    if (entry.dtype, tuple(entry.shape[1:])) == ("uint8", (PIXELS,)):
        return model
    pixels = keras.Input((PIXELS,), dtype="uint8", name=INPUT_NAME)
    values: Any = keras.ops.cast(pixels, entry.dtype)
    if input_range is InputRange.UNIT:
        values = values / 255.0
    elif input_range is not InputRange.BYTES:
        factor, offset = input_range.step
        values = values * factor + offset
    outputs = model(keras.ops.reshape(values, (-1, *entry.shape[1:])))
    return keras.Model(pixels, keras.ops.cast(outputs, "float32"), name=model.name)
