"""Shards share only the output folder. Whatever happens to one of them, the output is that of a single run."""

import itertools
import os
import shutil
import signal

import pytest
from support.command import start, start_signalled
from support.faulty_file_system import Dead, FaultyFileSystem, die
from support.files import csv_lines, csv_text, make_digits, write_csv, write_parquet
from support.models import write_dense_model, write_model
from support.outcome import call
from support.runs import files_below, score, stable_files

from job.compiled import machine_code
from job.errors import OutputOccupied, StorageError
from job.settings import Shard
from job.storage import LocalStorage

pytestmark = pytest.mark.usefixtures("_repeated_runs")

PATIENCE_S = 300
COUNT = 4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A CSV and a Parquet file of about thirty parts, with records to reject."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(600)
    (folder / "long.csv").write_text(csv_text(digits, has_header=False).replace("\n", "\n1,2,3\n", 5))
    write_parquet(folder / "long.parquet", digits[:300], row_group_size=50)
    return folder


def shard(index, count=COUNT):
    """The flags of a shard."""
    return ["--shard-index", str(index), "--shard-count", str(count)]


def ended_well(processes):
    """The standard output of each process; all must end with 0."""
    ends = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends
    return [stdout for stdout, _ in ends]


def test_shards_at_once_of_which_one_is_killed_and_started_again(arguments, output, tmp_path, undisturbed, capfd):
    """Of four processes the others end well; once the killed one runs again, the output is that of a single run."""
    killed = start_signalled(signal.SIGKILL, 3, tmp_path / "when", *arguments, *shard(2))
    others = [start(*arguments, *shard(index)) for index in (0, 1, 3)]
    outputs = ended_well(others)
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    assert all("missing; the shard that commits the last one" in each for each in outputs)
    assert not (output / "_SUCCESS").exists()
    assert not (output / "predictions").exists()
    again = call(capfd, *arguments, *shard(2))
    assert "Scored 905 of 905" not in again.stdout
    assert "Scored 900 of 905 records" in again.stdout
    assert stable_files(output) == undisturbed


def test_shards_at_once_gather_once_or_twice(arguments, output, undisturbed):
    """Whichever finds all parts gathers; that two may do so at once changes nothing."""
    outputs = ended_well([start(*arguments, *shard(index)) for index in range(COUNT)])
    assert any("Predictions:" in each for each in outputs)
    assert stable_files(output) == undisturbed


def test_a_shard_that_runs_twice_at_once_or_late_changes_nothing(arguments, output, undisturbed, capfd):
    """Like a pod that Kubernetes restarts although it lives, or one that starts when all is done."""
    ended_well([start(*arguments, *shard(0, 2)), start(*arguments, *shard(0, 2))])
    assert "0 records" in call(capfd, *arguments, *shard(0, 2)).stdout
    assert call(capfd, *arguments, *shard(1, 2)).returncode == 0
    before = files_below(output)
    assert "Already scored" in call(capfd, *arguments, *shard(0, 2)).stdout
    assert files_below(output) == before
    assert stable_files(output) == undisturbed


def test_kubernetes_sets_the_index_of_a_shard(arguments, output, undisturbed, capfd):
    """By the variable of an Indexed Job, if the number of shards is given."""
    for index in range(3):
        result = call(capfd, *arguments, JOB_COMPLETION_INDEX=str(index), DIGIT_JOB_SHARD_COUNT="3")
        assert result.returncode == 0, result.stderr
        assert (output / "_SUCCESS").exists() == (index == 2)
    assert stable_files(output) == undisturbed


def test_a_run_without_shards_finishes_a_run_of_shards(arguments, inputs, model, output, undisturbed, capfd):
    """It takes the committed parts, and so does another number of shards."""
    score(inputs, output, model, shard=Shard(0, 3), part_bytes=40_000)
    score(inputs, output, model, shard=Shard(0, 2), part_bytes=40_000)
    result = call(capfd, *arguments)
    assert result.returncode == 0, result.stderr
    assert "resuming" in result.stderr
    assert stable_files(output) == undisturbed


def test_more_shards_than_parts(tmp_path, model):
    """A shard without parts ends well; if it comes last, it gathers."""
    source = write_csv(tmp_path / "few.csv", make_digits(2))
    score(source, tmp_path / "single", model)
    assert score(source, tmp_path / "out", model, shard=Shard(4, 5)).missing == 1
    assert score(source, tmp_path / "out", model, shard=Shard(0, 5)).missing == 0
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "single")


def test_shards_on_two_kinds_of_processors(tmp_path, monkeypatch):
    """Dense layers give the same bytes; of another network, the second kind is refused."""
    source = write_csv(tmp_path / "a.csv", make_digits(40))
    dense, linear = write_dense_model(tmp_path / "dense"), write_model(tmp_path / "linear")
    cut = {"part_bytes": 4096, "threads": 1}
    score(source, tmp_path / "single", dense)
    score(source, tmp_path / "out", dense, shard=Shard(0, 2), **cut)
    score(source, tmp_path / "refused", linear, shard=Shard(0, 2), **cut)
    oldest = machine_code.levels()[-1]
    monkeypatch.setattr(machine_code, "_loaded", {})
    monkeypatch.setattr(machine_code, "_level", lambda: oldest)
    monkeypatch.setattr("job.model.onnx_predictor.processor", lambda: "another")
    score(source, tmp_path / "out", dense, shard=Shard(1, 2), **cut)
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "single")
    with pytest.raises(OutputOccupied, match=r"computed by ONNX Runtime .*, which rounds differently; finish it on a"):
        score(source, tmp_path / "refused", linear, shard=Shard(1, 2), **cut)


