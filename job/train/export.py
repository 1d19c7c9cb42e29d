"""A network -> the files of a model folder: Keras's own, and ONNX for the scorer.

Goes through temporary folders of this machine, because Keras reads and writes paths only; `storage` gets the bytes.
"""

import logging
import tempfile
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from job.contract import PIXELS, Pixels
from job.errors import ModelInvalid, Stopped
from job.model.bundle import KERAS_NAME, ONNX_NAME, Golden, write_card
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


def export(storage: Storage, model: "keras.Model", folder: str) -> bytes:
    """Write a network's two formats, `model.keras` and `model.onnx`, into a folder; returns the ONNX."""
    onnx = to_onnx(model)
    _write_formats(storage, folder, _to_keras(model), onnx)
    return onnx


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
    onnx = to_onnx(model)
    parity, by_keras, _ = compare(model, onnx, _probes(digits))
    right = float((by_keras[: len(digits)].argmax(axis=1) == digits.labels).mean())
    _log.info("%s: converted; names %.1f %% of scikit-learn's digits right", path, 100 * right)
    _write_formats(storage, folder, content, onnx)
    rows = golden_rows(digits.labels)
    write_card(storage, folder, _foreign_card(original, path, parity), Golden(digits.pixels[rows], by_keras[rows]))


def to_onnx(model: "keras.Model") -> bytes:
    """A network of uint8 (n, 784) -> float32 (n, 10) as ONNX; the same network always gives the same bytes.

    Raises ModelInvalid if it holds something that ONNX has no operator for.
    """
    from job.train.onnx_fold import fold_rescaling  # noqa: PLC0415  # imports onnx
    from job.train.onnx_graph import canonical  # noqa: PLC0415  # imports onnx

    # Keras exports only what has been called.
    model(np.zeros((1, PIXELS), np.uint8))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, ONNX_NAME)
        try:
            model.export(path, format="onnx", verbose=False)
        except (Stopped, ImportError):
            raise
        except Exception as error:  # tf2onnx raises whatever its converters run into
            raise ModelInvalid(f"{model.name}: cannot be exported to ONNX: {error!r:.200}") from error
        return canonical(fold_rescaling(path.read_bytes()))


def _to_keras(model: "keras.Model") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, KERAS_NAME)
        model.save(path)
        return path.read_bytes()


def _write_formats(storage: Storage, folder: str, keras_file: bytes, onnx: bytes) -> None:
    """Write the two files of a model folder that the card vouches for."""
    for name, content in ((KERAS_NAME, keras_file), (ONNX_NAME, onnx)):
        with storage.commit(join(folder, name)) as file:
            file.write(content)


def _foreign_card(model: "keras.Model", path: str, parity: Parity) -> dict[str, Any]:
    layers = "-".join(type(layer).__name__ for layer in model.layers)
    return {
        **identity(PurePosixPath(path).stem, "converted", layers, model.count_params()),
        "data": None,
        "metrics": {},
        "export": {"onnx": parity.to_json()},
    }


def _probes(digits: Split) -> Pixels:
    """uint8 (n, 784): real digits first, then nothing, all ink, and noise."""
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, PIXELS), np.uint8)
    blank = np.zeros((1, PIXELS), np.uint8)
    return np.concatenate([digits.pixels, blank, ~blank, noise])
