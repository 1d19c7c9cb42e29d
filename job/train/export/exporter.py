"""The stage behind `digit-job export`: a saved network in the format of another runtime.

open -> find images -> convert -> compare -> write

The export is written only after it gave the same answers as the network.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from job._version import __version__
from job.errors import OutputOccupied
from job.flag_names import Flag
from job.log import Event, event
from job.model.bundle import CARD_NAME, INT8_NAME, ONNX_NAME, TFLITE_NAME, Predictor
from job.storage import Storage, join, refuse_foreign
from job.train.backend import import_keras, versions
from job.train.export.formats import Exported, for_scoring, is_onnx, is_tflite, write_files
from job.train.export.saved_model import GRAPH_NAME, SAVED_MODEL_NAME, SavedModelPredictor, to_saved_model
from job.train.export.saved_network import SampleImages, SavedNetwork, open_network, sample_images
from job.train.export.tflite import to_int8, to_tflite
from job.train.judge.parity import EXACT, FOREIGN, Parity, compare
from job.train.phases import Phase, Phases
from job.train.place import recover, staged_folder
from job.train.scratch import private_temporary_files
from job.train.train_settings import ExportSettings

_SUFFIXES: Final = {
    ONNX_NAME: ".onnx", TFLITE_NAME: ".tflite", INT8_NAME: ".int8.tflite", SAVED_MODEL_NAME: ".saved_model",
}  # fmt: skip

# All that a SavedModel has; a folder with anything else is not replaced.
_SAVED_NAMES: Final = {GRAPH_NAME, "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """The file or folder that was written, and how it compares to the network on which images.

    format_name: by its file name in a model folder.
    """

    path: str
    format_name: str
    size_bytes: int
    parity: Parity
    samples: SampleImages

    def summary(self) -> dict[str, Any]:
        """The fields of the log's last event that say what came of the export."""
        return {
            "outcome": "ok",
            "output": self.path,
            "format": self.format_name,
            "bytes": self.size_bytes,
            "images": self.parity.rows,
            "same_digits": self.parity.same_digits,
            "max_difference": self.parity.max_difference,
        }


@private_temporary_files()
def export(storage: Storage, settings: ExportSettings, *, mnist_dir: str | None, phases: Phases) -> ExportResult:
    """Write a saved network in another format. mnist_dir: where to look for a model's data if it is gone.

    Raises OutputOccupied before any work; ModelInvalid where the network cannot be opened or converted, or gives other
    answers afterwards; UsageError, NoInput and DataError where the images that it needs are missing.
    """
    _log_start(settings)
    format_name = _format_name(settings)
    target = _target(storage, settings, format_name)
    if format_name == SAVED_MODEL_NAME:
        recover(storage, target)
    _refuse_occupied(storage, target, settings, is_folder=format_name == SAVED_MODEL_NAME)
    with phases.during(Phase.LOADING, "TensorFlow"):
        import_keras()
    with phases.during(Phase.READING, "model"):
        network = open_network(storage, settings)
    with phases.during(Phase.READING, "images"):
        samples = sample_images(storage, network, settings, mnist_dir)
    _log_plan(network, samples)
    with phases.during(Phase.QUANTIZING if format_name == INT8_NAME else Phase.EXPORTING, format_name):
        files, predictor = _converted(network, format_name, samples)
    tolerance = EXACT if network.bundle else FOREIGN
    during = partial(phases.during, Phase.COMPARING)
    parity = compare(network.model, {format_name: predictor}, samples.to_compare, tolerance, during).parity[format_name]
    with phases.during(Phase.WRITING):
        if format_name == SAVED_MODEL_NAME:
            _write_folder(storage, target, files)
        else:
            _write_file(storage, target, files[format_name], is_overwriting=settings.is_overwriting)
    return ExportResult(target, format_name, sum(map(len, files.values())), parity, samples)


def _log_start(settings: ExportSettings) -> None:
    fields = {
        "command": "export",
        "version": __version__,
        "model": settings.model,
        "to": settings.to,
        "quantize": settings.quantize,
        "data": list(settings.data),
        "output": settings.output,
        "pid": os.getpid(),
    }
    text = "exporting %s to %s; digit-job %s"
    _log.info(text, settings.model, settings.to, __version__, extra=event(Event.STARTED, **fields))


