"""Every operation on a file fails once, in turn, and nothing is lost. Nothing is sampled; SQLite is tested like this.

A small complete run (two CSV files, one of them with bad records, and a Parquet file, in several parts) is repeated
with its 1st, 2nd, 3rd ... operation failing, until one run finishes undisturbed.
"""

import itertools
import re
import shutil
from contextlib import nullcontext
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die, first_operation_below, nothing, with_error
from support.files import csv_text, make_digits, write_csv
from support.models import write_model
from support.power_cut import SURVIVALS, PowerCut
from support.runs import (
    PlannedOnce,
    SilentObserver,
    files_below,
    is_temporary,
    results_among,
    score,
    stable,
    stable_files,
    state_of,
    write_files,
)

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


def assert_promises_hold(files, undisturbed):
    """Every file under its final name is whole, and `_SUCCESS` exists only beside all others."""
    found = results_among(stable(files))
    assert not [path for path in found if is_temporary(path)]
    assert found.items() <= undisturbed.items()
    assert "_SUCCESS" not in found or found == undisturbed


class CommitObserver(SilentObserver):
    """Collects the names of the parts that a run says are committed."""

    def __init__(self):
        self.parts = set()

    def committed(self, part):
        self.parts.add(f"_parts/{part.index:06}.arrow")


class Campaign:
    """A run that is repeated with one operation after the other failing.

    points: how many have failed. committed: the names of the parts that the last failed run said were committed.
    """

    def __init__(self, inputs, model, undisturbed, folder, **settings):
        self._inputs, self._model, self._undisturbed, self._folder = inputs, model, undisturbed, folder
        self._output = folder / "run/out"
        self._output.parent.mkdir()
        self._settings = {"part_bytes": PART_BYTES, "threads": 1, **settings}
        self._planned = PlannedOnce()
        self._seen = set()
        self.points = 0

    def strike_all(self, fault, *, only=None, before=lambda _output: None, system_class=FaultyFileSystem):
        """Yields (output folder, error or None, file system) after each point; then runs again and compares.

        before: prepares the output folder.
        """
        for at, planned in self._places(only):
            before(self._output)
            system = system_class(fault, at, only=only)
            with planned:
                error = self._error_of(system)
            if not system.was_struck:
                assert error is None
                assert stable_files(self._output) == self._undisturbed
                return
            self.points += 1
            yield self._output, error, system
            self._finish(state_of(files_below(self._output)), system)
            shutil.rmtree(self._output, ignore_errors=True)

    def strike_power(self, **how):
        """Yields (files that a power cut leaves of the output, file system) after each point; then as `strike_all`.

        Each combination of unsynced changes that survives is a point of its own.
        """
        system_class = partial(PowerCut, self._output.parent)
        for output, _, system in self.strike_all(die, system_class=system_class, **how):
            for survival in SURVIVALS:
                files = system.left(output, survival)
                yield files, system
                if state_of(files) not in self._seen:
                    shutil.rmtree(output, ignore_errors=True)
                    write_files(output, files)
                    self._finish(state_of(files), system)

    def _finish(self, state, system):
        """Run again and compare; skipped if an earlier point left the same files: it depends on nothing else."""
        if state not in self._seen:
            self._seen.add(state)
            self._score(self._output)
            assert stable_files(self._output) == self._undisturbed, system.log[-5:]

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

    def _error_of(self, system):
        observer = CommitObserver()
        self.committed = observer.parts
        try:
            self._score(self._output, storage=LocalStorage(system), observer=observer)
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
        assert_promises_hold(files_below(output), undisturbed)
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
        assert_promises_hold(files_below(output), undisturbed)
    figure(f"{campaign.points} deaths; nothing was lost")
    assert campaign.points > 150


def test_a_run_of_new_inputs_dies_at_every_operation(inputs, model, tmp_path, figure):
    """Also while it lists the inputs that it has chosen: the second run completes with the same ones."""
    score(inputs / "bad.csv", tmp_path / "done/1", model)
    settings = {"skip_done": (str(tmp_path / "done"),)}
    score(inputs, tmp_path / "undisturbed", model, part_bytes=PART_BYTES, **settings)
    undisturbed = stable_files(tmp_path / "undisturbed")
    campaign = Campaign(inputs, model, undisturbed, tmp_path, **settings)
    for output, error, _ in campaign.strike_all(die):
        assert isinstance(error, Dead)
        assert_promises_hold(files_below(output), undisturbed)
    figure(f"{campaign.points} deaths; each run kept its inputs")
    assert campaign.points > 150


def test_every_write_is_short_once(campaign, undisturbed, figure):
    """A write that takes half of its bytes is continued."""
    for output, error, _ in campaign.strike_all(nothing, only="write"):
        assert error is None
        assert stable_files(output) == undisturbed
    figure(f"{campaign.points} short writes; nothing was lost")
    assert campaign.points > 10


