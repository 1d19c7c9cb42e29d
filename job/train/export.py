"""A network -> the files of a model folder: Keras's own, ONNX for the scorer, TFLite for devices.

Goes through temporary folders of this machine, because Keras reads and writes paths only; `storage` gets the bytes.
"""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from job.contract import CLASSES, PIXELS, Pixels
from job.errors import ModelInvalid
from job.model.bundle import DENSE_NAME, INT8_NAME, KERAS_NAME, ONNX_NAME, TFLITE_NAME, Golden, Predictor, write_card
from job.model.dense import DensePredictor
from job.model.onnx_predictor import OnnxPredictor
from job.storage import Storage, join
from job.train.card import golden_rows, identity
from job.train.foreign import behind_pixels, load_foreign
from job.train.keras_export import exported_by_keras
from job.train.origin import find_images
from job.train.parity import Parity, compare
from job.train.quantize import to_int8
from job.train.split import Split
from job.train.tflite import TflitePredictor, to_tflite

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

_NOISE_IMAGES = 256
# What the scorer feeds networks with, and reads from them.
_SIGNATURE = {
    "input": {"dtype": "uint8", "shape": [PIXELS], "range": [0, 255]},
    "output": {"dtype": "float32", "shape": [CLASSES]},
}


@dataclass(frozen=True)
class Exported:
    """A network in the formats of others. files: their content, by their names in a model folder."""

    files: dict[str, bytes]

    @cached_property
    def predictors(self) -> dict[str, Predictor]:
        """Each, ready to run, by the name of its file."""
        return {name: _predictor(name, content) for name, content in self.files.items()}

    @property
    def scorer(self) -> str:
        """The name of the one that the scorer will choose."""
        return DENSE_NAME if DENSE_NAME in self.files else ONNX_NAME

    @property
    def signatures(self) -> dict[str, dict[str, Any]]:
        """What each takes and gives, by the name of its file, for the model's card."""
        return {name: getattr(each, "signature", _SIGNATURE) for name, each in self.predictors.items()}


def export(storage: Storage, model: "keras.Model", folder: str, *, quantized_by: Pixels | None = None) -> Exported:
    """Write a network's formats into a folder: `model.keras`, `.onnx`, `.tflite`, and `.npz` if all layers are dense.

    quantized_by: training images, uint8 (n, 784), to make `model.int8.tflite` by, too; see `quantize`. Raises
    ModelInvalid where a format has no words for the network.
    """
    in_integers = {} if quantized_by is None else {INT8_NAME: to_int8(model, quantized_by)}
    exported = Exported({**for_scoring(model).files, TFLITE_NAME: to_tflite(model), **in_integers})
    _write(storage, folder, {KERAS_NAME: _to_keras(model), **exported.files})
    return exported


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
    said = compare(model, scorable.predictors, _probes(digits))
    right = float((said.original[: len(digits)].argmax(axis=1) == digits.labels).mean())
    _log.info("%s: converted; names %.1f %% of scikit-learn's digits right", path, 100 * right)
    _write(storage, folder, {KERAS_NAME: content, **scorable.files})
    rows = golden_rows(digits.labels)
    golden = Golden(digits.pixels[rows], said.original[rows])
    write_card(storage, folder, _foreign_card(original, path, said.parity), golden)


def for_scoring(model: "keras.Model") -> Exported:
    """What the scorer may run: a network of uint8 (n, 784) -> float32 (n, 10) as ONNX, and as layers if all are dense.

    The same network always gives the same bytes. Raises ModelInvalid if it holds something that ONNX has no operator
    for.
    """
    from job.train.onnx_fold import fold_rescaling  # noqa: PLC0415  # imports onnx
    from job.train.onnx_graph import canonical  # noqa: PLC0415  # imports onnx
    from job.train.onnx_layers import dense_layers  # noqa: PLC0415  # imports onnx

    with exported_by_keras(model, ONNX_NAME, "onnx") as path:
        onnx = canonical(fold_rescaling(path.read_bytes()))
    layers = dense_layers(onnx)
    return Exported({ONNX_NAME: onnx} if layers is None else {ONNX_NAME: onnx, DENSE_NAME: layers})


def _predictor(name: str, content: bytes) -> Predictor:
    if name == ONNX_NAME:
        return OnnxPredictor(content, name)
    return DensePredictor(content, name) if name == DENSE_NAME else TflitePredictor(content)


def _to_keras(model: "keras.Model") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, KERAS_NAME)
        model.save(path)
        return path.read_bytes()


def _write(storage: Storage, folder: str, files: Mapping[str, bytes]) -> None:
    """Write the files of a model folder that the card vouches for."""
    for name, content in files.items():
        with storage.commit(join(folder, name)) as file:
            file.write(content)


def _foreign_card(model: "keras.Model", path: str, parity: Mapping[str, Parity]) -> dict[str, Any]:
    layers = "-".join(type(layer).__name__ for layer in model.layers)
    return {
        **identity(PurePosixPath(path).stem, "converted", layers, model.count_params()),
        "data": None,
        "metrics": {},
        "export": {name: each.to_json() for name, each in parity.items()},
    }


def _probes(digits: Split) -> Pixels:
    """uint8 (n, 784): real digits first, then nothing, all ink, and noise."""
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, PIXELS), np.uint8)
    blank = np.zeros((1, PIXELS), np.uint8)
    return np.concatenate([digits.pixels, blank, ~blank, noise])
