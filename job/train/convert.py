"""A plain `.keras` file from elsewhere -> a model folder, for `score` to run."""

import logging
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from job.contract import PIXELS, Pixels
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME, Golden, write_card
from job.storage import Storage
from job.train.card import golden_rows, identity
from job.train.foreign import behind_pixels, load_foreign
from job.train.formats import for_scoring, write_files
from job.train.origin import find_images
from job.train.parity import Parity, compare
from job.train.split import Split

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

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
