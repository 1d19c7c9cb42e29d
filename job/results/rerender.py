"""Renders report.html of a finished run again, from its report.json."""

import hashlib
import json

from job.documents.manifest_json import Manifest, ManifestOutput
from job.errors import DataError
from job.flag_names import Flag
from job.report.page import UNRENDERABLE, render
from job.results.finished import Finished
from job.storage import Storage


def rerender(storage: Storage, finished: Finished) -> bool:
    """Replace report.html; returns whether its bytes are those that the run itself wrote.

    If they are not, because this version renders the page differently, the page's entry in manifest.json is updated.
    Raises DataError if the report lacks what this version's page shows, OutputOccupied if another run has claimed the
    folder.
    """
    content = _page(finished)
    page = _entry("report.html", content)
    is_same = finished.files.get(page["path"]) == page
    _commit(storage, finished, finished.output.report_html, content)
    if not is_same:
        manifest = _manifest_with(finished, page)
        _commit(storage, finished, finished.output.manifest, json.dumps(manifest, indent=2).encode() + b"\n")
    return is_same


def _entry(path: str, content: bytes) -> ManifestOutput:
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _manifest_with(finished: Finished, entry: ManifestOutput) -> Manifest:
    """The manifest with one file's entry replaced or added."""
    files = {**finished.files, entry["path"]: entry}
    return {**finished.manifest, "outputs": [files[path] for path in sorted(files)]}


def _commit(storage: Storage, finished: Finished, path: str, content: bytes) -> None:
    with storage.commit(path) as file:
        file.write(content)
        finished.check_unclaimed(storage)


def _page(finished: Finished) -> bytes:
    try:
        return render(finished.report, finished.manifest.get("timings")).encode(errors="backslashreplace")
    except UNRENDERABLE as error:
        version = finished.manifest.get("digit_job")
        raise DataError(
            f"{finished.output.report_json}: lacks what this version's page shows ({error}); it was written by "
            f"digit-job {version}; score again with {Flag.OVERWRITE}"
        ) from error