def _log_plan(network: SavedNetwork, samples: SampleImages) -> None:
    fields = {
        "parameters": network.model.count_params(),
        "digest": network.bundle.digest if network.bundle else None,
        "images": len(samples.to_compare),
        "versions": versions(),
    }
    _log.debug("versions: %s", ", ".join(f"{name} {each}" for name, each in fields["versions"].items()))
    text = "%s: %s parameters; to compare on %s"
    planned = event(Event.PLANNED, **fields)
    _log.info(text, network.path, f"{fields['parameters']:,}", samples.description, extra=planned)


def _format_name(settings: ExportSettings) -> str:
    """The format, by its file name in a model folder."""
    if settings.to == "tflite":
        return INT8_NAME if settings.quantize else TFLITE_NAME
    return ONNX_NAME if settings.to == "onnx" else SAVED_MODEL_NAME


def _target(storage: Storage, settings: ExportSettings, format_name: str) -> str:
    if settings.output is not None:
        return storage.resolve(settings.output)
    model = PurePosixPath(storage.resolve(settings.model))
    return str(model.with_name(_stem(model.name) + _SUFFIXES[format_name]))


def _stem(name: str) -> str:
    """A model's name without the suffix of a Keras file."""
    return next((name.removesuffix(each) for each in (".keras", ".h5", ".hdf5") if name.endswith(each)), name)


def _refuse_occupied(storage: Storage, target: str, settings: ExportSettings, *, is_folder: bool) -> None:
    """Raises OutputOccupied where the target holds something that must not be replaced."""
    folder = str(PurePosixPath(target).parent)
    if storage.stat(join(folder, CARD_NAME)) is not None:
        raise OutputOccupied(
            f"{target}: is inside a model folder, whose card lists all of its files; choose another {Flag.OUTPUT}"
        )
    if is_folder and storage.is_stream(target):
        raise OutputOccupied(f"{target}: is a pipe or a device, expected a new path; choose another {Flag.OUTPUT}")
    for read in (settings.model, *settings.data):
        if PurePosixPath(storage.real_path(storage.resolve(read))).is_relative_to(storage.real_path(target)):
            raise OutputOccupied(f"{target}: is or holds what is read, {read}; choose another {Flag.OUTPUT}")
    names = storage.list(target)
    if storage.is_folder(target) and not (is_folder and (not names or {GRAPH_NAME} <= {*names} <= _SAVED_NAMES)):
        expected = "a SavedModel, an empty folder or a new path" if is_folder else "a file or a new path"
        raise OutputOccupied(f"{target}: is a folder, expected {expected}; choose another {Flag.OUTPUT}")
    is_file = storage.stat(target) is not None
    if is_file and is_folder:
        raise OutputOccupied(f"{target}: is a file, expected a folder or a new path; choose another {Flag.OUTPUT}")
    if (is_file or names) and not settings.is_overwriting:
        raise _exists(target)
    if not is_folder:
        is_export, advice = is_tflite if settings.to == "tflite" else is_onnx, f"choose another {Flag.OUTPUT}"
        refuse_foreign(storage, target, is_export, expected=f"an export to {settings.to}", advice=advice)


def _exists(target: str) -> OutputOccupied:
    return OutputOccupied(f"{target}: already exists; choose another {Flag.OUTPUT} or replace it with {Flag.OVERWRITE}")


def _converted(network: SavedNetwork, format_name: str, samples: SampleImages) -> tuple[Mapping[str, bytes], Predictor]:
    """The files of the export, by name, and the export loaded into its runtime."""
    if format_name == SAVED_MODEL_NAME:
        files = to_saved_model(network.model)
        return files, SavedModelPredictor(files)
    exported = Exported({format_name: _content(network, format_name, samples)})
    return exported.files, exported.predictors[format_name]


def _content(network: SavedNetwork, format_name: str, samples: SampleImages) -> bytes:
    # The model folder's own file is the one that its card vouches for, unless the user gave images to quantize by.
    if format_name in network.files and not (format_name == INT8_NAME and samples.are_given):
        return network.files[format_name]
    if format_name == INT8_NAME:
        return to_int8(network.model, samples.to_quantize_by)
    return to_tflite(network.model) if format_name == TFLITE_NAME else for_scoring(network.model).files[ONNX_NAME]


def _write_file(storage: Storage, target: str, content: bytes, *, is_overwriting: bool) -> None:
    if is_overwriting or storage.is_stream(target):
        with storage.commit(target) as file:
            file.write(content)
    elif not storage.create(target, content):
        raise _exists(target)


def _write_folder(storage: Storage, target: str, files: Mapping[str, bytes]) -> None:
    with staged_folder(storage, target) as staging:
        write_files(storage, staging, files)
        storage.commit_folder(staging, target)
