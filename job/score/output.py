"""The output folder: its layout, and which run may write to it.

    OUT/  predictions/  rejects/  review/  report.json  report.html  manifest.json  _SUCCESS, or _FAILED
          _parts/  run.json, inputs.json, outputs.json and the committed parts, while the run is unfinished

`Output` knows the paths. `Output.claim` claims the folder for a run and returns the `Claim`, which alone can commit,
and removes the results of another run by `clearing`, as far as `vouching` knows that a run has written them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from typing import BinaryIO, Final, cast

from job.documents.checking import check_document, parse_json
from job.documents.parts_json import RunClaim
from job.errors import DataError, OutputOccupied, StorageError
from job.flag_names import Flag
from job.score.clearing import Clearing
from job.score.plan import Part, Plan, parts_of_shard
from job.score.vouching import INPUTS, MANIFEST, OUTPUTS, PARTS, RESULT_FOLDERS, RUN, SUCCESS, TOP_RESULTS, Vouching
from job.settings import Shard
from job.storage import FileInfo, Storage, is_below, is_within, join, too_long
from job.write.part_file import PartFile

_RESULTS: Final = (MANIFEST, *TOP_RESULTS, *RESULT_FOLDERS, SUCCESS)
_FOLDERS: Final = (PARTS, *RESULT_FOLDERS)
_OWN_NAMES: Final = (PARTS, *_RESULTS)
# run.json and _SUCCESS have a few hundred.
_MAX_TEXT_BYTES: Final = 1 << 16
# mkfs creates it in every new volume.
_IGNORED: Final = ("lost+found",)


class ClaimState(Enum):
    """What remains to be done in a claimed output folder: everything, the missing parts, or nothing."""

    BEGIN = "begin"
    RESUME = "resume"
    DONE = "done"


class Output:
    """One output folder: its paths, and what they contain."""

    def __init__(self, storage: Storage, location: str) -> None:
        self._storage = storage
        self.folder = storage.resolve(location)
        self.real_folder = storage.real_path(self.folder)
        self.vouching = Vouching(storage, self.folder)
        self.clearing = Clearing(storage, self.folder, self.vouching)
        self.parts = join(self.folder, PARTS)
        self.run_json = join(self.parts, RUN)
        self.inputs_json = join(self.parts, INPUTS)
        self.report_json = join(self.folder, "report.json")
        self.report_html = join(self.folder, "report.html")
        self.manifest = join(self.folder, MANIFEST)
        self.success = join(self.folder, SUCCESS)
        self.failed = join(self.folder, "_FAILED")

    def path(self, relative: str) -> str:
        """The absolute path of a path relative to the output folder."""
        return join(self.folder, relative)

    def inside(self, relative: str) -> str:
        """The absolute path of a file that a document in the folder names. Raises DataError if it leads elsewhere.

        The folder may be anyone's: with `..` or through a link, the job would read a file of its user's for them.
        """
        path = self.path(relative)
        real = self._storage.real_path(path)
        if not is_below(relative) or not is_within(real, self.real_folder):
            raise DataError(
                f"{self.folder}: the name {relative!r:.200} leads out of the folder; remove the link or name"
            )
        return path

    def check_links(self) -> None:
        """Raise OutputOccupied if a folder that a run writes into is a link to elsewhere, which it would write into."""
        for name in _FOLDERS:
            try:
                self.inside(name)
            except DataError as error:
                raise OutputOccupied(str(error)) from error

    def holds(self, path: str) -> bool:
        """Whether a run may write to `path`. The output folder can be inside the input folder, also through a link."""
        real = self._storage.real_path(path)
        return any(is_within(real, join(self.real_folder, name)) for name in _OWN_NAMES)

    def unvouched(self, files: Sequence[FileInfo]) -> list[FileInfo]:
        """Those of some files that the folder holds which no run has written."""
        own = self.vouching.all_listed() | {MANIFEST, SUCCESS}
        places = [(file, self._storage.real_path(file.path).removeprefix(f"{self.real_folder}/")) for file in files]
        return [file for file, place in places if place not in own and not place.startswith(f"{PARTS}/")]

    def check_lengths(self, plan: Plan) -> None:
        """Raise OutputOccupied if the folder's path is too long, DataError if that of a result would be."""
        if problem := too_long(join(self.parts, "." + "0" * 36)):
            raise OutputOccupied(f"{self.folder}: {problem} with what is in it; choose another {Flag.OUTPUT}")
        for each in plan.inputs:
            for path in (each.predictions, each.rejects):
                if problem := too_long(self.path(path)):
                    raise DataError(f"{each.source.file.path}: its result {problem}; rename the input")

    def part_file(self, plan: Plan, part: Part) -> PartFile:
        """Where a part of a plan is committed, and what is expected there."""
        schema = plan.inputs[part.input_index].schema
        return PartFile(join(self.parts, _part_name(part)), schema, plan.identity_of(part))

    def committed(self, plan: Plan) -> list[Part]:
        """The parts of a plan whose files are there; `counted_part.check_part` looks into them."""
        present = set(self._storage.list(self.parts))
        return [part for part in plan.parts if _part_name(part) in present]

    def claim(self, plan: Plan, part_bytes: int, arithmetic: str, *, is_overwriting: bool) -> "Claim":
        """Claim the folder for the run of `plan`, to begin or to resume it.

        arithmetic: of the model, here. Raises OutputOccupied if the folder contains anything else, or the same run
        computed by other arithmetic, and `is_overwriting` is false; or if it is true, and there are files in the way
        that no run has written.
        """
        run: RunClaim = {"fingerprint": plan.fingerprint, "part_bytes": part_bytes, "arithmetic": arithmetic}
        return Claim(self._storage, self, plan, run, is_overwriting=is_overwriting)

    def names(self) -> list[str]:
        """The names in the folder; empty if a run can begin in it."""
        return [name for name in self._storage.list(self.folder) if not name.startswith(".") and name not in _IGNORED]

    def has_run(self) -> bool:
        """Whether the folder holds a run: finished, unfinished, or short of its gates."""
        return not {SUCCESS, "_FAILED", PARTS}.isdisjoint(self.names())

    def unfinished_run(self) -> RunClaim | None:
        """The content of run.json; None if there is no unfinished run, or if the file is damaged."""
        try:
            run = parse_json(self._text(self.run_json) or "null")
            check_document(RunClaim, run)
        except ValueError:
            return None
        return cast("RunClaim", run)

    def success_fingerprint(self) -> str | None:
        """What `_SUCCESS` holds: the fingerprint of the run that has finished here; None if there is none."""
        return self._text(self.success)

    def is_finished(self, plan: Plan) -> bool:
        """Whether the run of `plan` has finished here, in this process or another."""
        return self.success_fingerprint() == plan.fingerprint

    def is_unclaimed(self) -> bool:
        """Whether a run can begin here: nothing is there but what a process has left that was about to claim it."""
        found = self.names()
        return not found or (
            found == [PARTS] and all(name.startswith(".") or name == INPUTS for name in self._storage.list(self.parts))
        )

    def _text(self, path: str) -> str | None:
        found = self._storage.stat(path)
        if found is None or found.size > _MAX_TEXT_BYTES:
            return None  # or it is a pipe, which would be waited for
        try:
            content = self._storage.read(path)
        except StorageError:
            if self._storage.stat(path) is None:
                return None
            content = self._storage.read(path)  # another process has just written it
        return content.decode(errors="replace").strip()


