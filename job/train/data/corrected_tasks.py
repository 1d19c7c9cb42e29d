"""What people export from Label Studio as JSON -> labelled images, for `added_images`.

The tasks are those of `review/label-studio.json`: a picture as a data URI, and one choice among the digits. Both of its
exports are read, JSON and JSON-MIN. Source: Label Studio's documentation, "Export annotations".
"""

import base64
import binascii
from typing import Any, Final

import numpy as np

from job.contract import CLASS_NAMES
from job.documents.checking import parse_json
from job.errors import DataError
from job.read.pictures.decoding import BadPicture
from job.read.pictures.digit import digit_of
from job.report.label_studio import CHOICES
from job.storage import Storage
from job.train.data.split import Split, joined

_PREFIX: Final = "data:image/png;base64,"


def read_tasks(storage: Storage, path: str) -> tuple[Split, int]:
    """The labelled images of an export, and how many tasks nobody has labelled. Raises DataError, StorageError."""
    try:
        tasks = parse_json(storage.read(path))
    except ValueError as error:
        raise DataError(f"{path}: is not valid JSON ({error!s:.100})") from error
    if not isinstance(tasks, list) or not all(isinstance(each, dict) for each in tasks):
        raise DataError(f"{path}: is not a list of tasks, as Label Studio exports them; export as JSON or JSON-MIN")
    found = [_image(each, f"{path} task {number} (from 1)") for number, each in enumerate(tasks, 1)]
    labelled = [each for each in found if each is not None]
    return joined(labelled), len(found) - len(labelled)


def _image(task: dict[str, Any], where: str) -> Split | None:
    """The image of a task; None if nobody has labelled it."""
    chosen = _choices(task)
    if not chosen:
        return None
    if len(chosen) > 1:
        raise DataError(f"{where}: is labelled both {' and '.join(sorted(chosen))}; keep one of them")
    (label,) = chosen
    if label not in CLASS_NAMES:
        raise DataError(f"{where}: has the label {label!r:.50}, expected a digit")
    data = task.get("data", task)
    values = data.values() if isinstance(data, dict) else ()
    uri = next((each for each in values if isinstance(each, str) and each.startswith(_PREFIX)), None)
    if uri is None:
        raise DataError(
            f"{where}: has no PNG picture as a data URI, such as the tasks of review/label-studio.json have"
        )
    try:
        pixels = digit_of(base64.b64decode(uri.removeprefix(_PREFIX), validate=True), is_taken_as_is=True)
    except (BadPicture, binascii.Error) as error:
        raise DataError(f"{where}: its picture {error}") from error
    return Split(pixels[np.newaxis], np.array([CLASS_NAMES.index(label)], np.int8))


def _choices(task: dict[str, Any]) -> set[str]:
    """All different choices of a task's annotations, but for skipped ones."""
    annotations = task.get("annotations")
    if not isinstance(annotations, list):
        return _texts(task.get(CHOICES))  # JSON-MIN
    kept = [each for each in annotations if isinstance(each, dict) and not each.get("was_cancelled")]
    results = [result for each in kept for result in each.get("result") or () if isinstance(result, dict)]
    values = [each.get("value") for each in results if each.get("type") == "choices"]
    return {text for each in values if isinstance(each, dict) for text in _texts(each)}


def _texts(choice: Any) -> set[str]:
    """One choice as text, or several as a list or under `choices`."""
    if isinstance(choice, dict):
        choice = choice.get("choices")
    return {str(each) for each in (choice if isinstance(choice, list) else [choice]) if each is not None}
