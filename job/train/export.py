"""A network -> the files of a model folder: Keras's own, and ONNX for the scorer.

Goes through temporary folders of this machine, because Keras reads and writes paths only; `storage` gets the bytes.
"""

import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from job.contract import PIXELS, Pixels
from job.errors import ModelInvalid, Stopped
from job.model.bundle import CUT_NAME, KERAS_NAME, ONNX_NAME, Golden, Predictor, write_card
from job.model.predictor import OnnxPredictor, SparsePredictor
from job.storage import Storage, join
from job.train.card import golden_rows, identity
from job.train.foreign import behind_pixels, load_foreign
from job.train.origin import find_images
from job.train.parity import Parity, compare
from job.train.split import Split

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)

_NOISE_IMAGES = 256


@dataclass(frozen=True)
class Exported:
    """What the scorer may run: the network as ONNX, and cut behind its first layer, if that is a dense one."""

    onnx: bytes
    cut: bytes | None

    @property
    def predictors(self) -> dict[str, Predictor]:
        """Each, by the name of its file; the last is what the scorer will choose."""
        whole: dict[str, Predictor] = {ONNX_NAME: OnnxPredictor(self.onnx, ONNX_NAME)}
        return whole if self.cut is None else {**whole, CUT_NAME: SparsePredictor(self.cut, CUT_NAME)}


def export(storage: Storage, model: "keras.Model", folder: str) -> Exported:
    """Write a network's formats into a folder: `model.keras`, `model.onnx` and, where it can be cut, `model.npz`."""
    exported = for_scoring(model)
    _write_formats(storage, folder, _to_keras(model), exported)
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
    exported = for_scoring(model)
    parity, by_keras = compare(model, exported.predictors, _probes(digits))
    right = float((by_keras[: len(digits)].argmax(axis=1) == digits.labels).mean())
    _log.info("%s: converted; names %.1f %% of scikit-learn's digits right", path, 100 * right)
    _write_formats(storage, folder, content, exported)
    rows = golden_rows(digits.labels)
    write_card(storage, folder, _foreign_card(original, path, parity), Golden(digits.pixels[rows], by_keras[rows]))


def for_scoring(model: "keras.Model") -> Exported:
    """A network of uint8 (n, 784) -> float32 (n, 10), exported; the same network always gives the same bytes.

    Raises ModelInvalid if it holds something that ONNX has no operator for.
    """
    from job.train.onnx_cut import cut  # noqa: PLC0415  # imports onnx
    from job.train.onnx_fold import fold_rescaling  # noqa: PLC0415  # imports onnx
    from job.train.onnx_graph import canonical  # noqa: PLC0415  # imports onnx

    # Keras exports only what has been called.
    model(np.zeros((1, PIXELS), np.uint8))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, ONNX_NAME)
        try:
            model.export(path, format="onnx", verbose=False)
        except (Stopped, ImportError, MemoryError):
            raise
        except Exception as error:  # tf2onnx raises whatever its converters run into
            raise ModelInvalid(f"{model.name}: cannot be exported to ONNX: {error!r:.200}") from error
        onnx = canonical(fold_rescaling(path.read_bytes()))
    return Exported(onnx, cut(onnx))


def _to_keras(model: "keras.Model") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, KERAS_NAME)
        model.save(path)
        return path.read_bytes()


def _write_formats(storage: Storage, folder: str, keras_file: bytes, exported: Exported) -> None:
    """Write the files of a model folder that the card vouches for."""
    for name, content in ((KERAS_NAME, keras_file), (ONNX_NAME, exported.onnx), (CUT_NAME, exported.cut)):
        if content is not None:
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
