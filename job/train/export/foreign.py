"""Plain `.keras` files saved elsewhere: loaded in safe mode, and put behind raw pixels.

`card.foreign_model` converts them for `score`, and `saved_network` opens them for `export`.
"""

import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS, SIDE, Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME
from job.train.backend import import_keras, predict
from job.train.data.split import Split
from job.train.export.claims import check_hdf5, check_layers, members_of
from job.train.fit.network import INPUT_NAME, OUTPUT_NAME
from job.train.scratch import scratch_folder

if TYPE_CHECKING:
    import keras


_INPUT_SHAPES: Final = ((PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1))
_SUM_TOLERANCE: Final = 1e-3
_NOISE_IMAGES: Final = 256

_log = logging.getLogger(__name__)


def load_foreign(content: bytes, path: str) -> "keras.Model":
    """The network in a `.keras` file's bytes; `path` names the file in errors.

    Raises ModelInvalid if it cannot be loaded without running code of its own, or does not map 784 to 10 numbers.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelInvalid(f"{path}: is not a .keras file (a zip archive); save the model with Keras 3's model.save")
    for name, member in members_of(content, path).items():
        if name.endswith(".npz"):
            raise ModelInvalid(f"{path}: has its weights in {name}, expected HDF5, as model.save of Keras 3 writes it")
        if name.endswith(".h5"):
            check_hdf5(member, path)
    keras = import_keras()
    with scratch_folder(len(content)) as folder:
        local = folder / KERAS_NAME
        local.write_bytes(content)
        # Without initial values, variables take no memory before they are counted.
        with keras.StatelessScope(initialize_variables=False):
            check_layers(_load(local, path), path)
        model = _load(local, path)
    _check_shapes(model, path)
    return model


def _load(local: Path, path: str) -> "keras.Model":
    try:
        return import_keras().saving.load_model(local, compile=False, safe_mode=True)
    except MemoryError:
        raise
    except Exception as error:  # a foreign file can make Keras raise anything
        raise ModelInvalid(
            f"{path}: Keras cannot load it safely ({_first_sentence(error)}); expected a .keras file of standard "
            "layers, without Lambda layers or custom code"
        ) from error


def behind_pixels(model: "keras.Model", samples: Pixels, path: str) -> "keras.Model":
    """The network with uint8 (n, 784) pixels as input and probabilities as output.

    A network with a Rescaling layer or an integer input gets pixels of 0-255. Any other gets pixels / 255, because
    training code usually divides outside of the network. Outputs that are not probabilities for the samples,
    uint8 (n, 784), get a softmax.
    """
    keras = import_keras()
    wrapped = _with_pixel_input(model, path)
    if _are_probabilities(predict(wrapped, samples)):
        return wrapped
    _log.info("%s: its outputs are not probabilities; added a softmax", path)
    return keras.Model(wrapped.input, keras.layers.Softmax(name=OUTPUT_NAME)(wrapped.output), name=model.name)


def probe_images(digits: Split) -> Pixels:
    """Images to compare networks on that come with none of their own, uint8 (n, 784).

    The given digits first, then a blank image, one of full ink, and noise.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, PIXELS), np.uint8)
    blank = np.zeros((1, PIXELS), np.uint8)
    return np.concatenate([digits.pixels, blank, ~blank, noise])


def _check_shapes(model: "keras.Model", path: str) -> None:
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    input_shapes, output_shapes = ([tuple(each.shape[1:]) for each in tensors] for tensors in (inputs, outputs))
    if len(input_shapes) != 1 or input_shapes[0] not in _INPUT_SHAPES or output_shapes != [(CLASSES,)]:
        raise ModelInvalid(
            f"{path}: has inputs of shape {input_shapes or 'unknown'} and outputs of shape "
            f"{output_shapes or 'unknown'}; expected one input of 784, 28x28 or 28x28x1 and one output of {CLASSES}"
        )


def _first_sentence(error: Exception) -> str:
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return sentence.removesuffix(".")[:200] or type(error).__name__


def _with_pixel_input(model: "keras.Model", path: str) -> "keras.Model":
    keras = import_keras()
    entry = model.inputs[0]
    takes_raw_pixels = _takes_raw_pixels(model)
    if takes_raw_pixels:
        _log.info("%s: has a Rescaling layer or an integer input; gets pixels of 0-255", path)
    else:
        _log.info("%s: has no Rescaling layer; gets pixels / 255", path)
    if (entry.dtype, tuple(entry.shape[1:])) == ("uint8", (PIXELS,)):
        return model
    pixels = keras.Input((PIXELS,), dtype="uint8", name=INPUT_NAME)
    values: Any = keras.ops.cast(pixels, entry.dtype)
    if not takes_raw_pixels:
        values = values / 255.0
    outputs = model(keras.ops.reshape(values, (-1, *entry.shape[1:])))
    return keras.Model(pixels, keras.ops.cast(outputs, "float32"), name=model.name)


def _takes_raw_pixels(model: "keras.Model") -> bool:
    keras = import_keras()
    has_integer_input = "int" in str(model.inputs[0].dtype)
    return has_integer_input or any(isinstance(layer, keras.layers.Rescaling) for layer in _all_layers(model))


def _all_layers(model: "keras.Model") -> Iterator[Any]:
    """The layers of a network, including those of networks nested in it."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _all_layers(layer)


def _are_probabilities(outputs: Probabilities) -> bool:
    return bool(outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() <= _SUM_TOLERANCE)
