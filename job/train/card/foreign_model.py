"""Keras files and SavedModels from elsewhere converted to model folders, so that `score` can run them.

`plain_model` calls it; `export.saved_network` loads the network, `export.pixel_input` puts it behind raw pixels.
`model.foreign_onnx` does the same for ONNX files.
"""

import logging
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from job.documents.model_json import CardContent
from job.model.bundle import KERAS_NAME, Golden, write_card
from job.model.input_range import InputRange, warn_if_poor
from job.model.model_kind import FoundModel, ModelKind
from job.normalize.reference_digits import reference_digits
from job.storage import Storage
from job.train.backend import predict
from job.train.card.sections import golden_rows, identity
from job.train.data.optdigits import optdigits
from job.train.export.formats import for_scoring, write_files
from job.train.export.pixel_input import behind_pixels, probe_images
from job.train.export.saved_network import load_network
from job.train.judge.parity import FOREIGN, Parity, compare
from job.train.scratch import private_temporary_files

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)


@private_temporary_files()
def convert(storage: Storage, found: FoundModel, folder: str, *, input_range: InputRange | None = None) -> None:
    """Write a model folder for a network from elsewhere; the same one always gives the same model digest.

    The folder holds the network behind raw pixels as ONNX, see `behind_pixels`, and a `.keras` file unchanged.
    input_range: what it expects; None: find out. Raises ModelInvalid if it is no network of 784 -> 10 or needs code of
    its own (Lambda), if its ONNX export gives other answers, or if it stays unclear which range it expects.
    """
    path = found.path
    original = load_network(storage, found)
    digits = optdigits().images
    model = behind_pixels(original, digits.pixels, path, input_range=input_range)
    exported = for_scoring(model)
    agreement = compare(model, exported.predictors, probe_images(digits), FOREIGN)
    reference = reference_digits()
    accuracy = float((predict(model, reference.pixels).argmax(axis=1) == reference.labels).mean())
    _log.info("%s: converted; classifies %.1f %% of the reference digits correctly", path, 100 * accuracy)
    warn_if_poor(path, accuracy)
    kept = {KERAS_NAME: found.content} if found.kind is ModelKind.KERAS else {}
    write_files(storage, folder, {**kept, **exported.files})
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
