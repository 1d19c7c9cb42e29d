"""Shards share an output folder and nothing else; whatever happens to one, the output is a single run's."""

import os
import shutil
import signal

import pytest
from support.command import digit_job, start, start_signalled
from support.faulty_file_system import Dead, FaultyFileSystem, die
from support.files import csv_lines, csv_text, make_digits, write_csv, write_parquet
from support.runs import files_below, score, stable_files

from job.errors import OutputOccupied, StorageError
from job.settings import Shard
from job.storage import LocalStorage

PATIENCE_S = 300
COUNT = 4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A CSV and a Parquet file of some thirty parts in all, with records to reject."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(600)
    (folder / "long.csv").write_text(csv_text(digits, has_header=False).replace("\n", "\n1,2,3\n", 5))
    write_parquet(folder / "long.parquet", digits[:300], row_group_size=50)
    return folder


def shard(index, count=COUNT):
    """The flags of a shard."""
    return ["--shard-index", str(index), "--shard-count", str(count)]


def ended_well(processes):
    """What each process said on standard output; all must end with 0."""
    ends = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends
    return [stdout for stdout, _ in ends]


def test_shards_at_once_of_which_one_is_killed_and_started_again(arguments, output, tmp_path, undisturbed):
    """Four processes, one killed while it works: the others end well; once it runs again, all is as of a single run."""
    killed = start_signalled(signal.SIGKILL, 3, tmp_path / "when", *arguments, *shard(2))
    others = [start(*arguments, *shard(index)) for index in (0, 1, 3)]
    said = ended_well(others)
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    assert all("missing; the shard that commits the last one" in each for each in said)
    assert not (output / "_SUCCESS").exists()
    assert not (output / "predictions").exists()
    (said,) = ended_well([start(*arguments, *shard(2))])
    assert "Scored 905 of 905" not in said
    assert "Scored 900 of 905 records" in said
    assert stable_files(output) == undisturbed


def test_shards_at_once_gather_once_or_twice(arguments, output, undisturbed):
    """Whichever finds all parts there gathers; that several may find so at once changes nothing."""
    said = ended_well([start(*arguments, *shard(index)) for index in range(COUNT)])
    assert any("Predictions:" in each for each in said)
    assert stable_files(output) == undisturbed


def test_a_shard_that_runs_twice_at_once_or_late_changes_nothing(arguments, output, undisturbed):
    """A pod that Kubernetes took for dead and started again does no harm, nor does one that comes when all is done."""
    ended_well([start(*arguments, *shard(0, 2)), start(*arguments, *shard(0, 2))])
    (said,) = ended_well([start(*arguments, *shard(0, 2))])
    assert "0 records" in said
    ended_well([start(*arguments, *shard(1, 2))])
    before = files_below(output)
    (said,) = ended_well([start(*arguments, *shard(0, 2))])
    assert "Already scored" in said
    assert files_below(output) == before
    assert stable_files(output) == undisturbed


def test_kubernetes_says_which_shard_a_pod_is(arguments, output, undisturbed):
    """An Indexed Job's variable is the shard's number, where the number of shards is said, too."""
    for index in range(3):
        result = digit_job(*arguments, JOB_COMPLETION_INDEX=str(index), DIGIT_JOB_SHARD_COUNT="3")
        assert result.returncode == 0, result.stderr
        assert (output / "_SUCCESS").exists() == (index == 2)
    assert stable_files(output) == undisturbed


def test_a_run_without_shards_finishes_what_shards_left(arguments, inputs, model, output, undisturbed):
    """Parts are parts: a single run takes those that shards committed, and so do other numbers of shards."""
    score(inputs, output, model, shard=Shard(0, 3), part_bytes=40_000)
    score(inputs, output, model, shard=Shard(0, 2), part_bytes=40_000)
    result = digit_job(*arguments)
    assert result.returncode == 0, result.stderr
    assert "resuming" in result.stderr
    assert stable_files(output) == undisturbed


def test_more_shards_than_parts(tmp_path, model):
    """A shard whose share is empty ends well; if it comes last, it gathers."""
    source = write_csv(tmp_path / "few.csv", make_digits(2))
    score(source, tmp_path / "single", model)
    assert score(source, tmp_path / "out", model, shard=Shard(4, 5)).missing == 1
    assert score(source, tmp_path / "out", model, shard=Shard(0, 5)).missing == 0
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "single")


