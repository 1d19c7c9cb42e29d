"""The output folder: what lies where in it, and which run may write to it.

OUT/ predictions/  rejects/  report.json  report.html  manifest.json  _SUCCESS
     _parts/  run.json and the committed parts, while the run is unfinished

`Output` knows the paths. `Output.claim` makes the folder a run's own and returns the `Claim`, which alone can commit.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, BinaryIO, Final

from job.errors import OutputOccupied, StorageError
from job.flag_names import Flag
from job.score.plan import Part, Plan, share
from job.settings import Shard
from job.storage import Storage, join

_RESULTS: Final = ("manifest.json", "report.json", "report.html", "predictions", "rejects", "_SUCCESS")
_OWN_NAMES: Final = ("_parts", *_RESULTS)
# What an empty volume may hold.
_HARMLESS: Final = ("lost+found",)


class ClaimState(Enum):
    """What is left to do in a claimed output folder."""

    BEGIN = "begin"
    RESUME = "resume"
    DONE = "done"


class Output:
    """The paths of one output folder, and what stands at them."""

    def __init__(self, storage: Storage, location: str) -> None:
        self._storage = storage
        self.folder = storage.resolve(location)
        self.parts = join(self.folder, "_parts")
        self.run_json = join(self.parts, "run.json")
        self.report_json = join(self.folder, "report.json")
        self.report_html = join(self.folder, "report.html")
        self.manifest = join(self.folder, "manifest.json")
        self.success = join(self.folder, "_SUCCESS")

    def path(self, relative: str) -> str:
        """The path of a file named relative to the output folder."""
        return join(self.folder, relative)

    def holds(self, path: str) -> bool:
        """Whether runs write to a path: the output folder may lie inside the input folder."""
        return any(path.startswith(f"{self.path(name)}/") or path == self.path(name) for name in _OWN_NAMES)

    def part(self, part: Part) -> str:
        """The path of a committed part."""
        return join(self.parts, f"{part.index:06}.arrow")

    def committed(self, plan: Plan) -> list[Part]:
        """The parts of a plan that are committed already."""
        present = set(self._storage.list(self.parts))
        return [part for part in plan.parts if f"{part.index:06}.arrow" in present]

    def claim(self, plan: Plan, part_bytes: int, *, is_overwriting: bool) -> "Claim":
        """Make the folder this run's own, or find that it is. Raises OutputOccupied if it holds anything else."""
        return Claim(self._storage, self, plan, part_bytes, is_overwriting=is_overwriting)

    def names(self) -> list[str]:
        """What the folder holds, but for what an empty one may hold, too."""
        return [name for name in self._storage.list(self.folder) if not name.startswith(".") and name not in _HARMLESS]

    def unfinished_run(self) -> dict[str, Any] | None:
        """The content of run.json; None if there is no unfinished run."""
        try:
            run = json.loads(self._text(self.run_json) or "null")
        except ValueError:
            return None
        return run if isinstance(run, dict) else None

    def is_finished(self, plan: Plan) -> bool:
        """Whether a plan's run has finished here, perhaps in another process."""
        return self._text(self.success) == plan.fingerprint

    def _text(self, path: str) -> str | None:
        try:
            content = self._storage.read(path)
        except StorageError:
            if self._storage.stat(path) is None:
                return None
            content = self._storage.read(path)  # another process may just have written it
        return content.decode(errors="replace").strip()


