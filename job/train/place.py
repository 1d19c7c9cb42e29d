"""Where a model folder goes, and how it gets there at once.

It is built out of sight beside its target, or inside it where that is a mount point, and then put in place.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Final

from job.errors import DigitJobError, OutputOccupied
from job.flag_names import Flag
from job.model.bundle import (
    CARD_NAME,
    FILE_NAMES,
    MARKER_NAME,
    is_blessed,
)
from job.storage import Storage, join
from job.train.card.model_card import CARD_TEXT_NAME, PICTURE_NAME
from job.train.card.training_page import REPORT_NAME
from job.train.judge.gate import Verdict


def beside(storage: Storage, target: str, ending: str) -> str:
    """A hidden path that can be moved to a target folder's place, or from which files can be moved into it."""
    path = PurePosixPath(target)
    name = f".{path.name}.{ending}"
    return join(target, name) if storage.is_mount(target) else str(path.with_name(name))


@contextmanager
def staged_folder(storage: Storage, target: str) -> Iterator[str]:
    """The path of a folder beside the target to build the new one in; removed if the block does not end well."""
    staging = beside(storage, target, f"{uuid.uuid4().hex}.tmp")
    with suppress(DigitJobError):  # what was left there and cannot be removed is in nobody's way
        storage.remove_abandoned(str(PurePosixPath(staging).parent), PurePosixPath(target).name)
    try:
        yield staging
    except BaseException:  # raised again: a signal, too, must leave nothing behind
        with suppress(DigitJobError):  # the first error is the one to tell
            storage.remove(staging)
        raise


_OWN_NAMES: Final = frozenset({CARD_NAME, MARKER_NAME, CARD_TEXT_NAME, PICTURE_NAME, REPORT_NAME, *FILE_NAMES})


def place_for(storage: Storage, target: str, verdict: Verdict) -> str:
    """Where a model goes: to its target, unless it fell short and would take the place of one that did not."""
    if verdict.is_blessed or not is_blessed(storage, target):
        return target
    other = beside(storage, target, "not_blessed") if storage.is_mount(target) else f"{target}.not_blessed"
    refuse_occupied(storage, other)
    return other


def commit_model(storage: Storage, staging: str, target: str) -> None:
    """Put a finished model folder in its place, at once. Files of a mounted volume take theirs one by one.

    The card comes last. Whoever reads before that finds files that the card does not fit, or none, and refuses them.
    """
    if not storage.is_mount(target):
        storage.commit_folder(staging, target)
        return
    new = set(storage.list(staging))
    storage.commit_files(staging, target, last=CARD_NAME)
    for name in set(storage.list(target)) & _OWN_NAMES - new:
        storage.remove(join(target, name))


def refuse_occupied(storage: Storage, target: str) -> None:
    """Raises OutputOccupied unless the target is absent, an empty folder or a model folder with nothing else in it."""
    names = set(storage.list(target))
    foreign = names - _model_files(storage, target) if names else set()
    if storage.is_mount(target):
        # A training that died as it moved files into a volume has left some; and a volume has files of its own.
        foreign = {name for name in foreign - _OWN_NAMES if not name.startswith(".") and name != "lost+found"}
    if storage.stat(target) is not None or foreign:
        found = f"holds {min(foreign)!r}" if foreign else "is a file"
        raise OutputOccupied(
            f"{target}: {found}, expected a model folder, an empty one or none; name another with {Flag.MODEL}"
        )


def _model_files(storage: Storage, folder: str) -> set[str]:
    """The names that a folder's card accounts for; none if there is no card."""
    if storage.stat(join(folder, CARD_NAME)) is None:
        return set()
    try:
        return {
            CARD_NAME,
            MARKER_NAME,
            CARD_TEXT_NAME,
            PICTURE_NAME,
            REPORT_NAME,
            *json.loads(storage.read(join(folder, CARD_NAME)))["files"],
        }
    except (ValueError, KeyError, TypeError):
        return set()