def test_the_other_shard_happens_between_any_two_operations(tmp_path, model):
    """Before each operation of one shard, in turn, the other one runs from start to end: one gathers, or both do."""
    source = tmp_path / "both.csv"
    source.write_text("\n".join([*csv_lines(make_digits(4)), "1,2,3", ""]))
    score(source, tmp_path / "single", model)
    output, cut = tmp_path / "out", {"part_bytes": 4096, "threads": 1}
    at = 0
    while True:
        at += 1
        system = FaultyFileSystem(lambda: score(source, output, model, shard=Shard(1, 2), **cut), at)
        score(source, output, model, shard=Shard(0, 2), storage=LocalStorage(system), **cut)
        if not system.was_struck:
            break
        assert stable_files(output) == stable_files(tmp_path / "single")
        shutil.rmtree(output)
    assert at > 50


def test_another_shard_takes_over_and_dies_between_any_two_operations(tmp_path, model):
    """Before each operation of a shard with an empty share, the other scores all and dies as it gathers."""
    source = write_csv(tmp_path / "few.csv", make_digits(2))
    score(source, tmp_path / "single", model)
    output, other = tmp_path / "out", FaultyFileSystem()
    score(source, output, model, shard=Shard(0, 2), storage=LocalStorage(other), threads=1)
    (done,) = [place for place, each in enumerate(other.log, 1) if each == ("rename", f"{output}/report.json")]

    def happens():
        dying = LocalStorage(FaultyFileSystem(die, done + 1))
        with pytest.raises(Dead):
            score(source, output, model, shard=Shard(0, 2), storage=dying, threads=1)

    at = 0
    while True:
        at += 1
        shutil.rmtree(output)
        system = FaultyFileSystem(happens, at)
        missing = score(source, output, model, shard=Shard(1, 2), storage=LocalStorage(system), threads=1).missing
        if not system.was_struck:
            break
        if missing:
            assert score(source, output, model, shard=Shard(0, 2)).missing == 0
        assert stable_files(output) == stable_files(tmp_path / "single")
    assert at > 20


def test_a_shard_whose_part_is_taken_away_does_not_claim_to_be_done(tmp_path, inputs, model):
    """Somebody who removes a committed part makes the shard fail in a way that is tried again."""
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
    """What others have scored of the old content is not thrown away unseen: a shard of a new plan is refused."""
    source, output = write_csv(tmp_path / "a.csv", make_digits(100)), tmp_path / "out"
    score(source, output, model, shard=Shard(0, 2), part_bytes=40_000)
    write_csv(source, make_digits(101))
    with pytest.raises(OutputOccupied, match="unfinished run over other inputs"):
        score(source, output, model, shard=Shard(1, 2), part_bytes=40_000)


def test_an_input_that_changes_while_it_is_read_leaves_the_other_shards_parts(tmp_path, model):
    """The shard that notices fails, and so will its next try, rather than begin anew beside shards that have ended."""
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
    ("flags", "environment", "said"),
    [
        (["--shard-index", "0"], {}, "--shard-index needs --shard-count"),
        (["--shard-count", "2"], {}, "--shard-count needs --shard-index"),
        (["--shard-index", "2", "--shard-count", "2"], {}, "expected 0 to 1"),
        ([*shard(0), "--overwrite"], {}, "contradict each other"),
        (["--shard-count", "2"], {"JOB_COMPLETION_INDEX": "one"}, "expected a number from 0"),
        (["--shard-count", "2"], {"JOB_COMPLETION_INDEX": "7"}, "expected 0 to 1"),
    ],
)
def test_half_a_shard_is_refused(arguments, output, flags, environment, said):
    """What cannot be a shard is wrong usage, told in one line, before anything is written."""
    result = digit_job(*arguments, *flags, DIGIT_JOB_LOG_FORMAT="text", **environment)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not output.exists()


def test_an_index_alone_scores_everything(arguments, output, undisturbed):
    """An Indexed Job whose pods have inputs of their own says no number of shards, and gets none."""
    result = digit_job(*arguments, JOB_COMPLETION_INDEX="3")
    assert result.returncode == 0, result.stderr
    assert stable_files(output) == undisturbed