class Claim:
    """A run's right to write to an output folder.

    state: what remained to be done when it was made. removed: the results of another run that it has removed.

    An identical run (same fingerprint, part size and arithmetic) in another process can hold the same claim at the same
    time.
    """

    def __init__(self, storage: Storage, output: Output, plan: Plan, run: RunClaim, *, is_overwriting: bool) -> None:
        self._storage = storage
        self._run = run
        self.removed: list[str] = []
        self.output = output
        self.plan = plan
        self.state = self._acquire(is_overwriting=is_overwriting)

    @contextmanager
    def commit(self, path: str) -> Iterator[BinaryIO]:
        """A file to write, committed as by `Storage.commit` if the claim still holds then. Raises as `check` does.

        The temporary file is in `_parts`, so that one left by a killed process is removed with the parts. That also
        keeps two runs from being mixed: a run that overwrites removes `_parts` before it claims the folder, and so has
        removed either the temporary file or, at the time of the check, run.json.
        """
        with self._storage.commit(path, beside=self.output.parts) as file:
            yield file
            self.check()

    def write(self, path: str, content: bytes) -> None:
        """Commit a file whose content is at hand. Raises as `check` does."""
        with self.commit(path) as file:
            file.write(content)

    def check(self) -> None:
        """Raise OutputOccupied if another run has claimed the folder, StorageError if run.json is gone."""
        found = self.output.unfinished_run()
        if found is None:
            raise StorageError(
                f"{self.output.run_json}: was removed while the run was writing; run the same command again"
            )
        if found != self._run:
            raise self._occupied(_other_arithmetic(found, self._run) or "was claimed by another run meanwhile")

    def is_finished(self) -> bool:
        """Whether this run has finished, in this process or another."""
        return self.output.is_finished(self.plan)

    def fall_short(self, reasons: Sequence[str]) -> None:
        """Write `_FAILED` with the gates that the output did not pass. The parts stay for a run with other gates."""
        self.write(self.output.failed, "".join(f"{reason}\n" for reason in reasons).encode())

    def finish(self) -> None:
        """Write `_SUCCESS`, which declares the output complete, then remove the parts."""
        self._storage.remove(self.output.failed)
        self.write(self.output.success, self.plan.fingerprint.encode() + b"\n")
        self.remove_parts()

    def list_outputs(self) -> None:
        """Write down which results are this run's, before the first of them: run.json then vouches for no others."""
        self.write(join(self.output.parts, OUTPUTS), json.dumps(self.plan.outputs).encode() + b"\n")

    def remove_parts(self) -> None:
        """Remove the parts, unless another run has claimed the folder by now."""
        # An identical run may still write there: it then finds _SUCCESS and removes the parts itself.
        with suppress(StorageError):
            if self.output.unfinished_run() not in (None, self._run):
                return
            self.output.clearing.remove_parts(self._run)

    def give_up(self) -> None:
        """Remove the parts, so that the folder is empty, unless there are results: run.json vouches for them."""
        if self.output.names() == [PARTS]:
            self.remove_parts()

    def begin_again(self) -> None:
        """Claim a finished output of this run, of which files are missing or changed, to score it again.

        run.json first: without `_SUCCESS` but with it, the folder holds this run unfinished, whatever happens next. The
        files that are there stay until they are replaced by the same bytes.
        """
        if not self._storage.create(self.output.run_json, json.dumps(self._run).encode() + b"\n"):
            self.check()
        self._storage.remove(self.output.success)
        self.state = ClaimState.RESUME

    def missing_parts(self, shard: Shard | None) -> list[Part]:
        """The parts of other shards that are not committed yet. Call it once this shard has committed its own.

        Raises StorageError if one of this shard's own is missing, or if the run has finished elsewhere by now, where
        the parts have been removed.
        """
        committed = {*self.output.committed(self.plan)}
        missing = [part for part in self.plan.parts if part not in committed]
        # Asked after listing the parts, because _SUCCESS is written before they are removed.
        if missing and (parts_of_shard(missing, shard) or self.is_finished()):
            raise StorageError(
                f"{self.output.parts}: a part was removed while the run was writing; run the same command again"
            )
        return missing

    def _acquire(self, *, is_overwriting: bool) -> ClaimState:
        unfinished = self.output.unfinished_run()
        leftovers = self.output.vouching.retired()
        found = self.output.names()
        # Asked last, because an identical run that finishes meanwhile writes _SUCCESS before it removes the parts.
        if self.is_finished():
            self.remove_parts()
            self._storage.remove(self.output.failed)  # of a run with stricter gates that ended at the same time
            return ClaimState.DONE
        self.output.check_links()
        if unfinished == self._run and SUCCESS not in found:
            return ClaimState.RESUME
        if found and not self.output.is_unclaimed():
            if unfinished is None and self.output.unfinished_run() == self._run:
                return ClaimState.RESUME  # another process has begun this run since run.json was first read
            if not is_overwriting:
                raise self._occupied(_describe(found, unfinished, self._run))
            self._clear()
        elif not found:
            self.output.clearing.remove_retired(leftovers)  # they vouched for results that are gone
        try:
            return self._begin(is_overwriting=is_overwriting)
        except (StorageError, OutputOccupied):
            # An identical run may have started and finished meanwhile.
            if not self.is_finished():
                raise
            self.remove_parts()
            return ClaimState.DONE

    def _begin(self, *, is_overwriting: bool) -> ClaimState:
        """Claim a folder that was found empty, unless an identical run has done so since."""
        if not self._storage.create(self.output.run_json, json.dumps(self._run).encode() + b"\n"):
            self.check()
            return ClaimState.RESUME
        # Another run may have started and finished since the folder was listed. From here on none can write to it.
        found = [name for name in self.output.names() if name != PARTS]
        if is_overwriting and any(name in _RESULTS for name in found):
            self._clear_again()
        elif found and not is_overwriting and not _is_being_gathered(found):
            self.remove_parts()
            raise self._occupied(f"is not empty any more ({', '.join(found[:3])})")
        return ClaimState.BEGIN

    def _clear(self) -> None:
        """Remove the output of another run. Raises OutputOccupied if files are in the way that no run has written.

        `_SUCCESS` first, because the rest is incomplete from then on. Then the parts, and with them run.json, without
        which a run that is still at work commits nothing more. Then what it has committed.
        """
        self.output.clearing.refuse_foreign(self.plan.outputs)
        self._storage.remove(self.output.success)
        self.output.clearing.retire(PARTS)
        self.removed += self.output.clearing.remove_results()

    def _clear_again(self) -> None:
        """Remove what another run has finished before this one claimed the folder, and list the results of this one."""
        try:
            # This run's own run.json vouches for nothing that is there.
            self.output.clearing.refuse_foreign(self.plan.outputs, [MANIFEST, *self.output.vouching.retired()])
        except OutputOccupied:
            self.remove_parts()
            raise
        self.check()
        self.removed += self.output.clearing.remove_results()
        self.check()
        self._storage.remove(self.output.success)
        if self.output.vouching.has_other_files():
            self.list_outputs()

    def _occupied(self, problem: str) -> OutputOccupied:
        return OutputOccupied(f"{self.output.folder}: {problem}; choose another {Flag.OUTPUT} or add {Flag.OVERWRITE}")


