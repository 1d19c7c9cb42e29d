"""Two runs on one output folder, of which one comes to life between any two operations of the other.

The other run happens, from its start to its end, right before the 1st, 2nd, 3rd ... operation of the first on the
folder, until that ends untouched: no sampling. What is then to be seen is the whole output of one run, or none that
says it is whole.
"""

import itertools
import shutil

import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die
from support.files import csv_lines, make_digits, write_csv
from support.runs import score, stable_files, state_of

from job.errors import OutputOccupied, StorageError
from job.storage import LocalStorage

FAILURES = (OutputOccupied, StorageError)


class Run:
    """A command that can be run again and again.

    expected: what it leaves where nothing happens. before: its operations before the first on the output folder, all:
    its operations.
    """

    def __init__(self, folder, inputs, model, **settings):
        self._inputs, self._model, self._settings = inputs, model, {"threads": 1, **settings}
        system = FaultyFileSystem()
        self.into(folder, storage=LocalStorage(system))
        self.expected, self.all = stable_files(folder), len(system.log)
        self.before = next(place for place, (_, path) in enumerate(system.log) if path.startswith(f"{folder}"))

    def into(self, output, **how):
        """Run into a folder."""
        return score(self._inputs, output, self._model, **{**self._settings, **how})

    def finishes(self, output, seen):
        """Run again, with --overwrite, on a state of the folder that was not seen yet: it ends well."""
        state = state_of(output)
        if state not in seen:
            seen.add(state)
            self.into(output, is_overwriting=True)
            assert stable_files(output) == self.expected

    def dies_in(self, output, at, **how):
        """Run into a folder, as a process that stops at its nth operation."""
        with pytest.raises(Dead):
            self.into(output, storage=LocalStorage(FaultyFileSystem(die, at)), **how)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, model):
    """Two runs that read the same file and reject a record of it; the other says more of it, and reads a second."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("one", "other"):
        (folder / name).mkdir()
    (folder / "one/both.csv").write_text("\n".join([*csv_lines(make_digits(2)), "1,2,3", ""]))
    shutil.copy2(folder / "one/both.csv", folder / "other/both.csv")
    write_csv(folder / "other/other.csv", make_digits(1))
    return (
        Run(folder / "one.out", folder / "one", model),
        Run(folder / "other.out", folder / "other", model, has_probabilities=True),
    )


def struck(run, output, act, before=lambda _output: None, **how):
    """Yields how a run ended, None where well, for each operation before which something happened."""
    for at in itertools.count(run.before):
        before(output)
        system = FaultyFileSystem(act, at)
        error = None
        try:
            run.into(output, storage=LocalStorage(system), **how)
        except FAILURES as found:
            error = found
        if not system.was_struck:
            assert stable_files(output) == run.expected
            return
        yield error
        shutil.rmtree(output, ignore_errors=True)


def test_an_identical_run_happens_meanwhile(runs, tmp_path):
    """Both end well, and the output is that of one."""
    one, _ = runs
    points = 0
    for error in struck(one, tmp_path / "out", lambda: one.into(tmp_path / "out")):
        points += 1
        assert error is None
        assert stable_files(tmp_path / "out") == one.expected
    assert points > 50


def test_a_different_run_happens_meanwhile(runs, tmp_path):
    """The second to claim the folder is refused, or told to try again; the other is not disturbed."""
    one, other = runs
    refused = []

    def happens():
        try:
            other.into(tmp_path / "out")
        except OutputOccupied:
            refused.append(True)

    for error in struck(one, tmp_path / "out", happens):
        assert isinstance(error, FAILURES) == (not refused), error
        assert stable_files(tmp_path / "out") == (one if refused else other).expected
        refused.clear()


def test_a_run_that_overwrites_happens_meanwhile(runs, tmp_path, figure):
    """A run that was thought dead, and was not, puts nothing among the files of the one that took its folder."""
    one, other = runs
    points = 0
    for error in struck(one, tmp_path / "out", lambda: other.into(tmp_path / "out", is_overwriting=True)):
        points += 1
        assert error is None or isinstance(error, FAILURES)
        assert stable_files(tmp_path / "out") == other.expected
    figure(f"another run took the folder at {points} moments; nothing was mixed")


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_run_that_overwrites_begins_meanwhile_and_dies(runs, tmp_path, share):
    """Neither its parts nor its files are taken for those of the run whose folder it took, nor the other way round."""
    one, other = runs
    seen = set()
    at = int(other.before + share * (other.all - other.before))
    for _ in struck(one, tmp_path / "out", lambda: other.dies_in(tmp_path / "out", at, is_overwriting=True)):
        found = stable_files(tmp_path / "out")
        assert "_SUCCESS" not in found
        other.finishes(tmp_path / "out", seen)


def test_both_overwrite_what_is_there(runs, tmp_path, model):
    """Each may win, or be told that it lost; what says that it is whole is the whole of one of them."""
    one, other = runs
    write_csv(tmp_path / "old.csv", make_digits(2))
    Run(tmp_path / "old", tmp_path / "old.csv", model)
    seen = set()
    for error in struck(
        one,
        tmp_path / "out",
        lambda: other.into(tmp_path / "out", is_overwriting=True),
        before=lambda output: shutil.copytree(tmp_path / "old", output),
        is_overwriting=True,
    ):
        found = stable_files(tmp_path / "out")
        if error is None:
            assert found in (one.expected, other.expected)
        else:
            assert "_SUCCESS" not in found or found == other.expected
        one.finishes(tmp_path / "out", seen)
