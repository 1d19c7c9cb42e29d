"""report.html of a finished run, rendered again from what the run found."""

import hashlib
import json

import jinja2

from job.errors import DataError
from job.flag_names import Flag
from job.report.page import render
from job.results.finished import Finished
from job.score.join import Written
from job.storage import Storage


def rerender(storage: Storage, finished: Finished) -> bool:
    """Write the page of a finished run again; whether its bytes are those that the run itself wrote.

    Where they are not, because another version renders it, the manifest gets their digest. Raises DataError where the
    report lacks what this version's page tells; OutputOccupied where another run has taken the folder.
    """
    content = _page(finished)
    page = Written("report.html", len(content), hashlib.sha256(content).hexdigest())
    is_same = finished.files.get(page.path) == page
    _commit(storage, finished, finished.output.report_html, content)
    if not is_same:
        others = [each for each in finished.files.values() if each.path != page.path]
        outputs = [each.to_json() for each in sorted([*others, page], key=lambda each: each.path)]
        manifest = json.dumps({**finished.manifest, "outputs": outputs}, indent=2).encode() + b"\n"
        _commit(storage, finished, finished.output.manifest, manifest)
    return is_same


def _commit(storage: Storage, finished: Finished, path: str, content: bytes) -> None:
    with storage.commit(path) as file:
        file.write(content)
        finished.check_still_there(storage)


def _page(finished: Finished) -> bytes:
    try:
        return render(finished.report, finished.manifest.get("timings")).encode(errors="backslashreplace")
    except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
        version = finished.manifest.get("digit_job")
        raise DataError(
            f"{finished.output.report_json}: lacks what this version's page tells ({error}); it was written by "
            f"digit-job {version}; score again with {Flag.OVERWRITE}"
        ) from error