def _part_name(part: Part) -> str:
    return f"{part.index:06}.arrow"


def _other_arithmetic(found: RunClaim, run: RunClaim) -> str | None:
    """What is wrong if `found` is the same run but for its arithmetic; None if it is not."""
    if found == run or {**found, "arithmetic": run["arithmetic"]} != run:
        return None
    return (
        f"holds this run unfinished, computed by {found.get('arithmetic', 'an older version')}, and here it would be "
        f"{run['arithmetic']}, which rounds differently; finish it on a machine of the first kind"
    )


def _describe(found: list[str], unfinished: RunClaim | None, run: RunClaim) -> str:
    if "_SUCCESS" in found:
        return "holds a finished run over other inputs, another model or other settings"
    if unfinished and (problem := _other_arithmetic(unfinished, run)):
        return problem
    if unfinished and unfinished.get("fingerprint") == run["fingerprint"]:
        part_bytes = unfinished.get("part_bytes")
        return f"holds this run unfinished with {Flag.PART_BYTES} {part_bytes}, which must stay the same"
    if unfinished:
        return "holds an unfinished run over other inputs, another model or other settings"
    return f"is not empty ({', '.join(found[:3])})"


def _is_being_gathered(found: list[str]) -> bool:
    """Whether an identical run, which resumed from this run's claim, can have written what was found beside it."""
    return "_SUCCESS" not in found and set(found) <= set(_RESULTS)
