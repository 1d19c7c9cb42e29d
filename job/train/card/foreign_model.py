"""Plain `.keras` files converted to model folders, so that `score` can run them.

`plain_model` calls it; `export.foreign` loads the file and puts its network behind raw pixels.
"""

import logging
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from job.documents.model_json import CardContent
from job.errors import ModelInvalid
from job.model.bundle import KERAS_NAME, Golden, write_card
from job.storage import Storage
from job.train.card.sections import golden_rows, identity
from job.train.data.origin import find_images
from job.train.export.foreign import behind_pixels, load_foreign, probe_images
from job.train.export.formats import for_scoring, write_files
from job.train.judge.parity import Parity, compare

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)


def convert(storage: Storage, keras_path: str, folder: str) -> None:
    """Write a model folder for a `.keras` file; the same file always gives the same model digest.

    The folder holds the file unchanged, and the network behind raw pixels as ONNX, see `behind_pixels`. Raises
    ModelInvalid if the file holds no network of 784 -> 10 or needs code of its own (Lambda), or if its ONNX export
    gives other answers.
    """
    path = storage.resolve(keras_path)
    if storage.stat(path) is None:
        raise ModelInvalid(f"{path}: no such file; expected a .keras file")
    content = storage.read(path)
    original = load_foreign(content, path)
    digits = find_images(storage, "digits").images
    model = behind_pixels(original, digits.pixels, path)
    exported = for_scoring(model)
    agreement = compare(model, exported.predictors, probe_images(digits))
    accuracy = float((agreement.original[: len(digits)].argmax(axis=1) == digits.labels).mean())
    _log.info("%s: converted; classifies %.1f %% of scikit-learn's digits correctly", path, 100 * accuracy)
    write_files(storage, folder, {KERAS_NAME: content, **exported.files})
    rows = golden_rows(digits.labels)
    golden = Golden(digits.pixels[rows], agreement.original[rows])
    write_card(storage, folder, _card(original, path, agreement.parity), golden)


def _card(model: "keras.Model", path: str, parity: Mapping[str, Parity]) -> CardContent:
    layers = "-".join(type(layer).__name__ for layer in model.layers)
    return cast(
        "CardContent",
        {
            **identity(PurePosixPath(path).stem, "converted", layers, model.count_params()),
            "data": None,
            "metrics": {},
            "export": {name: each.to_json() for name, each in parity.items()},
        },
    )
