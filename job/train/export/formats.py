"""A network in each format of a model folder: Keras's own, ONNX and dense layers for the scorer, TFLite for devices.

`onnx_graph` and `tflite` convert; `storage` gets the bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from job.contract import CLASSES, PIXELS, Pixels
from job.documents.model_json import ExportSignature
from job.model.bundle import DENSE_NAME, INT8_NAME, KERAS_NAME, ONNX_NAME, TFLITE_NAME, Predictor
from job.model.dense import DensePredictor
from job.model.onnx_predictor import OnnxPredictor
from job.storage import Storage, join
from job.train.export.keras_export import exported_by_keras
from job.train.export.tflite import TflitePredictor, to_int8, to_tflite
from job.train.phases import Phase, Phases
from job.train.scratch import scratch_folder, size_of

if TYPE_CHECKING:
    import keras


# Input and output of every format that has no quantization of its own.
_SIGNATURE: Final[ExportSignature] = {
    "input": {"dtype": "uint8", "shape": [PIXELS], "range": [0, 255]},
    "output": {"dtype": "float32", "shape": [CLASSES]},
}


@dataclass(frozen=True)
class Exported:
    """A network in other formats. files: their contents by file name in a model folder."""

    files: dict[str, bytes]

    @cached_property
    def predictors(self) -> dict[str, Predictor]:
        """Each format loaded into its runtime, by file name."""
        return {name: _predictor(name, content) for name, content in self.files.items()}

    @property
    def scorer(self) -> str:
        """The name of the file that `score` runs."""
        return DENSE_NAME if DENSE_NAME in self.files else ONNX_NAME

    @property
    def signatures(self) -> dict[str, ExportSignature]:
        """Input and output of each format by file name, for the model's card."""
        return {name: getattr(each, "signature", _SIGNATURE) for name, each in self.predictors.items()}


def write_formats(
    storage: Storage, model: "keras.Model", folder: str, phases: Phases, *, quantized_by: Pixels | None = None
) -> Exported:
    """Write `model.keras`, `.onnx`, `.tflite`, and `.npz` if all layers are dense, into a folder.

    quantized_by: training images, uint8 (n, 784), for `model.int8.tflite` in addition, see `tflite`. Raises
    ModelInvalid where a format cannot express the network.
    """
    with phases.during(Phase.EXPORTING, ONNX_NAME):
        files = dict(for_scoring(model).files)
    with phases.during(Phase.EXPORTING, TFLITE_NAME):
        files[TFLITE_NAME] = to_tflite(model)
    if quantized_by is not None:
        with phases.during(Phase.QUANTIZING, INT8_NAME):
            files[INT8_NAME] = to_int8(model, quantized_by)
    with phases.during(Phase.EXPORTING, KERAS_NAME):
        write_files(storage, folder, {KERAS_NAME: _to_keras(model), **files})
    return Exported(files)


def for_scoring(model: "keras.Model") -> Exported:
    """The formats that `score` runs: ONNX, and dense layers if the network has no others.

    Takes a network of uint8 (n, 784) -> float32 (n, 10); the same one always gives the same bytes. Raises ModelInvalid
    where ONNX cannot express it.
    """
    from job.train.export.onnx_graph import canonical, dense_layers, fold_rescaling

    with exported_by_keras(model, ONNX_NAME, "onnx") as path:
        onnx = canonical(fold_rescaling(path.read_bytes()))
    layers = dense_layers(onnx)
    return Exported({ONNX_NAME: onnx} if layers is None else {ONNX_NAME: onnx, DENSE_NAME: layers})


def is_onnx(start: bytes) -> bool:
    """Whether a file with these first bytes is ONNX: ModelProto's field 1, a version, then the name of its producer."""
    return start[:1] == b"\x08" and start[2:3] == b"\x12"


def is_tflite(start: bytes) -> bool:
    """Whether a file with these first bytes is a FlatBuffer with TensorFlow Lite's identifier."""
    return start[4:8] == b"TFL3"


def write_files(storage: Storage, folder: str, files: Mapping[str, bytes]) -> None:
    """Write files, by name, into a folder."""
    for name, content in files.items():
        with storage.commit(join(folder, name)) as file:
            file.write(content)


def _predictor(name: str, content: bytes) -> Predictor:
    if name == ONNX_NAME:
        return OnnxPredictor(content, name)
    return DensePredictor(content, name) if name == DENSE_NAME else TflitePredictor(content)


def _to_keras(model: "keras.Model") -> bytes:
    with scratch_folder(size_of(model)) as folder:
        path = folder / KERAS_NAME
        model.save(path)
        return path.read_bytes()
