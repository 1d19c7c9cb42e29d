"""Which files in an output folder runs have written: those that a manifest or run.json of this job vouches for.

`--overwrite` removes no others: people have data in folders named `predictions`. `Clearing` renames these documents
first (`.manifest.json.<hex>.old`, `._parts.<hex>.old`) and removes them last, so that whatever a run that dies in
between leaves is still vouched for.
"""

import hashlib
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

from job.documents.parts_json import RunClaim
from job.errors import StorageError
from job.storage import Storage, join

MANIFEST: Final = "manifest.json"
PARTS: Final = "_parts"
SUCCESS: Final = "_SUCCESS"
RUN: Final = "run.json"
# The paths that a run writes, beside its run.json.
OUTPUTS: Final = "outputs.json"
# The inputs that it has chosen, if it skips what is done.
INPUTS: Final = "inputs.json"
_FAILED: Final = "_FAILED"
TOP_RESULTS: Final = ("report.json", "report.html", _FAILED)
# What is in it, people edit; a changed file is their work.
REVIEW: Final = "review"
RESULT_FOLDERS: Final = ("predictions", "rejects", REVIEW)

_RESULT: Final = re.compile(
    r"predictions/.+\.(csv|parquet)|rejects/.+\.jsonl"
    r"|review/(review\.csv|sheet\.html|label-studio\.(json|xml)|pictures/[0-9]/\d{6,}\.png)",
    re.DOTALL,
)
# Besides the documents above: committed parts, and the temporary files of processes that were killed.
_IN_PARTS: Final = re.compile(r"\d{6,}\.arrow|\..*\.tmp", re.DOTALL)
_RETIRED: Final = re.compile(r"\.(manifest\.json|_parts)\.[0-9a-f]{32}\.old")
_MANIFEST_KEYS: Final = {"digit_job", "fingerprint", "inputs", "outputs", "settings", "model"}
# `_SUCCESS` holds a fingerprint. Other programs leave theirs empty.
_MAX_MARKER_BYTES: Final = 256


