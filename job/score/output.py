"""The output folder: what lies where in it, and whose it is.

OUT/ predictions/  rejects/  report.json  report.html  manifest.json  _SUCCESS
     _parts/  run.json and the committed parts, while the run is unfinished
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
_OURS: Final = ("_parts", *_RESULTS)
# What an empty volume may hold all the same.
_HARMLESS: Final = ("lost+found",)


class ClaimState(Enum):
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
        self._claim: dict[str, Any] | None = None

    def path(self, relative: str) -> str:
        """The path of a file named relative to the output folder."""
        return join(self.folder, relative)

    def holds(self, path: str) -> bool:
        """Whether a path is one that runs write to, as it may where the output folder is in the input folder."""
        return any(path.startswith(f"{self.path(name)}/") or path == self.path(name) for name in _OURS)

    def part(self, part: Part) -> str:
        """The path of a committed part."""
        return join(self.parts, f"{part.index:06}.arrow")

    def committed(self, plan: Plan) -> list[Part]:
        """The parts of a plan that are there already."""
        present = set(self._storage.list(self.parts))
        return [part for part in plan.parts if f"{part.index:06}.arrow" in present]

    def claim(self, plan: Plan, part_bytes: int, *, is_overwriting: bool) -> ClaimState:
        """Make the folder this run's own, or find that it is. Raises OutputOccupied where it holds something else."""
        run = self._claim = {"fingerprint": plan.fingerprint, "part_bytes": part_bytes}
        unfinished = self._unfinished_run()
        found = self._found()
        # Asked last: an identical run that finishes meanwhile writes _SUCCESS before it takes the parts away.
        if self.is_finished(plan):
            self.tidy()
            return ClaimState.DONE
        if unfinished == run and "_SUCCESS" not in found:
            return ClaimState.RESUME
        if found and not self._is_being_begun(found):
            if unfinished is None and self._unfinished_run() == run:
                return ClaimState.RESUME  # another process has begun this very run between the two looks
            if not is_overwriting:
                raise self._occupied(_what_stands_there(found, unfinished, plan))
            self._clear()
        try:
            return self._begin(run, is_overwriting=is_overwriting)
        except (StorageError, OutputOccupied):
            # An identical run may have been here meanwhile from its start to its end.
            if not self.is_finished(plan):
                raise
            self.tidy()
            return ClaimState.DONE

    def _begin(self, run: dict[str, Any], *, is_overwriting: bool) -> ClaimState:
        """Lay claim to a folder that was empty, or find that the same run has done so."""
        if not self._storage.create(self._run, json.dumps(run).encode() + b"\n"):
            self.check_claim()
            return ClaimState.RESUME
        # Another run may have come and gone since the folder was looked at; none can be at work here any more.
        if is_overwriting:
            self._remove(_RESULTS)
        elif (found := [name for name in self._found() if name != "_parts"]) and not _is_being_gathered(found):
            self.tidy()
            raise self._occupied(f"is not empty any more ({', '.join(found[:3])})")
        return ClaimState.BEGIN

    def _found(self) -> list[str]:
        return [name for name in self._storage.list(self.folder) if not _is_harmless(name)]

    def _clear(self) -> None:
        """Remove what runs leave here.

        `_SUCCESS` comes first: from then on the folder no longer claims to be whole. Then the parts, and with them the
        claim, without which a run that is still at work here commits nothing any more; then what it did until then.
        """
        self._remove(("_SUCCESS", "_parts", *_RESULTS))

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._storage.remove(self.path(name))

    def check_claim(self) -> None:
        """Raise OutputOccupied where another run has taken the folder, StorageError where the claim is gone."""
        found = self._unfinished_run()
        if found is None:
            raise StorageError(f"{self._run}: is gone while the run was writing; run the same command again")
        if found != self._claim:
            raise self._occupied("was taken by another run meanwhile")

    @contextmanager
    def commit(self, path: str) -> Iterator[BinaryIO]:
        """A file of this run's output, committed as `Storage.commit` does it. Raises as `check_claim` does.

        The temporary file lies among the parts. So what a killed process leaves goes away with them. And a run that
        overwrites, which removes the parts before it claims the folder, either takes the temporary file away, or has
        taken run.json away by the time of the look at it: two runs are never mixed.
        """
        with self._storage.commit(path, beside=self.parts) as file:
            yield file
            self.check_claim()

    def finish(self, plan: Plan) -> None:
        """Declare the output whole, then tidy up."""
        with self.commit(self.success) as file:
            file.write(plan.fingerprint.encode() + b"\n")
        self.tidy()

    def tidy(self) -> None:
        """Remove the parts of a run that is done with them, unless another run's are there by now."""
        # An identical run beside this one may be writing there still; it will find this one's _SUCCESS and tidy up.
        with suppress(StorageError):
            if self._unfinished_run() in (None, self._claim):
                self._storage.remove(self.parts)

    def is_finished(self, plan: Plan) -> bool:
        """Whether this very run, perhaps by another process, has finished."""
        return self._content_of(self.success) == plan.fingerprint

    def _is_being_begun(self, found: list[str]) -> bool:
        """Whether all that stands in the folder is a run that an other process is about to begin."""
        return found == ["_parts"] and all(name.startswith(".") for name in self._storage.list(self.parts))

    def _occupied(self, problem: str) -> OutputOccupied:
        return OutputOccupied(f"{self.folder}: {problem}; name another {Flag.OUTPUT} or add {Flag.OVERWRITE}")

    def _unfinished_run(self) -> dict[str, Any] | None:
        try:
            run = json.loads(self._content_of(self._run) or "null")
        except ValueError:
            return None
        return run if isinstance(run, dict) else None

    def _content_of(self, path: str) -> str | None:
        try:
            content = self._storage.read(path)
        except StorageError:
            if self._storage.stat(path) is None:
                return None
            content = self._storage.read(path)  # it may have come in between
        return content.decode(errors="replace").strip()


def _what_stands_there(found: list[str], unfinished: dict[str, Any] | None, plan: Plan) -> str:
    if "_SUCCESS" in found:
        return "holds a finished run over other inputs, another model or other settings"
    if unfinished and unfinished.get("fingerprint") == plan.fingerprint:
        return (
            f"holds this run unfinished with {Flag.PART_BYTES} {unfinished.get('part_bytes')}, which must stay the same"
        )
    if unfinished:
        return "holds an unfinished run over other inputs, another model or other settings"
    return f"is not empty ({', '.join(found[:3])})"


def _is_being_gathered(found: list[str]) -> bool:
    """Whether what stands beside a claim of ours can be of another process that has gone on from it."""
    return "_SUCCESS" not in found and set(found) <= set(_RESULTS)


def _is_harmless(name: str) -> bool:
    return name.startswith(".") or name in _HARMLESS


def missing_parts(plan: Plan, output: Output, shard: Shard | None) -> list[Part]:
    """The other shards' parts that are not there, once this one's are.

    Raises StorageError where one of its own is missing, or all is done: another has gathered, and tidied up, meanwhile.
    """
    committed = {*output.committed(plan)}
    missing = [part for part in plan.parts if part not in committed]
    # Asked after the look: _SUCCESS is written before the parts are taken away.
    if missing and (share(missing, shard) or output.is_finished(plan)):
        raise StorageError(f"{output.parts}: a part is gone while the run was writing; run the same command again")
    return missing
