"""`digit-job export`: a saved network in the format of another runtime, written once it is known to say the same.

open -> gather images -> convert -> compare -> write
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from job.errors import OutputOccupied
from job.flag_names import Flag
from job.model.bundle import CARD_NAME, INT8_NAME, ONNX_NAME, TFLITE_NAME, Predictor
from job.storage import Storage, join
from job.train.export.formats import Exported, for_scoring
from job.train.export.saved_model import GRAPH_NAME, SAVED_MODEL_NAME, SavedModelPredictor, to_saved_model
from job.train.export.saved_network import Samples, SavedNetwork, open_network, samples_for
from job.train.export.tflite import to_int8, to_tflite
from job.train.judge.parity import Parity, compare
from job.train.place import staged_folder
from job.train.train_settings import ExportSettings

_SUFFIXES: Final = {
    ONNX_NAME: ".onnx", TFLITE_NAME: ".tflite", INT8_NAME: ".int8.tflite", SAVED_MODEL_NAME: ".saved_model",
}  # fmt: skip


@dataclass(frozen=True)
class ExportResult:
    """What was written where, and how it agrees with the network, on which images."""

    path: str
    size_bytes: int
    parity: Parity
    samples: Samples


def export(storage: Storage, settings: ExportSettings, *, mnist_dir: str | None) -> ExportResult:
    """Write a saved network in another format. mnist_dir: where a model's data is looked for if it is gone.

    Raises OutputOccupied before any work; ModelInvalid where the network cannot be opened, converted, or says something
    else afterwards; UsageError, NoInput and DataError where there are no images for what is asked.
    """
    kind = _kind(settings)
    target = _target(storage, settings, kind)
    _refuse_occupied(storage, target, settings, is_folder=kind == SAVED_MODEL_NAME)
    network = open_network(storage, settings.model, allows_unblessed=settings.allows_unblessed)
    samples = samples_for(storage, network, settings, mnist_dir)
    files, predictor = _converted(network, kind, samples)
    parity = compare(network.model, {kind: predictor}, samples.to_compare).parity[kind]
    if kind == SAVED_MODEL_NAME:
        _write_folder(storage, target, files)
    else:
        _write_file(storage, target, files[kind], is_overwriting=settings.is_overwriting)
    return ExportResult(target, sum(map(len, files.values())), parity, samples)


def _kind(settings: ExportSettings) -> str:
    """What a model folder calls it, or would."""
    if settings.to == "tflite":
        return INT8_NAME if settings.quantize else TFLITE_NAME
    return ONNX_NAME if settings.to == "onnx" else SAVED_MODEL_NAME


def _target(storage: Storage, settings: ExportSettings, kind: str) -> str:
    if settings.output is not None:
        return storage.resolve(settings.output)
    model = PurePosixPath(storage.resolve(settings.model))
    return str(model.with_name(model.name.removesuffix(".keras") + _SUFFIXES[kind]))


def _refuse_occupied(storage: Storage, target: str, settings: ExportSettings, *, is_folder: bool) -> None:
    """Raises OutputOccupied where something is in the way that may not be replaced."""
    folder = str(PurePosixPath(target).parent)
    if storage.stat(join(folder, CARD_NAME)) is not None:
        raise OutputOccupied(
            f"{target}: is in a model folder, which holds what its card accounts for; "
            f"name another place with {Flag.OUTPUT}"
        )
    names = storage.list(target)
    if storage.is_folder(target) and not (is_folder and (not names or GRAPH_NAME in names)):
        expected = "a SavedModel, an empty folder or none" if is_folder else "a file or none"
        raise OutputOccupied(f"{target}: is a folder, expected {expected}; name another place with {Flag.OUTPUT}")
    is_file = storage.stat(target) is not None
    if is_file and is_folder:
        raise OutputOccupied(f"{target}: is a file, expected a folder or none; name another place with {Flag.OUTPUT}")
    if (is_file or names) and not settings.is_overwriting:
        raise _is_there(target)


def _is_there(target: str) -> OutputOccupied:
    return OutputOccupied(
        f"{target}: is there already; name another place with {Flag.OUTPUT}, or replace it: {Flag.OVERWRITE}"
    )


def _converted(network: SavedNetwork, kind: str, samples: Samples) -> tuple[Mapping[str, bytes], Predictor]:
    """The files of the export, by name, and the export ready to run."""
    if kind == SAVED_MODEL_NAME:
        files = to_saved_model(network.model)
        return files, SavedModelPredictor(files)
    exported = Exported({kind: _content(network, kind, samples)})
    return exported.files, exported.predictors[kind]


def _content(network: SavedNetwork, kind: str, samples: Samples) -> bytes:
    # What the model folder has already is what its card vouches for, but for new images to quantize by.
    if kind in network.files and not (kind == INT8_NAME and samples.are_given):
        return network.files[kind]
    if kind == INT8_NAME:
        return to_int8(network.model, samples.to_quantize_by)
    return to_tflite(network.model) if kind == TFLITE_NAME else for_scoring(network.model).files[ONNX_NAME]


def _write_file(storage: Storage, target: str, content: bytes, *, is_overwriting: bool) -> None:
    if is_overwriting:
        with storage.commit(target) as file:
            file.write(content)
    elif not storage.create(target, content):
        raise _is_there(target)


def _write_folder(storage: Storage, target: str, files: Mapping[str, bytes]) -> None:
    with staged_folder(storage, target) as staging:
        for name, content in files.items():
            with storage.commit(join(staging, *name.split("/"))) as file:
                file.write(content)
        storage.commit_folder(staging, target)
