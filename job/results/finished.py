"""Opens the output folder of a finished run: checks that report and manifest are whole and belong to the same run."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from job.documents.checking import check_document, parse_json
from job.documents.manifest_json import Manifest, ManifestInput, ManifestOutput
from job.documents.report_json import FormDocument, Report
from job.errors import DataError, NoInput, OutputOccupied
from job.flag_names import Flag
from job.score.output import Output
from job.storage import Storage

_ADVICE: Final = f"; score again with {Flag.OVERWRITE}"


@dataclass(frozen=True, slots=True)
class FinishedInput:
    """A scored input. path: relative. size: bytes, when it was scored. predictions: relative to the output folder.

    form: what was done to its images; None in outputs of earlier versions, which classified them as stored.
    """

    path: str
    size: int
    rows: int
    predictions: str
    form: FormDocument | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The output of a finished run. report, manifest: the contents of these files. files: by relative path."""

    output: Output
    report: Report
    manifest: Manifest
    inputs: tuple[FinishedInput, ...]
    files: dict[str, ManifestOutput]

    @property
    def folder(self) -> str:
        """The absolute path of the output folder."""
        return self.output.folder

    def check_unclaimed(self, storage: Storage) -> None:
        """Raise OutputOccupied if another run has claimed the folder since."""
        if _fingerprint(storage, self.output) != self.manifest["fingerprint"]:
            raise OutputOccupied(f"{self.folder}: was claimed by another run meanwhile; wait until it has finished")

    def checked_path(self, storage: Storage, relative: str) -> str:
        """The absolute path of an output file. Raises DataError if it is missing, elsewhere, or of another size."""
        path, file = self.output.inside(relative), self.files.get(relative)
        found = storage.stat(path)
        if file is None or found is None:
            raise DataError(f"{path}: is missing, though the run finished{_ADVICE}")
        if found.size != file["bytes"]:
            raise DataError(
                f"{path}: has {found.size:,} bytes, but had {file['bytes']:,} when the run finished{_ADVICE}"
            )
        return path


def open_finished(storage: Storage, location: str) -> Finished:
    """Open the output folder of a finished run.

    Raises NoInput if there is no finished run, DataError if its files are damaged or were changed since.
    """
    output = Output(storage, location)
    fingerprint = _fingerprint(storage, output)
    if fingerprint is None:
        _raise_no_input(storage, output)
    manifest = cast("Manifest", _parsed(Manifest, output.manifest, _content(storage, output.inside("manifest.json"))))
    try:
        inputs = tuple(map(_finished_input, manifest["inputs"]))
        files = {each["path"]: _output_file(each) for each in manifest["outputs"]}
        is_of_this_run = manifest["fingerprint"] == fingerprint and isinstance(manifest["timings"], dict)
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(f"{output.manifest}: is not a manifest of a run ({error!r}){_ADVICE}") from error
    if not is_of_this_run:
        raise DataError(f"{output.manifest}: is not of the run whose _SUCCESS is beside it{_ADVICE}")
    content = _content(storage, output.inside("report.json"))
    if "report.json" not in files or hashlib.sha256(content).hexdigest() != files["report.json"]["sha256"]:
        raise DataError(f"{output.report_json}: its SHA-256 is not the one in manifest.json{_ADVICE}")
    report = cast("Report", _parsed(Report, output.report_json, content))
    if not report.get("model", {}).keys() >= {"name", "architecture", "digest"}:
        raise DataError(f"{output.report_json}: does not name its model{_ADVICE}")
    return Finished(output, report, manifest, inputs, files)


def _finished_input(entry: ManifestInput) -> FinishedInput:
    """An entry of the manifest. Raises LookupError, TypeError or ValueError if it is not one."""
    return FinishedInput(
        entry["relative_path"], int(entry["size"]), int(entry["rows"]), entry["predictions"], entry.get("form")
    )


def _output_file(entry: ManifestOutput) -> ManifestOutput:
    """An entry of the manifest, checked. Raises LookupError, TypeError or ValueError if it is not one."""
    return {"path": entry["path"], "bytes": int(entry["bytes"]), "sha256": entry["sha256"]}


def _fingerprint(storage: Storage, output: Output) -> str | None:
    if storage.stat(output.success) is None:
        return None
    return storage.read(output.inside("_SUCCESS")).decode(errors="replace").strip()


def _raise_no_input(storage: Storage, output: Output) -> NoReturn:
    folder = output.folder
    if storage.stat(folder):
        raise NoInput(f"{folder}: is a file; name the {Flag.OUTPUT} folder of a finished `digit-job score`")
    if storage.stat(output.failed):
        why = storage.read(output.inside("_FAILED")).decode(errors="replace").splitlines()
        raise NoInput(
            f"{folder}: holds a run that fell short: {'; '.join(why)}; read its report.html, or finish it by its "
            "`digit-job score` command with other gates"
        )
    if storage.is_folder(output.parts):
        raise NoInput(f"{folder}: holds an unfinished run; run its `digit-job score` command again to finish it")
    problem = "holds no finished output (no _SUCCESS)" if storage.is_folder(folder) else "is not a folder"
    raise NoInput(f"{folder}: {problem}; name the {Flag.OUTPUT} folder of a finished `digit-job score`")


def _content(storage: Storage, path: str) -> bytes:
    if storage.stat(path) is None:
        raise DataError(f"{path}: is missing, though the run finished{_ADVICE}")
    return storage.read(path)


def _parsed(document: type, path: str, content: bytes) -> Any:
    try:
        parsed = parse_json(content)
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error!s:.200}){_ADVICE}") from error
    if not isinstance(parsed, dict):
        raise DataError(f"{path}: is not a JSON object{_ADVICE}")
    try:
        check_document(document, parsed)
    except ValueError as error:
        raise DataError(f"{path}: was changed or damaged: {error}{_ADVICE}") from error
    return parsed