class Vouching:
    """The documents of runs in one output folder, and what they list. All paths are relative to the folder."""

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._folder = folder

    def retire(self, name: str) -> str | None:
        """Rename `manifest.json` or `_parts`: atomically, so that it vouches all the time.

        Returns the new name; None if there is nothing of that name.
        """
        retired = f".{name}.{uuid.uuid4().hex}.old"
        return retired if self._storage.rename(self._path(name), self._path(retired)) else None

    def retired(self) -> list[str]:
        """The names of retired documents, sorted."""
        return [name for name in self._storage.list(self._folder) if _RETIRED.fullmatch(name)]

    def run_of(self, parts: str) -> dict[str, Any] | None:
        """The content of run.json in `_parts`, or in retired ones; None if there is none of this job's."""
        run = self._document(join(parts, RUN))
        is_claim = isinstance(run, dict) and {"fingerprint", "part_bytes"} <= set(run) <= RunClaim.__required_keys__
        return run if is_claim else None

    def listed(self, documents: Iterable[str]) -> set[str]:
        """The results that some documents list, without the documents themselves. documents: names in the folder.

        A run.json without a list of outputs vouches for all that has the name of a result: the folder held no such file
        when it was made.
        """
        paths: set[str] = set()
        for name in documents:
            if PARTS not in name:
                paths.update(self._listed_in_manifest(name))
            elif self.run_of(name) is not None:
                outputs = self._document(join(name, OUTPUTS))
                paths.update(TOP_RESULTS)
                paths.update(self._results() if outputs is None else _results_among(outputs))
        return paths

    def all_listed(self) -> set[str]:
        """The results that any document in the folder lists."""
        # The manifest last: a run that finishes meanwhile writes it before it removes its parts.
        return self.listed([PARTS, *self.retired(), MANIFEST])

    def foreign(self, planned: Iterable[str], documents: Iterable[str] = ()) -> str | None:
        """The first path in the way of a run that no run has written; None if there is none.

        planned: its results. documents: that vouch; none: all in the folder.
        """
        vouched = self.listed(documents) if documents else self.all_listed()
        return next(self._in_the_way({*planned, *TOP_RESULTS}, vouched), None) or self._foreign_document()

    def edited(self) -> str | None:
        """The first file of a review that was changed since the run of manifest.json wrote it; None if there is none.

        People correct labels in it.
        """
        for each in self._outputs(MANIFEST):
            path, size, sha256 = each.get("path"), each.get("bytes"), each.get("sha256")
            if not isinstance(path, str) or not _is_result(path) or not is_review(path):
                continue
            found = self._storage.stat(self._path(path))
            if found is None or not self._is_real_folder(path.rpartition("/")[0]):
                continue
            if found.size != size or hashlib.sha256(self._storage.read(self._path(path))).hexdigest() != sha256:
                return path
        return None

    def present(self, paths: Iterable[str]) -> list[str]:
        """Those of some paths that are there, sorted."""
        by_folder: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            folder, _, name = path.rpartition("/")
            by_folder[folder].add(name)
        return sorted(
            f"{folder}/{name}" if folder else name
            for folder, names in by_folder.items()
            for name in names.intersection(self._storage.list(self._path(folder) if folder else self._folder))
        )

    def has_other_files(self) -> bool:
        """Whether the folders of results hold anything."""
        return any(self._storage.list(self._path(name)) for name in RESULT_FOLDERS)

    def own_in_parts(self, parts: str) -> list[str]:
        """The names in `_parts`, or in retired ones, that runs make."""
        return [name for name in self._storage.list(self._path(parts)) if _is_in_parts(name)]

    def _in_the_way(self, planned: set[str], vouched: set[str]) -> Iterator[str]:
        folders = {path[:end] for path in planned for end, each in enumerate(path) if each == "/"}
        for path in self.present(folders):
            if not self._is_real_folder(path) and (path not in vouched or self._storage.is_folder(self._path(path))):
                yield path
        for path in self.present(planned):
            if path not in vouched or self._storage.is_folder(self._path(path)):
                yield path

    def _foreign_document(self) -> str | None:
        names = set(self._storage.list(self._folder))
        if MANIFEST in names and not self._vouches_for_itself():
            return MANIFEST
        if SUCCESS in names and not self._is_marker(SUCCESS):
            return SUCCESS
        if PARTS not in names:
            return None
        if not self._is_real_folder(PARTS):
            return PARTS
        within = self._storage.list(self._path(PARTS))
        if RUN in within and self.run_of(PARTS) is None and not self._storage.is_stream(self._path(join(PARTS, RUN))):
            return join(PARTS, RUN)
        return next((join(PARTS, name) for name in within if not _is_in_parts(name)), None)

    def _vouches_for_itself(self) -> bool:
        return bool(self._listed_in_manifest(MANIFEST)) or self.run_of(PARTS) is not None

    def _listed_in_manifest(self, name: str) -> set[str]:
        outputs = self._outputs(name)
        return {_FAILED, *_results_among([each.get("path") for each in outputs])} if outputs else set()

    def _outputs(self, name: str) -> list[dict[str, Any]]:
        """The entries of a manifest about files; none if it is not one of this job's."""
        manifest = self._document(name)
        if not isinstance(manifest, dict) or not set(manifest) >= _MANIFEST_KEYS:
            return []
        outputs = manifest["outputs"]
        is_list = isinstance(outputs, list) and all(isinstance(each, dict) for each in outputs)
        return outputs if is_list else []

    def _results(self) -> Iterator[str]:
        """The files in the folder that have the name of a result, found without following links."""
        waiting = [name for name in RESULT_FOLDERS if self._is_real_folder(name)]
        while waiting:
            folder = waiting.pop()
            for name in self._storage.list(self._path(folder)):
                path = f"{folder}/{name}"
                if self._is_real_folder(path):
                    waiting.append(path)
                elif _is_result(path):
                    yield path

    def _is_marker(self, name: str) -> bool:
        path = self._path(name)
        if self._storage.is_stream(path):
            return True  # holds nothing that could be lost
        found = self._storage.stat(path)
        return found is not None and 0 < found.size <= _MAX_MARKER_BYTES and self._storage.read(path).count(b"\n") <= 1

    def _is_real_folder(self, path: str) -> bool:
        """Whether a path is a folder, and neither it nor one around it a link."""
        is_folder = self._storage.is_folder(self._path(path))
        return is_folder and self._storage.real_path(self._path(path)) == join(
            self._storage.real_path(self._folder), path
        )

    def _document(self, name: str) -> Any:
        """The content of a JSON file; None if there is none."""
        path = self._path(name)
        if self._storage.stat(path) is None:
            return None
        try:
            return json.loads(self._storage.read(path))
        except (ValueError, RecursionError):
            return None
        except StorageError:
            if self._storage.stat(path) is not None:
                raise
            return None  # another process has removed it

    def _path(self, relative: str) -> str:
        return join(self._folder, relative)


def is_review(path: str) -> bool:
    """Whether a result is one that people edit."""
    return path.startswith(f"{REVIEW}/")


def _is_in_parts(name: str) -> bool:
    return name in {RUN, OUTPUTS, INPUTS} or _IN_PARTS.fullmatch(name) is not None


def _is_result(path: str) -> bool:
    is_below = not {"", ".", ".."}.intersection(path.split("/"))
    return path in TOP_RESULTS or (is_below and _RESULT.fullmatch(path) is not None)


def _results_among(paths: Any) -> set[str]:
    """The paths that are of a run's results. A document may be damaged, or made up."""
    return {each for each in paths if isinstance(each, str) and _is_result(each)} if isinstance(paths, list) else set()
