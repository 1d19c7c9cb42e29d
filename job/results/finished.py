"""Finished output, to be read: its report and manifest, once it is clear that they are whole and belong together."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from job.documents.manifest_json import Manifest
from job.documents.report_json import Report
from job.errors import DataError, NoInput, OutputOccupied
from job.flag_names import Flag
from job.score.join import Written
from job.score.output import Output
from job.storage import Storage

_ADVICE: Final = f"; score again with {Flag.OVERWRITE}"


@dataclass(frozen=True, slots=True)
class FinishedInput:
    """An input that was scored: its relative path, its size then, its records, and its file of predictions."""

    path: str
    size: int
    rows: int
    predictions: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The output of a finished run. report, manifest: the content of the files called so. files: by relative path."""

    output: Output
    report: Report
    manifest: Manifest
    inputs: tuple[FinishedInput, ...]
    files: dict[str, Written]

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.output.folder

    def check_still_there(self, storage: Storage) -> None:
        """Raise OutputOccupied where another run has taken the folder since."""
        if _fingerprint(storage, self.output) != self.manifest["fingerprint"]:
            raise OutputOccupied(f"{self.folder}: was taken by another run meanwhile; wait until it has finished")

    def checked_path(self, storage: Storage, relative: str) -> str:
        """The path of a file of the output. Raises DataError where it is gone, or not as long as it was written."""
        path, file = self.output.path(relative), self.files.get(relative)
        found = storage.stat(path)
        if file is None or found is None:
            raise DataError(f"{path}: is missing, though the run finished{_ADVICE}")
        if found.size != file.bytes:
            raise DataError(f"{path}: has {found.size:,} bytes, and had {file.bytes:,} when the run finished{_ADVICE}")
        return path


def open_finished(storage: Storage, location: str) -> Finished:
    """Read what a finished run has left at a location.

    Raises NoInput where there is none, DataError where it is damaged or was changed since.
    """
    output = Output(storage, location)
    fingerprint = _fingerprint(storage, output)
    if fingerprint is None:
        _refuse(storage, output)
    manifest = _parsed(output.manifest, _content(storage, output.manifest))
    try:
        inputs = tuple(
            FinishedInput(each["relative_path"], int(each["size"]), int(each["rows"]), each["predictions"])
            for each in manifest["inputs"]
        )
        files = {each["path"]: Written(**each) for each in manifest["outputs"]}
        is_whole = manifest["fingerprint"] == fingerprint and isinstance(manifest["timings"], dict)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{output.manifest}: lacks what a run writes there ({error!r}){_ADVICE}") from error
    if not is_whole:
        raise DataError(f"{output.manifest}: is not of the run whose _SUCCESS is beside it{_ADVICE}")
    content = _content(storage, output.report_json)
    if "report.json" not in files or hashlib.sha256(content).hexdigest() != files["report.json"].sha256:
        raise DataError(f"{output.report_json}: is not as the run wrote it (see its digest in manifest.json){_ADVICE}")
    report = cast("Report", _parsed(output.report_json, content))
    return Finished(output, report, cast("Manifest", manifest), inputs, files)


def _fingerprint(storage: Storage, output: Output) -> str | None:
    if storage.stat(output.success) is None:
        return None
    return storage.read(output.success).decode(errors="replace").strip()


def _refuse(storage: Storage, output: Output) -> NoReturn:
    folder = output.folder
    if storage.stat(folder):
        raise NoInput(f"{folder}: is a file; name the {Flag.OUTPUT} folder of a finished `digit-job score`")
    if storage.is_folder(output.parts):
        raise NoInput(f"{folder}: holds an unfinished run; run its `digit-job score` command again to finish it")
    what = "holds no finished output (no _SUCCESS)" if storage.is_folder(folder) else "is no folder"
    raise NoInput(f"{folder}: {what}; name the {Flag.OUTPUT} folder of a finished `digit-job score`")


def _content(storage: Storage, path: str) -> bytes:
    if storage.stat(path) is None:
        raise DataError(f"{path}: is missing, though the run finished{_ADVICE}")
    return storage.read(path)


def _parsed(path: str, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error}){_ADVICE}") from error
    if not isinstance(parsed, dict):
        raise DataError(f"{path}: holds no JSON object{_ADVICE}")
    return parsed
