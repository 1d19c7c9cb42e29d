"""Two runs with one output folder, where one happens between any two operations of the other.

The other run happens from start to end right before the 1st, 2nd, 3rd ... operation of the first one on the folder,
until a run ends undisturbed. Nothing is sampled. The folder then contains the whole output of one run, or no
`_SUCCESS`.
"""

import itertools
import shutil
from contextlib import nullcontext

import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die, first_operation_below
from support.files import csv_lines, make_digits, write_csv
from support.runs import PlannedOnce, files_below, score, stable_files, state_of

from job.errors import OutputOccupied, StorageError
from job.storage import LocalStorage

pytestmark = pytest.mark.usefixtures("_repeated_runs")

FAILURES = (OutputOccupied, StorageError)


class Run:
    """A run that can be repeated, without planning it again.

    expected: the files that it writes if undisturbed. planning, all: the numbers of its operations for planning, and
    after it.
    """

    def __init__(self, folder, inputs, model, **settings):
        self._inputs, self._model, self._settings = inputs, model, {"threads": 1, **settings}
        self._planned = PlannedOnce()
        system = FaultyFileSystem()
        self.into(folder, storage=LocalStorage(system))
        self.expected = stable_files(folder)
        self.planning = first_operation_below(folder, system.log) - 1
        self.all = len(system.log) - self.planning

    def into(self, output, *, is_planned=True, **how):
        """Run with this output folder. is_planned: without planning again."""
        with self._planned if is_planned else nullcontext():
            return score(self._inputs, output, self._model, **{**self._settings, **how})

    def finishes(self, output, seen):
        """Run again with --overwrite, unless it did so on the same files before: it ends well."""
        state = state_of(files_below(output))
        if state not in seen:
            seen.add(state)
            self.into(output, is_overwriting=True)
            assert stable_files(output) == self.expected

    def dies_in(self, output, at, **how):
        """Run with this output folder, as a process that dies at its nth operation after planning."""
        with pytest.raises(Dead):
            self.into(output, storage=LocalStorage(FaultyFileSystem(die, at)), **how)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, model):
    """Two runs over the same file, with a rejected record; the other writes probabilities, and reads a second file."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("one", "other"):
        (folder / name).mkdir()
    (folder / "one/both.csv").write_text("\n".join([*csv_lines(make_digits(2)), "1,2,3", ""]))
    shutil.copy2(folder / "one/both.csv", folder / "other/both.csv")
    write_csv(folder / "other/other.csv", make_digits(1), has_header=False)
    return (
        Run(folder / "one.out", folder / "one", model),
        Run(folder / "other.out", folder / "other", model, has_probabilities=True),
    )


@pytest.fixture
def disturbed(tmp_path, figure):
    """Repeats a run and calls `act` before one operation after the other; yields the error of each run, or None.

    The first is the last operation of planning. The output folder is `out`. happens: what `act` does, for the figure.
    before: prepares the output folder.
    """

    def repeat(run, act, happens, before=lambda _output: None, **how):
        output = tmp_path / "out"
        for at in itertools.count(0):
            before(output)
            system = FaultyFileSystem(act, at or run.planning)
            error = None
            try:
                run.into(output, storage=LocalStorage(system), is_planned=at > 0, **how)
            except FAILURES as found:
                error = found
            if not system.was_struck:
                assert stable_files(output) == run.expected
                figure(f"{happens} at {at} moments of a run; nothing was mixed")
                return
            yield error
            shutil.rmtree(output, ignore_errors=True)

    return repeat


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out"


def test_an_identical_run_happens_meanwhile(runs, output, disturbed):
    """Both end well, and the output is that of one."""
    one, _ = runs
    for error in disturbed(one, lambda: one.into(output), "an identical run happened"):
        assert error is None
        assert stable_files(output) == one.expected


def test_a_different_run_happens_meanwhile(runs, output, disturbed):
    """The second to claim the folder is refused, or told to try again; the other is not disturbed."""
    one, other = runs
    refused = []

    def happens():
        try:
            other.into(output)
        except OutputOccupied:
            refused.append(True)

    for error in disturbed(one, happens, "a different run happened"):
        assert isinstance(error, FAILURES) == (not refused), error
        assert stable_files(output) == (one if refused else other).expected
        refused.clear()


def test_a_run_that_overwrites_happens_meanwhile(runs, output, disturbed):
    """A run that was wrongly thought dead commits nothing among the files of the run that replaced it."""
    one, other = runs
    for error in disturbed(one, lambda: other.into(output, is_overwriting=True), "another run took the folder"):
        assert error is None or isinstance(error, FAILURES)
        assert stable_files(output) == other.expected


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_run_that_overwrites_begins_meanwhile_and_dies(runs, output, disturbed, share):
    """The parts and files of the two are never taken for those of one run."""
    one, other = runs
    seen = set()
    at = int(share * other.all)
    for _ in disturbed(
        one, lambda: other.dies_in(output, at, is_overwriting=True), f"another run died after {share:.0%} of its work"
    ):
        found = stable_files(output)
        assert "_SUCCESS" not in found
        other.finishes(output, seen)


def test_both_runs_overwrite_other_output(runs, tmp_path, output, disturbed, model):
    """Either may win, or be told that it lost; a folder with `_SUCCESS` is the whole output of one."""
    one, other = runs
    write_csv(tmp_path / "old.csv", make_digits(2))
    Run(tmp_path / "old", tmp_path / "old.csv", model)
    seen = set()
    for error in disturbed(
        one,
        lambda: other.into(output, is_overwriting=True),
        "both runs overwrote",
        before=lambda output: shutil.copytree(tmp_path / "old", output),
        is_overwriting=True,
    ):
        found = stable_files(output)
        if error is None:
            assert found in (one.expected, other.expected)
        else:
            assert "_SUCCESS" not in found or found == other.expected
        one.finishes(output, seen)
