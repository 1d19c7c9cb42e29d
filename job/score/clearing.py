"""Removes parts and results from an output folder, so that a run that dies meanwhile leaves nothing unvouched for.

The documents that vouch for results (see `vouching`) are renamed first, in one step, and removed last. `Claim` decides
when.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from job.errors import OutputOccupied
from job.flag_names import Flag
from job.score.vouching import MANIFEST, PARTS, RESULT_FOLDERS, RUN, TOP_RESULTS, Vouching
from job.storage import Storage, join


class Clearing:
    """Removes from one output folder what runs have written."""

    def __init__(self, storage: Storage, folder: str, vouching: Vouching) -> None:
        self._storage = storage
        self._folder = folder
        self._vouching = vouching

    def refuse_foreign(self, planned: Sequence[str], documents: Sequence[str] = ()) -> None:
        """Raise OutputOccupied if files are in the way of a run that no run has written, or that were edited.

        planned: its results. documents: that vouch; none: all in the folder.
        """
        self.refuse_edited()
        foreign = self._vouching.foreign(planned, documents)
        # Asked again, because another run may have claimed the folder while the files were looked at.
        if foreign and (foreign := self._vouching.foreign(planned, documents)):
            raise OutputOccupied(
                f"{self._path(foreign)}: is in the way, and no {MANIFEST} or {PARTS}/{RUN} says that a run has written "
                f"it, so {Flag.OVERWRITE} does not remove it; move it, or choose another {Flag.OUTPUT}"
            )

    def refuse_edited(self) -> None:
        """Raise OutputOccupied if people have edited files for review, which a run would replace."""
        edited = self._vouching.edited()
        # Asked again, because another run may have replaced the files while they were looked at.
        if edited and (edited := self._vouching.edited()):
            raise OutputOccupied(
                f"{self._path(edited)}: was edited since a run wrote it, and this run would replace it; move it, or "
                f"choose another {Flag.OUTPUT}"
            )

    def retire(self, name: str) -> str | None:
        """Retire `manifest.json` or `_parts`; returns its new name, None if it is not there."""
        return self._vouching.retire(name)

    def remove_results(self) -> list[str]:
        """Remove the results that the manifest and retired documents list, then these; returns the results' paths."""
        self.retire(MANIFEST)
        documents = self._vouching.retired()
        results = self._vouching.present(self._vouching.listed(documents))
        paths = {self._path(each) for each in results}
        for name in (*TOP_RESULTS, *RESULT_FOLDERS):
            if any(each.partition("/")[0] == name for each in results):
                self._storage.remove(self._path(name), only=paths)
        self.remove_retired(documents)
        return results

    def remove_parts(self, run: Mapping[str, Any]) -> None:
        """Remove `_parts` if they are those of a run, or of none. run: its run.json."""
        retired = self.retire(PARTS)
        # Looked at out of reach of others, because another run may have claimed the folder just before.
        if retired and self._vouching.run_of(retired) not in (None, run):
            self._storage.rename(self._path(retired), self._path(PARTS))
        # Also those of a process that was killed here, and those that vouch for nothing.
        parts = [name for name in self._vouching.retired() if PARTS in name]
        self.remove_retired(name for name in parts if self._vouching.run_of(name) in (None, run))

    def remove_retired(self, names: Iterable[str]) -> None:
        """Remove retired documents. Parts with foreign files among them lose the others, and get their name back."""
        for name in names:
            path = self._path(name)
            if PARTS in name and (own := self._vouching.own_in_parts(name)) != self._storage.list(path):
                self._storage.remove(path, only=[join(path, each) for each in own])
                self._storage.rename(path, self._path(PARTS))
            else:
                self._storage.remove(path)

    def _path(self, relative: str) -> str:
        return join(self._folder, relative)
