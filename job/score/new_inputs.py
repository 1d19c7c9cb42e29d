"""`--skip-done`: a run's inputs are those that no finished run has scored.

They are chosen once, before the output folder is claimed, and listed in `_parts/inputs.json`: the runs that resume and
the other shards take the list, whatever has come or been scored meanwhile. Nothing is recorded elsewhere: what is done
is in the manifests of finished runs, beside their `_SUCCESS`.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from job.documents.checking import check_document, parse_json
from job.documents.manifest_json import Manifest, ScoredFile
from job.documents.parts_json import ChosenInputs
from job.errors import DataError, OutputOccupied, UsageError
from job.flag_names import Flag
from job.log import Event, event
from job.read.source import Source
from job.score.output import Output
from job.settings import Shard
from job.storage import Storage, join

_log = logging.getLogger(__name__)

_SHOWN: Final = 3
_FINGERPRINT_CHARACTERS: Final = 64

# The versions of an input's files, that of the labels last: (path, size, version) each.
_Identity = tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class NewInputs:
    """What is new to one output folder. locations: of finished runs, or of the folders that they are in."""

    storage: Storage
    output: Output
    locations: Sequence[str]

    def choose(self, sources: Sequence[Source], shard: Shard | None) -> list[Source]:
        """The sources that this run scores, in their order; none if all are done.

        Raises OutputOccupied if the folder holds a run over inputs that have changed since, or a finished one and there
        are newer inputs; DataError if a manifest is damaged.
        """
        listed = self._listed()
        if listed is None:
            done = self._done()
            _log_changed(sources, done)
            chosen = [each for each in sources if _identity_of(each) not in done]
            _log_chosen(len(chosen), len(sources), self.locations)
            if chosen and not self._record(chosen):
                listed = self._listed()
            if listed is None:
                return chosen
        chosen = self._still_there(listed, sources)
        later = [each for each in sources if _identity_of(each) not in listed]
        if later and not shard and self.storage.stat(self.output.success) is not None:
            done = self._done()
            self._refuse_newer([each for each in later if _identity_of(each) not in done])
        return chosen

    def _listed(self) -> set[_Identity] | None:
        """The inputs that the run in the output folder chose; None without such a run."""
        content = self._document(self.output.inputs_json, ChosenInputs)
        if content is None:
            content = self._own_manifest()
        return None if content is None else self._identities(content, self.output.folder)

    def _own_manifest(self) -> dict[str, Any] | None:
        """The manifest of the run that has finished in the output folder, or that is to be scored again there."""
        success, unfinished = self.output.success_fingerprint(), self.output.unfinished_run()
        of_run = success or (unfinished and unfinished.get("fingerprint"))
        manifest = self._document(self.output.manifest, Manifest)
        if success and manifest is None:
            raise DataError(f"{self.output.manifest}: is missing, though the run finished; empty the folder")
        return manifest if manifest and manifest.get("fingerprint") == of_run else None

    def _record(self, chosen: Sequence[Source]) -> bool:
        """List the inputs of this run, unless another process has done so. A folder that is in use is left alone."""
        if not self.output.is_unclaimed():
            return True  # the claim refuses what does not fit
        content: ChosenInputs = {"inputs": [scored_file(each) for each in chosen]}
        return self.storage.create(self.output.inputs_json, json.dumps(content).encode() + b"\n")

    def _still_there(self, listed: Collection[_Identity], sources: Sequence[Source]) -> list[Source]:
        by_identity = {_identity_of(each): each for each in sources}
        gone = sorted(each[0][0] for each in listed if each not in by_identity)
        if gone:
            raise OutputOccupied(
                f"{self.output.folder}: holds a run over {_some(gone)}, changed or removed since, so that it cannot be "
                f"finished; choose another {Flag.OUTPUT}, or empty the folder"
            )
        return [each for each in sources if _identity_of(each) in listed]

    def _refuse_newer(self, newer: Sequence[Source]) -> None:
        if newer:
            raise OutputOccupied(
                f"{self.output.folder}: holds a finished run, and {_some([each.file.path for each in newer])} came "
                f"after it; choose another {Flag.OUTPUT}"
            )

    def _done(self) -> set[_Identity]:
        """The inputs of all finished runs."""
        done: set[_Identity] = set()
        for location in self.locations:
            found = list(self._finished(location))
            if not found:
                _log.warning("%s: holds no finished run, so that no input is skipped for it", location)
            for folder, manifest in found:
                done |= self._identities(manifest, folder)
        return done

    def _finished(self, location: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The folders with a finished run, at a location or directly in it, and their manifests."""
        root = self.storage.resolve(location)
        if self.storage.stat(root) is not None:
            raise UsageError(
                f"{Flag.SKIP_DONE} {location}: is a file; name a folder of results, or one that holds some"
            )
        below = [join(root, name) for name in self.storage.list(root) if not name.startswith((".", "_"))]
        for folder in (root, *below):
            self.storage.check_stop()
            output = Output(self.storage, folder)
            fingerprint = output.success_fingerprint()
            if fingerprint is None:
                continue
            manifest = self._document(output.manifest, Manifest)
            if manifest is None and len(fingerprint) != _FINGERPRINT_CHARACTERS:
                continue  # the _SUCCESS of another program
            if manifest is None or manifest.get("fingerprint") != fingerprint:
                raise DataError(
                    f"{output.manifest}: is not of the run whose _SUCCESS is beside it, so that its inputs cannot be "
                    f"skipped; restore it, or move the folder out of {location}"
                )
            yield folder, manifest

    def _identities(self, content: dict[str, Any], folder: str) -> set[_Identity]:
        try:
            return {_identity_in(each) for each in content["inputs"]}
        except (LookupError, TypeError) as error:
            raise DataError(f"{folder}: its list of inputs was changed or damaged: {error!r}; restore it") from error

    def _document(self, path: str, document: type) -> dict[str, Any] | None:
        """A document's content; None if it is not there. Raises DataError if it is damaged."""
        if self.storage.stat(path) is None:
            return None
        try:
            content = parse_json(self.storage.read(path))
            check_document(document, content)
        except ValueError as error:
            raise DataError(
                f"{path}: was changed or damaged: {error!s:.200}; restore it, or move its folder"
            ) from error
        return cast("dict[str, Any]", content)


def scored_file(source: Source) -> ScoredFile:
    """Which version of an input a run scores, with its labels if they are in another file."""
    files = [{"path": each.path, "size": each.size, "version": each.version} for each in source.files]
    return cast("ScoredFile", {**files[0], "label_file": files[1] if len(files) > 1 else None})


def _identity_of(source: Source) -> _Identity:
    return tuple((each.path, each.size, each.version) for each in source.files)


def _identity_in(entry: ScoredFile) -> _Identity:
    """An earlier version's entry has no label file, so that an input with one counts as changed."""
    labels = entry.get("label_file")
    files = [entry, labels] if labels else [entry]
    return tuple((each["path"], each["size"], each["version"]) for each in files)


def _log_changed(sources: Iterable[Source], done: Collection[_Identity]) -> None:
    known = {each[0][0] for each in done}
    changed = [each.file.path for each in sources if each.file.path in known and _identity_of(each) not in done]
    if changed:
        _log.info("%s: changed since an earlier run scored it; scoring it again", _some(changed))


def _log_chosen(chosen: int, found: int, locations: Sequence[str]) -> None:
    if chosen:
        _log.info("%d of %d inputs are new", chosen, found)
    else:
        extra = event(Event.NOTHING_NEW, inputs=found, skip_done=list(locations))
        _log.info("nothing new: all %d inputs were scored by earlier runs", found, extra=extra)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