def test_the_other_shard_happens_between_any_two_operations(tmp_path, model, figure):
    """Before each operation of one shard, in turn, the other runs from start to end: one gathers, or both do."""
    source = tmp_path / "both.csv"
    source.write_text("\n".join([*csv_lines(make_digits(4)), "1,2,3", ""]))
    score(source, tmp_path / "single", model)
    output, cut = tmp_path / "out", {"part_bytes": 4096, "threads": 1}
    for at in itertools.count(1):
        system = FaultyFileSystem(lambda: score(source, output, model, shard=Shard(1, 2), **cut), at)
        score(source, output, model, shard=Shard(0, 2), storage=LocalStorage(system), **cut)
        if not system.was_struck:
            break
        assert stable_files(output) == stable_files(tmp_path / "single")
        shutil.rmtree(output)
    figure(f"another shard happened at {at - 1} moments of a shard; the output was that of a single run")


def test_another_shard_takes_over_and_dies_between_any_two_operations(tmp_path, model, figure):
    """Before each operation of a shard without parts, the other scores all parts and dies while it gathers."""
    source = write_csv(tmp_path / "few.csv", make_digits(2))
    score(source, tmp_path / "single", model)
    output, other = tmp_path / "out", FaultyFileSystem()
    score(source, output, model, shard=Shard(0, 2), storage=LocalStorage(other), threads=1)
    (done,) = [place for place, each in enumerate(other.log, 1) if each == ("rename", f"{output}/report.json")]

    def happens():
        dying = LocalStorage(FaultyFileSystem(die, done + 1))
        with pytest.raises(Dead):
            score(source, output, model, shard=Shard(0, 2), storage=dying, threads=1)

    for at in itertools.count(1):
        shutil.rmtree(output)
        system = FaultyFileSystem(happens, at)
        missing = score(source, output, model, shard=Shard(1, 2), storage=LocalStorage(system), threads=1).missing
        if not system.was_struck:
            break
        if missing:
            assert score(source, output, model, shard=Shard(0, 2)).missing == 0
        assert stable_files(output) == stable_files(tmp_path / "single")
    figure(f"another shard died at {at - 1} moments of a shard; the output was that of a single run")


def test_a_shard_whose_part_is_removed_fails(tmp_path, inputs, model):
    """With an error that can be retried, instead of ending well."""
    output = tmp_path / "out"

    def remove():
        os.unlink(output / "_parts/000000.arrow")

    listing = FaultyFileSystem()
    score(inputs, output, model, shard=Shard(0, 2), storage=LocalStorage(listing), threads=1)
    shutil.rmtree(output)
    (last,) = [place for place, each in enumerate(listing.log, 1) if each == ("names", f"{output}/_parts")][-1:]
    taking = LocalStorage(FaultyFileSystem(remove, last))
    with pytest.raises(StorageError, match="a part was removed"):
        score(inputs, output, model, shard=Shard(0, 2), storage=taking, threads=1)


def test_an_input_that_changes_stops_the_shards_for_good(tmp_path, model):
    """A shard of a new plan is refused, so that the parts of the others are not lost silently."""
    source, output = write_csv(tmp_path / "a.csv", make_digits(100)), tmp_path / "out"
    score(source, output, model, shard=Shard(0, 2), part_bytes=40_000)
    write_csv(source, make_digits(101))
    with pytest.raises(OutputOccupied, match="unfinished run over other inputs"):
        score(source, output, model, shard=Shard(1, 2), part_bytes=40_000)


def test_an_input_that_changes_while_it_is_read_keeps_the_parts_of_other_shards(tmp_path, model):
    """The shard fails, and fails again, instead of starting anew beside shards that have ended."""
    source, output = write_csv(tmp_path / "a.csv", make_digits(100)), tmp_path / "out"
    score(source, output, model, shard=Shard(0, 2), part_bytes=40_000)
    committed = files_below(output)

    def change():
        write_csv(source, make_digits(101))

    reading = FaultyFileSystem()
    shutil.copytree(output, tmp_path / "copy")
    score(source, tmp_path / "copy", model, shard=Shard(1, 2), part_bytes=40_000, storage=LocalStorage(reading))
    opened = [place for place, each in enumerate(reading.log, 1) if each == ("open", str(source))][-1]
    changing = LocalStorage(FaultyFileSystem(change, opened))
    with pytest.raises(StorageError, match="changed"):
        score(source, output, model, shard=Shard(1, 2), part_bytes=40_000, storage=changing, threads=1)
    assert committed.items() <= files_below(output).items()


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (["--shard-index", "0"], {}, "--shard-index needs --shard-count"),
        (["--shard-count", "2"], {}, "--shard-count needs --shard-index"),
        (["--shard-index", "2", "--shard-count", "2"], {}, "expected 0 to 1"),
        ([*shard(0), "--overwrite"], {}, "contradict each other"),
        (["--shard-count", "2"], {"JOB_COMPLETION_INDEX": "one"}, "expected a number from 0"),
        (["--shard-count", "2"], {"JOB_COMPLETION_INDEX": "7"}, "expected 0 to 1"),
    ],
)
def test_incomplete_shard_settings_are_refused(arguments, output, flags, environment, message, capfd):
    """As a usage error in one line, before anything is written."""
    result = call(capfd, *arguments, *flags, **environment)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not output.exists()


def test_an_index_alone_scores_everything(arguments, output, undisturbed, capfd):
    """The pods of an Indexed Job may have inputs of their own, and then give no number of shards."""
    result = call(capfd, *arguments, JOB_COMPLETION_INDEX="3")
    assert result.returncode == 0, result.stderr
    assert stable_files(output) == undisturbed