def test_every_operation_is_the_last_before_the_power_is_cut(campaign, undisturbed, figure):
    """Whatever was not synced may be lost: files are whole, committed parts are there; a second run completes."""
    for files, system in campaign.strike_power():
        assert_promises_hold(files, undisturbed)
        assert "_SUCCESS" in files or campaign.committed <= files.keys(), system.log[-5:]
    figure(f"the power was cut at {campaign.points} operations, in {len(SURVIVALS)} ways each; nothing was lost")
    assert campaign.points > 150


def test_the_power_is_cut_after_a_run(inputs, model, tmp_path, undisturbed):
    """A run that has ended well has ended well."""
    system = PowerCut(tmp_path)
    score(inputs, tmp_path / "out", model, part_bytes=PART_BYTES, storage=LocalStorage(system))
    for survival in SURVIVALS:
        files = system.left(tmp_path / "out", survival)
        assert_promises_hold(files, undisturbed)
        assert "_SUCCESS" in files


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


def test_the_power_is_cut_while_other_output_is_replaced(inputs, tmp_path, tmp_path_factory, model, figure):
    """With --overwrite the old output is whole or has no `_SUCCESS`, whatever was not synced."""
    other = tmp_path_factory.mktemp("other")
    score(inputs / "sub", other / "out", write_model(other / "model", seed=5))
    score(inputs / "bad.csv", other / "new", model, part_bytes=PART_BYTES)
    old, new = files_below(other / "out"), stable_files(other / "new")
    campaign = Campaign(inputs / "bad.csv", model, new, tmp_path, is_overwriting=True)
    for files, system in campaign.strike_power(before=lambda output: write_files(output, old)):
        if "_SUCCESS" in files:
            found, whole = stable(files), stable(old) if files["_SUCCESS"] == old["_SUCCESS"] else new
            assert found.items() >= whole.items(), system.log[-5:]
    figure(f"the power was cut at {campaign.points} operations while output was replaced; nothing was mixed")


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


class PowerCutWithoutExchange(PowerCut):
    """The same of one that cannot exchange two names."""

    def exchange(self, _one, other):
        self.count("exchange", other)
        return False


def _copy(system, source, target):
    """Copy a folder without any sync."""
    system.make_folder(str(target))
    for path in source.iterdir():
        if path.is_dir():
            _copy(system, path, target / path.name)
        else:
            with system.create(str(target / path.name)) as file:
                file.write(path.read_bytes())


def _cut_power(folder, old, new, system_class, commit, figure):
    """Cut the power at each operation of `commit`, which replaces the model `old` by `new`; yields what is left.

    The new one was written to a staging folder and never synced. Yields the files in `folder` and whether it had ended.
    """
    for at in itertools.count(1):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder / "model")
        system = system_class(folder)
        _copy(system, new, folder / ".staging")
        system.begin(die, at)
        try:
            commit(LocalStorage(system), str(folder / ".staging"), str(folder / "model"))
        except Dead:
            assert system.was_struck
        for survival in SURVIVALS:
            yield system.left(folder, survival), not system.was_struck
        if not system.was_struck:
            break
    figure(f"the power was cut at {at - 1} operations while a model was replaced")


@pytest.mark.parametrize("system_class", [PowerCut, PowerCutWithoutExchange], ids=["exchange", "two steps"])
def test_the_power_is_cut_while_a_model_is_replaced(tmp_path, system_class, figure):
    """The old or the new model is there, whole, whatever was not synced; the new one once it has been reported."""
    old, new = (write_model(tmp_path / name, seed=seed) for name, seed in (("old", 1), ("new", 2)))
    (new / "deep/.hidden").mkdir(parents=True)
    (new / "deep/.hidden/_file").write_bytes(b"in a folder of a folder")
    wholes = [files_below(each) for each in (old, new)]
    for files, is_done in _cut_power(tmp_path / "run", old, new, system_class, LocalStorage.commit_folder, figure):
        found = [_below(files, name) for name in {path.partition("/")[0] for path in files}]
        assert any(whole in found for whole in wholes)
        assert _below(files, "model") in ([wholes[1]] if is_done else [*wholes, {}])


def test_the_power_is_cut_while_a_model_is_replaced_file_by_file(tmp_path, figure):
    """Once the next training has looked at the folder, it holds the old model or the new one, whole."""
    old, new = (write_model(tmp_path / name, seed=seed) for name, seed in (("old", 1), ("new", 2)))
    how = {"last": "model.json", "names": {*files_below(old), *files_below(new)}}
    wholes = [files_below(each) for each in (old, new)]
    commit = partial(LocalStorage.commit_files, **how)
    for files, is_done in _cut_power(tmp_path / "run", old, new, PowerCut, commit, figure):
        shutil.rmtree(tmp_path / "left", ignore_errors=True)
        write_files(tmp_path / "left", files)
        LocalStorage().recover_files(str(tmp_path / "left/model"), **how)
        found = files_below(tmp_path / "left/model")
        model = {path: content for path, content in found.items() if not path.startswith(".")}
        assert model in ([wholes[1]] if is_done else wholes)


def _below(files, folder):
    """Of files by their relative path, those in a folder, by their path in it."""
    return {
        path.removeprefix(f"{folder}/"): content for path, content in files.items() if path.startswith(f"{folder}/")
    }
