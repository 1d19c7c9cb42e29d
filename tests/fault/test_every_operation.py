"""Every operation on a file fails once, in turn, and nothing is lost. Nothing is sampled; SQLite is tested like this.

A small complete run (two CSV files, one of them with bad records, and a Parquet file, in several parts) is repeated
with its 1st, 2nd, 3rd ... operation failing, until one run finishes undisturbed.
"""

import itertools
import re
import shutil
from contextlib import nullcontext

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die, first_operation_below, nothing, with_error
from support.files import csv_text, make_digits, write_csv
from support.models import write_model
from support.runs import PlannedOnce, files_below, is_temporary, score, stable_files, state_of

from job.errors import ResourceExhausted, RunFellShort, StorageError
from job.model.bundle import open_bundle
from job.settings import Gates
from job.storage import LocalStorage

pytestmark = pytest.mark.usefixtures("_repeated_runs")

PART_BYTES = 10_000


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Three files, four parts, two rejected records. The rows are few, because the run is repeated often."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(3)
    lines = csv_text(digits).splitlines()
    lines[2:2] = ["1,2,3", "1" + ",999" * 784]
    (folder / "bad.csv").write_text("\n".join(lines))
    (folder / "sub").mkdir()
    write_csv(folder / "sub/plain.csv", digits[:1], has_header=False)
    images = pa.array([row.tobytes() for row in digits.pixels], pa.binary(784))
    pq.write_table(pa.table({"image": images, "label": digits.labels}), folder / "images.parquet", row_group_size=1)
    return folder


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """The files that the run writes if nothing fails."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    score(inputs, output, model, part_bytes=PART_BYTES)
    return stable_files(output)


def assert_promises_hold(output, undisturbed):
    """Every file under its final name is whole, and `_SUCCESS` exists only beside all others."""
    found = {
        path: content
        for path, content in (stable_files(output) if output.exists() else {}).items()
        if not path.startswith("_parts/")
    }
    assert not [path for path in found if is_temporary(path)]
    assert found.items() <= undisturbed.items()
    assert "_SUCCESS" not in found or found == undisturbed


class Campaign:
    """A run that is repeated with one operation after the other failing. points: how many have failed."""

    def __init__(self, inputs, model, undisturbed, folder, **settings):
        self._inputs, self._model, self._undisturbed, self._folder = inputs, model, undisturbed, folder
        self._settings = {"part_bytes": PART_BYTES, "threads": 1, **settings}
        self._planned = PlannedOnce()
        self._seen = set()
        self.points = 0

    def strike_all(self, fault, *, only=None, before=lambda _output: None):
        """Yields (output folder, error or None, file system) after each point; then runs again and compares.

        before: prepares the output folder. The second run is skipped if an earlier point left the same files, because
        it depends on nothing else.
        """
        for at, planned in self._places(only):
            output = self._folder / "out"
            before(output)
            system = FaultyFileSystem(fault, at, only=only)
            with planned:
                error = self._error_of(output, system)
            if not system.was_struck:
                assert error is None
                assert stable_files(output) == self._undisturbed
                return
            self.points += 1
            yield output, error, system
            state = state_of(output)
            if state not in self._seen:
                self._seen.add(state)
                self._score(output)
                assert stable_files(output) == self._undisturbed, system.log[-5:]
            shutil.rmtree(output, ignore_errors=True)

    def _places(self, only):
        """Every operation of a run: those of planning in runs from the start, all others in runs planned before."""
        first = self._folder / "first"
        system = FaultyFileSystem()
        with self._planned:
            self._score(first, storage=LocalStorage(system))
        planning = first_operation_below(first, system.log)
        yield from ((at, nullcontext()) for at in range(1, planning) if only is None)
        yield from ((at, self._planned) for at in itertools.count(1))

    def _score(self, output, **how):
        score(self._inputs, output, self._model, **self._settings, **how)

    def _error_of(self, output, system):
        try:
            self._score(output, storage=LocalStorage(system))
        except (StorageError, ResourceExhausted, Dead) as error:
            return error
        return None


@pytest.fixture
def campaign(inputs, model, undisturbed, tmp_path):
    """A run with an empty output folder."""
    return Campaign(inputs, model, undisturbed, tmp_path)


def test_every_operation_fails_once_with_an_error(campaign, undisturbed, figure):
    """The run ends with one line that names a file, or completes with the same bytes; a second run completes."""
    ended = 0
    for output, error, system in campaign.strike_all(with_error()):
        assert_promises_hold(output, undisturbed)
        if error is None:
            # Only the removal of the parts, after everything else, may fail silently.
            assert stable_files(output).items() >= undisturbed.items(), system.log[-5:]
            continue
        ended += 1
        assert isinstance(error, StorageError)
        assert re.fullmatch(r"/[^\n]+: Input/output error", str(error)), error
        operation, path = system.log[-1]
        assert operation == "unlink" or not [each for each in files_below(output) if is_temporary(each)], (
            operation,
            path,
        )
    figure(f"{campaign.points} operations failed, {ended} of which ended the run; nothing was lost")
    assert campaign.points > 150


def test_every_operation_is_the_last_before_the_process_dies(campaign, undisturbed, figure):
    """Wherever the process stops, all files under their final names are whole; a second run completes."""
    for output, error, _ in campaign.strike_all(die):
        assert isinstance(error, Dead)
        assert_promises_hold(output, undisturbed)
    figure(f"{campaign.points} deaths; nothing was lost")
    assert campaign.points > 150


def test_every_write_is_short_once(campaign, undisturbed, figure):
    """A write that takes half of its bytes is continued."""
    for output, error, _ in campaign.strike_all(nothing, only="write"):
        assert error is None
        assert stable_files(output) == undisturbed
    figure(f"{campaign.points} short writes; nothing was lost")
    assert campaign.points > 10


@pytest.mark.parametrize("fault", [with_error(), die], ids=["error", "death"])
def test_every_operation_fails_while_other_output_is_replaced(inputs, tmp_path, tmp_path_factory, model, fault, figure):
    """With --overwrite the old output is whole or has no `_SUCCESS`; files of two runs are never taken for one."""
    other = tmp_path_factory.mktemp("other")
    score(inputs / "sub", other / "out", write_model(other / "model", seed=5))
    score(inputs / "bad.csv", other / "new", model, part_bytes=PART_BYTES)
    old, new = stable_files(other / "out"), stable_files(other / "new")
    campaign = Campaign(inputs / "bad.csv", model, new, tmp_path, is_overwriting=True)
    for output, _, _ in campaign.strike_all(fault, before=lambda output: shutil.copytree(other / "out", output)):
        found = stable_files(output)
        if "_SUCCESS" in found:
            whole = old if found["_SUCCESS"] == old["_SUCCESS"] else new
            assert found.items() >= whole.items()
    figure(f"{campaign.points} operations failed while output was replaced; nothing was mixed")


@pytest.mark.parametrize("fault", [with_error(), die], ids=["error", "death"])
def test_every_operation_fails_while_a_finished_run_is_repaired(campaign, inputs, tmp_path, model, fault, figure):
    """A file was missing. Whatever happens, the next run repairs the rest: no run is refused, and none is lost."""
    finished = tmp_path / "finished"
    score(inputs, finished, model, part_bytes=PART_BYTES)
    (finished / "predictions/sub/plain.csv").unlink()
    for output, _, _ in campaign.strike_all(fault, before=lambda output: shutil.copytree(finished, output)):
        assert (output / "_SUCCESS").exists() or (output / "_parts/run.json").exists()
    figure(f"{campaign.points} operations failed while a finished run was repaired; nothing was lost")


@pytest.mark.parametrize("fault", [with_error(), die], ids=["error", "death"])
def test_every_operation_fails_while_a_run_passes_looser_gates(campaign, inputs, tmp_path, model, fault, figure):
    """It had fallen short of others: never has it `_SUCCESS` beside `_FAILED`."""
    with pytest.raises(RunFellShort):
        score(inputs, tmp_path / "short", model, part_bytes=PART_BYTES, gates=Gates(max_warnings=0))
    for output, _, _ in campaign.strike_all(fault, before=lambda output: shutil.copytree(tmp_path / "short", output)):
        assert not ((output / "_SUCCESS").exists() and (output / "_FAILED").exists())
    figure(f"{campaign.points} operations failed while looser gates were passed; nothing was lost")


class WithoutExchange(FaultyFileSystem):
    """A file system that cannot exchange two names."""

    def exchange(self, _one, other):
        self.count("exchange", other)
        return False


@pytest.mark.parametrize("system_class", [FaultyFileSystem, WithoutExchange], ids=["exchange", "two steps"])
@pytest.mark.parametrize("fault", [with_error(), die], ids=["error", "death"])
def test_a_model_is_replaced_whole_or_not_at_all(tmp_path, system_class, fault, figure):
    """Whatever fails, the old or the new model can be opened, and none is lost."""
    old, new = (write_model(tmp_path / name, seed=seed) for name, seed in (("old", 1), ("new", 2)))
    digests = {open_bundle(LocalStorage(), str(each)).digest for each in (old, new)}
    for at in itertools.count(1):
        folder = tmp_path / f"{at}"
        shutil.copytree(old, folder / "model")
        shutil.copytree(new, folder / "staging")
        system = system_class(fault, at)
        try:
            LocalStorage(system).commit_folder(str(folder / "staging"), str(folder / "model"))
        except (StorageError, Dead):
            assert system.was_struck
        bundles = [open_bundle(LocalStorage(), str(each.parent)).digest for each in folder.glob("**/model.json")]
        is_between_two_steps = system_class is WithoutExchange and fault is die and not (folder / "model").exists()
        assert set(bundles) == digests if is_between_two_steps else (folder / "model/model.json").exists()
        if not system.was_struck:
            break
    assert [path.name for path in folder.iterdir()] == ["model"]
    assert open_bundle(LocalStorage(), str(folder / "model")).digest == open_bundle(LocalStorage(), str(new)).digest
    figure(f"{at - 1} operations failed while a model was replaced")