class Claim:
    """A run's right to write into an output folder. state: what is left to do there."""

    def __init__(self, storage: Storage, output: Output, plan: Plan, part_bytes: int, *, is_overwriting: bool) -> None:
        """See `Output.claim`."""
        self._storage = storage
        self._run = {"fingerprint": plan.fingerprint, "part_bytes": part_bytes}
        self.output = output
        self.plan = plan
        self.state = self._take(is_overwriting=is_overwriting)

    @contextmanager
    def commit(self, path: str) -> Iterator[BinaryIO]:
        """A file of this run's output, committed as `Storage.commit` does it. Raises as `check` does.

        The temporary file lies among the parts, so that what a killed process leaves is removed with them. A run that
        overwrites removes the parts before it claims the folder: it has removed either the temporary file or, by the
        time of the check, run.json. Two runs are never mixed.
        """
        with self._storage.commit(path, beside=self.output.parts) as file:
            yield file
            self.check()

    def check(self) -> None:
        """Raise OutputOccupied if another run has taken the folder, StorageError if the claim is gone."""
        found = self.output.unfinished_run()
        if found is None:
            raise StorageError(f"{self.output.run_json}: is gone while the run was writing; run the same command again")
        if found != self._run:
            raise self._occupied("was taken by another run meanwhile")

    def is_finished(self) -> bool:
        """Whether this very run has finished, perhaps in another process."""
        return self.output.is_finished(self.plan)

    def finish(self) -> None:
        """Declare the output whole, then tidy up."""
        with self.commit(self.output.success) as file:
            file.write(self.plan.fingerprint.encode() + b"\n")
        self.tidy()

    def tidy(self) -> None:
        """Remove the parts of a run that no longer needs them, unless they are another run's by now."""
        # An identical run beside this one may still write there; it will find this one's _SUCCESS and tidy up.
        with suppress(StorageError):
            if self.output.unfinished_run() in (None, self._run):
                self._storage.remove(self.output.parts)

    def missing_parts(self, shard: Shard | None) -> list[Part]:
        """The other shards' parts that are not committed, once this shard's own are.

        Raises StorageError if one of its own is missing, or all are: another process has gathered and tidied up.
        """
        committed = {*self.output.committed(self.plan)}
        missing = [part for part in self.plan.parts if part not in committed]
        # Asked after the look: _SUCCESS is written before the parts are removed.
        if missing and (share(missing, shard) or self.is_finished()):
            raise StorageError(
                f"{self.output.parts}: a part is gone while the run was writing; run the same command again"
            )
        return missing

    def _take(self, *, is_overwriting: bool) -> ClaimState:
        unfinished = self.output.unfinished_run()
        found = self.output.names()
        # Asked last: an identical run that finishes meanwhile writes _SUCCESS before it removes the parts.
        if self.is_finished():
            self.tidy()
            return ClaimState.DONE
        if unfinished == self._run and "_SUCCESS" not in found:
            return ClaimState.RESUME
        if found and not self._is_being_begun(found):
            if unfinished is None and self.output.unfinished_run() == self._run:
                return ClaimState.RESUME  # another process has begun this very run between the two looks
            if not is_overwriting:
                raise self._occupied(_describe(found, unfinished, self.plan))
            self._clear()
        try:
            return self._begin(is_overwriting=is_overwriting)
        except (StorageError, OutputOccupied):
            # An identical run may have started and finished meanwhile.
            if not self.is_finished():
                raise
            self.tidy()
            return ClaimState.DONE

    def _begin(self, *, is_overwriting: bool) -> ClaimState:
        """Claim a folder that was empty, or find that an identical run has done so."""
        if not self._storage.create(self.output.run_json, json.dumps(self._run).encode() + b"\n"):
            self.check()
            return ClaimState.RESUME
        # Another run may have come and gone since the folder was looked at; none can be at work here any more.
        if is_overwriting:
            self._remove(_RESULTS)
        elif (found := [name for name in self.output.names() if name != "_parts"]) and not _is_being_gathered(found):
            self.tidy()
            raise self._occupied(f"is not empty any more ({', '.join(found[:3])})")
        return ClaimState.BEGIN

    def _clear(self) -> None:
        """Remove what runs leave here.

        `_SUCCESS` comes first: from then on the folder no longer claims to be whole. Then the parts, and with them the
        claim, without which a run still at work here commits nothing; then what it committed until then.
        """
        self._remove(("_SUCCESS", "_parts", *_RESULTS))

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._storage.remove(self.output.path(name))

    def _is_being_begun(self, found: list[str]) -> bool:
        """Whether all that stands in the folder is a run that another process is about to begin."""
        return found == ["_parts"] and all(name.startswith(".") for name in self._storage.list(self.output.parts))

    def _occupied(self, problem: str) -> OutputOccupied:
        return OutputOccupied(f"{self.output.folder}: {problem}; choose another {Flag.OUTPUT} or add {Flag.OVERWRITE}")


def _describe(found: list[str], unfinished: dict[str, Any] | None, plan: Plan) -> str:
    if "_SUCCESS" in found:
        return "holds a finished run over other inputs, another model or other settings"
    if unfinished and unfinished.get("fingerprint") == plan.fingerprint:
        part_bytes = unfinished.get("part_bytes")
        return f"holds this run unfinished with {Flag.PART_BYTES} {part_bytes}, which must stay the same"
    if unfinished:
        return "holds an unfinished run over other inputs, another model or other settings"
    return f"is not empty ({', '.join(found[:3])})"


def _is_being_gathered(found: list[str]) -> bool:
    """Whether what stands beside this run's claim can be the work of an identical run that went on from it."""
    return "_SUCCESS" not in found and set(found) <= set(_RESULTS)
