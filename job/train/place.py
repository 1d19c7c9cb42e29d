"""Where a model folder is written, and how it gets there: staged out of sight, then moved into place at once.

The staging folder lies beside the target, or inside it where the target is a mount point. `training` and the exporter
build in it.
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Final

from job.documents.checking import parse_json
from job.errors import DigitJobError, OutputOccupied
from job.flag_names import Flag
from job.model.bundle import CARD_NAME, FILE_NAMES, MARKER_NAME, is_blessed
from job.storage import Storage, join

# Files for people, which the card does not list.
MODEL_CARD_NAME: Final = "MODEL.md"
MISTAKES_NAME: Final = "mistakes.png"
REPORT_NAME: Final = "report.html"
_UNLISTED_NAMES: Final = frozenset({CARD_NAME, MARKER_NAME, MODEL_CARD_NAME, MISTAKES_NAME, REPORT_NAME})
_ALL_NAMES: Final = _UNLISTED_NAMES | frozenset(FILE_NAMES)

_log = logging.getLogger(__name__)


def recover(storage: Storage, target: str) -> None:
    """Undo an interrupted commit to `target`, and delete leftovers; the first step of whoever writes there."""
    if storage.is_mount(target):
        is_restored = storage.recover_files(target, last=CARD_NAME, names=_ALL_NAMES)
    else:
        is_restored = storage.recover_folder(target)
    if is_restored:
        _log.warning("%s: restored; a run that was replacing it had been interrupted", target)


def refuse_occupied(storage: Storage, target: str) -> None:
    """Raises OutputOccupied unless the target is absent, an empty folder or a model folder with nothing else in it."""
    if storage.is_stream(target):
        raise OutputOccupied(f"{target}: is a pipe or a device, expected a new path; choose another {Flag.MODEL}")
    names = set(storage.list(target))
    foreign = names - _model_files(storage, target) if names else set()
    if storage.is_mount(target):
        # A training that died while moving files into a volume has left some; and volumes have files of their own.
        foreign = {name for name in foreign - _ALL_NAMES if not name.startswith(".") and name != "lost+found"}
    if storage.stat(target) is not None or foreign:
        found = f"holds {min(foreign)!r}" if foreign else "is a file"
        raise OutputOccupied(
            f"{target}: {found}, expected a model folder, an empty folder or a new path; choose another {Flag.MODEL}"
        )


def beside(storage: Storage, target: str, ending: str) -> str:
    """A hidden path on the same file system as `target`: beside it, or inside it where it is a mount point."""
    path = PurePosixPath(target)
    name = f".{path.name}.{ending}"
    return join(target, name) if storage.is_mount(target) else str(path.with_name(name))


@contextmanager
def staged_folder(storage: Storage, target: str) -> Iterator[str]:
    """The path of a staging folder for `target`; deleted if the block fails."""
    staging = beside(storage, target, f"{uuid.uuid4().hex}.tmp")
    try:
        yield staging
    except BaseException:  # including a signal's, and raised again
        with suppress(DigitJobError):  # the first error is the one to report
            storage.remove(staging)
        raise


def place_for(storage: Storage, target: str, *, passed: bool) -> str:
    """The final path of a model: `target`, or a path beside it if the model would replace one that passed its gate.

    passed: whether the new model passed. Raises OutputOccupied where the path beside is taken.
    """
    if passed or not is_blessed(storage, target):
        return target
    other = beside(storage, target, "not_blessed") if storage.is_mount(target) else f"{target}.not_blessed"
    recover(storage, other)
    refuse_occupied(storage, other)
    return other


def commit_model(storage: Storage, staging: str, target: str) -> None:
    """Move a staged model folder into place, replacing an older model.

    At once, unless the target is a mount point: then file by file, the card last. Until the card is there, readers
    refuse the folder.
    """
    if storage.is_mount(target):
        storage.commit_files(staging, target, last=CARD_NAME, names=_ALL_NAMES)
    else:
        storage.commit_folder(staging, target)


def _model_files(storage: Storage, folder: str) -> set[str]:
    """The names that may be in a model folder with this card; none if there is no card."""
    card = join(folder, CARD_NAME)
    if storage.stat(card) is None:
        return set()
    try:
        return {*_UNLISTED_NAMES, *parse_json(storage.read(card))["files"]}
    except (ValueError, KeyError, TypeError):
        return set()
