"""A network from elsewhere: loaded without running its code, and put behind raw pixels like one trained here.

A plain `.keras` file from elsewhere -> a model folder, for `score` to run.
"""

import io
import logging
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from job.contract import CLASSES, PIXELS, SIDE, Pixels, Probabilities
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME, Golden, write_card
from job.storage import Storage
from job.train.backend import import_keras
from job.train.card.sections import golden_rows, identity
from job.train.data.origin import find_images
from job.train.data.split import Split
from job.train.export.formats import for_scoring, write_files
from job.train.fit.network import INPUT_NAME, OUTPUT_NAME
from job.train.judge.parity import Parity, compare, predict
from job.train.scratch import scratch_folder

if TYPE_CHECKING:
    import keras


_log = logging.getLogger(__name__)

_INPUT_SHAPES: Final = ((PIXELS,), (SIDE, SIDE), (SIDE, SIDE, 1))
_SUM_TOLERANCE: Final = 1e-3


def load_foreign(content: bytes, path: str) -> "keras.Model":
    """The network in a `.keras` file's bytes; `path` names it in errors.

    Raises ModelInvalid if it cannot be loaded without running code of its own, or is none of 784 -> 10 numbers.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelInvalid(f"{path}: is no .keras file (a zip archive); save the model with Keras 3's model.save")
    keras = import_keras()
    with scratch_folder(len(content)) as folder:
        local = folder / KERAS_NAME
        local.write_bytes(content)
        try:
            model = keras.saving.load_model(local, compile=False, safe_mode=True)
        except MemoryError:
            raise
        except Exception as error:  # whatever a file from elsewhere makes Keras raise
            raise ModelInvalid(
                f"{path}: Keras cannot load it safely ({_first_sentence(error)}); expected a .keras file of standard "
                "layers, without Lambda layers or code of its own"
            ) from error
    _check_shapes(model, path)
    return model


def behind_pixels(model: "keras.Model", samples: Pixels, path: str) -> "keras.Model":
    """The network behind uint8 (n, 784) pixels, with probabilities as output.

    Without a Rescaling layer it is fed pixels / 255, because training code usually divides outside of the network; with
    one, or with whole numbers as its input, 0-255. Outputs that are no probabilities for the samples get a softmax.
    """
    keras = import_keras()
    wrapped = _fed_with_pixels(model, path)
    if _are_probabilities(predict(wrapped, samples)):
        return wrapped
    _log.info("%s: its outputs are no probabilities; added a softmax", path)
    return keras.Model(wrapped.input, keras.layers.Softmax(name=OUTPUT_NAME)(wrapped.output), name=model.name)


def _check_shapes(model: "keras.Model", path: str) -> None:
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    taken, given = ([tuple(each.shape[1:]) for each in tensors] for tensors in (inputs, outputs))
    if len(taken) != 1 or taken[0] not in _INPUT_SHAPES or given != [(CLASSES,)]:
        raise ModelInvalid(
            f"{path}: takes {taken or 'an unknown shape'} and gives {given or 'an unknown shape'}; expected one input "
            f"of 784, 28x28 or 28x28x1 and one output of {CLASSES}"
        )


def _first_sentence(error: Exception) -> str:
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return sentence.removesuffix(".")[:200] or type(error).__name__


def _fed_with_pixels(model: "keras.Model", path: str) -> "keras.Model":
    keras = import_keras()
    entry = model.inputs[0]
    takes_raw_pixels = _takes_raw_pixels(model)
    if takes_raw_pixels:
        _log.info("%s: fed with pixels of 0-255, for it rescales them itself or takes whole numbers", path)
    else:
        _log.info("%s: has no Rescaling layer; fed with pixels / 255", path)
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
    takes_whole_numbers = "int" in str(model.inputs[0].dtype)
    return takes_whole_numbers or any(isinstance(layer, keras.layers.Rescaling) for layer in _layers(model))


def _layers(model: "keras.Model") -> Iterator[Any]:
    """All layers, those of networks within the network included."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _are_probabilities(outputs: Probabilities) -> bool:
    return bool(outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() <= _SUM_TOLERANCE)


_NOISE_IMAGES = 256


def convert(storage: Storage, keras_path: str, folder: str) -> None:
    """Make a model folder of a `.keras` file from elsewhere; the same file always gives the same model digest.

    The file goes into the folder unchanged; the ONNX is of the network behind raw pixels, see `foreign.behind_pixels`.
    Raises ModelInvalid if the file is no network of 784 -> 10, holds code (Lambda), or does not survive the export.
    """
    path = storage.resolve(keras_path)
    if storage.stat(path) is None:
        raise ModelInvalid(f"{path}: there is no such file; expected a .keras file")
    content = storage.read(path)
    original = load_foreign(content, path)
    digits = find_images(storage, "digits").images
    model = behind_pixels(original, digits.pixels, path)
    scorable = for_scoring(model)
    said = compare(model, scorable.predictors, probes(digits))
    right = float((said.original[: len(digits)].argmax(axis=1) == digits.labels).mean())
    _log.info("%s: converted; names %.1f %% of scikit-learn's digits right", path, 100 * right)
    write_files(storage, folder, {KERAS_NAME: content, **scorable.files})
    rows = golden_rows(digits.labels)
    golden = Golden(digits.pixels[rows], said.original[rows])
    write_card(storage, folder, _foreign_card(original, path, said.parity), golden)


def _foreign_card(model: "keras.Model", path: str, parity: Mapping[str, Parity]) -> dict[str, Any]:
    layers = "-".join(type(layer).__name__ for layer in model.layers)
    return {
        **identity(PurePosixPath(path).stem, "converted", layers, model.count_params()),
        "data": None,
        "metrics": {},
        "export": {name: each.to_json() for name, each in parity.items()},
    }


def probes(digits: Split) -> Pixels:
    """What to compare networks on where no images of their own are at hand, uint8 (n, 784).

    Real digits first, then nothing, all ink, and noise.
    """
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, PIXELS), np.uint8)
    blank = np.zeros((1, PIXELS), np.uint8)
    return np.concatenate([digits.pixels, blank, ~blank, noise])
