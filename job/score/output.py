"""The output folder: what lies where in it, and whose it is.

OUT/ predictions/  rejects/  report.json  report.html  manifest.json  _SUCCESS
     _parts/  run.json and the committed parts, while the run is unfinished
"""

import json
from contextlib import suppress
from enum import Enum
from typing import Any, Final

from job.errors import OutputOccupied, StorageError
from job.score.plan import Part, Plan
from job.storage import Storage, join

_OURS: Final = ("_SUCCESS", "manifest.json", "report.json", "report.html", "predictions", "rejects", "_parts")
# What an empty volume may hold all the same.
_HARMLESS: Final = ("lost+found",)


class State(Enum):
    """What is to be done in the output folder."""

    BEGIN = "begin"
    RESUME = "resume"
    DONE = "done"


class Output:
    """One output folder."""

    def __init__(self, storage: Storage, location: str) -> None:
        self._storage = storage
        self.folder = storage.resolve(location)
        self.parts = join(self.folder, "_parts")
        self.report_json = join(self.folder, "report.json")
        self.report_html = join(self.folder, "report.html")
        self.manifest = join(self.folder, "manifest.json")
        self.success = join(self.folder, "_SUCCESS")
        self._run = join(self.parts, "run.json")

    def path(self, relative: str) -> str:
        """The path of a file named relative to the output folder."""
        return join(self.folder, relative)

    def holds(self, path: str) -> bool:
        """Whether a path lies in the output folder, as it may where that is inside the input folder."""
        return path.startswith(f"{self.folder}/")

    def part(self, part: Part) -> str:
        """The path of a committed part."""
        return join(self.parts, f"{part.index:06}.arrow")

    def committed(self, plan: Plan) -> list[Part]:
        """The parts of a plan that are there already."""
        present = set(self._storage.list(self.parts))
        return [part for part in plan.parts if f"{part.index:06}.arrow" in present]

    def claim(self, plan: Plan, part_bytes: int, *, is_overwriting: bool) -> State:
        """Make the folder this run's own, or find that it is. Raises OutputOccupied where it holds something else."""
        run = {"fingerprint": plan.fingerprint, "part_bytes": part_bytes}
        unfinished = self._unfinished_run()
        found = [name for name in self._storage.list(self.folder) if not _is_harmless(name)]
        # Asked last: an identical run that finishes meanwhile writes _SUCCESS before it takes the parts away.
        if self.is_finished(plan):
            self.tidy()
            return State.DONE
        if unfinished == run and "_SUCCESS" not in found:
            return State.RESUME
        if found and not self._is_being_begun(found):
            if not is_overwriting:
                raise self._occupied(_what_stands_there(found, unfinished, plan))
            # _SUCCESS comes first: from then on the folder no longer claims to be whole.
            for name in _OURS:
                self._storage.remove(self.path(name))
        if self._storage.create(self._run, json.dumps(run).encode() + b"\n"):
            return State.BEGIN
        if self._unfinished_run() != run:
            raise self._occupied("was taken by another run just now")
        return State.RESUME

    def finish(self, plan: Plan) -> None:
        """Declare the output whole, then tidy up."""
        with self._storage.commit(self.success, beside=self.parts) as file:
            file.write(plan.fingerprint.encode() + b"\n")
        self.tidy()

    def tidy(self) -> None:
        """Remove the parts of a finished run."""
        # An identical run beside this one may be writing there still; it will find this one's _SUCCESS and tidy up.
        with suppress(StorageError):
            self._storage.remove(self.parts)

    def is_finished(self, plan: Plan) -> bool:
        """Whether this very run, perhaps by another process, has finished."""
        return self._content_of(self.success) == plan.fingerprint

    def _is_being_begun(self, found: list[str]) -> bool:
        """Whether all that stands in the folder is a run that an other process is about to begin."""
        return found == ["_parts"] and all(name.startswith(".") for name in self._storage.list(self.parts))

    def _occupied(self, problem: str) -> OutputOccupied:
        return OutputOccupied(f"{self.folder}: {problem}; name another --output or add --overwrite")

    def _unfinished_run(self) -> dict[str, Any] | None:
        try:
            run = json.loads(self._content_of(self._run) or "null")
        except ValueError:
            return None
        return run if isinstance(run, dict) else None

    def _content_of(self, path: str) -> str | None:
        try:
            return self._storage.read(path).decode(errors="replace").strip()
        except StorageError:
            if self._storage.stat(path) is None:
                return None
            raise


def _what_stands_there(found: list[str], unfinished: dict[str, Any] | None, plan: Plan) -> str:
    if "_SUCCESS" in found:
        return "holds a finished run over other inputs, another model or other settings"
    if unfinished and unfinished.get("fingerprint") == plan.fingerprint:
        return f"holds this run unfinished with --part-bytes {unfinished.get('part_bytes')}, which must stay the same"
    if unfinished:
        return "holds an unfinished run over other inputs, another model or other settings"
    return f"is not empty ({', '.join(found[:3])})"


def _is_harmless(name: str) -> bool:
    return name.startswith(".") or name in _HARMLESS
