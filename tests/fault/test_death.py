"""A run may die at any moment; the same command run again finishes it, and nobody can tell."""

import resource
import shutil
import signal
import time

import pytest
from support.command import digit_job, start
from support.files import csv_text, make_digits, write_parquet
from support.runs import files_below, stable_files


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A CSV and a Parquet file that keep one thread busy for a second or two."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(1000)
    text = csv_text(digits, has_header=False)
    (folder / "long.csv").write_text(text.replace("\n", "\n1,2,3\n", 5) * 15)
    write_parquet(folder / "long.parquet", digits, row_group_size=50)
    return folder


@pytest.fixture
def arguments(inputs, model, tmp_path):
    """The command under attack."""
    return [
        "score", "--input", inputs, "--output", tmp_path / "out", "--model", model,
        "--part-bytes", "100000", "--threads", "2", "--max-rejects", "100%",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(inputs, model, tmp_path_factory):
    """What the command leaves when nothing happens to it."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    result = digit_job("score", "--input", inputs, "--output", output, "--model", model, "--max-rejects", "100%")
    assert result.returncode == 0, result.stderr
    return stable_files(output)


def parts_in(output):
    """The committed parts of an unfinished run."""
    return sorted(output.glob("_parts/*.arrow"))


def wait_for_parts(process, output, count):
    """Until so many parts are committed."""
    deadline = time.monotonic() + 60
    while len(parts_in(output)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("parts", [1, 30, 100])
def test_a_killed_run_is_finished_by_the_same_command(arguments, tmp_path, undisturbed, parts):
    """After kill -9 nothing half-done is visible; the next run keeps what is committed and ends with the same bytes."""
    output = tmp_path / "out"
    process = start(*arguments)
    wait_for_parts(process, output, parts)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (output / "_SUCCESS").exists()
    assert not (output / "predictions").exists()
    committed = len(parts_in(output))
    result = digit_job(*arguments)
    assert result.returncode == 0, result.stderr
    assert f"resuming, {committed} of " in result.stderr
    assert stable_files(output) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_leaves_in_good_order(arguments, tmp_path, undisturbed, number, code):
    """A signal ends the run within two seconds, with its exit code and no temporary file; it can be resumed."""
    output = tmp_path / "out"
    process = start(*arguments)
    wait_for_parts(process, output, 5)
    process.send_signal(number)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=10)
    assert time.monotonic() - started < 2
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert not [path for path in files_below(output) if path.endswith(".tmp")]
    assert digit_job(*arguments).returncode == 0
    assert stable_files(output) == undisturbed


def test_what_a_kill_leaves_behind_goes_away(arguments, tmp_path, undisturbed):
    """A temporary file of a killed run does not outlive the run that finishes."""
    output = tmp_path / "out"
    process = start(*arguments)
    wait_for_parts(process, output, 3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (output / "_parts/.000099.arrow.0123.tmp").write_bytes(b"half a part")
    assert digit_job(*arguments).returncode == 0
    assert stable_files(output) == undisturbed


def test_a_run_killed_before_tidying_up_is_done(arguments, tmp_path, undisturbed):
    """Parts that remain beside _SUCCESS are removed by the next run, which has nothing else to do."""
    output = tmp_path / "out"
    assert digit_job(*arguments).returncode == 0
    (output / "_parts").mkdir()
    (output / "_parts/000000.arrow").write_bytes(b"left over")
    result = digit_job(*arguments)
    assert "nothing to do" in result.stdout
    assert stable_files(output) == undisturbed


def test_two_identical_runs_at_once_both_end_well(arguments, tmp_path, undisturbed):
    """Two processes that score the same into the same folder do not harm each other."""
    first, second = start(*arguments), start(*arguments)
    errors = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert stable_files(tmp_path / "out") == undisturbed


def test_two_different_runs_at_once_are_not_mixed(arguments, tmp_path, undisturbed):
    """Of two processes that score differently into the same folder, one is refused and the other is not disturbed."""
    first, second = start(*arguments), start(*arguments, "--probabilities")
    errors = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert sorted((first.returncode, second.returncode)) == [0, 73], errors
    found = stable_files(tmp_path / "out")
    assert found.keys() == undisturbed.keys()
    assert (found == undisturbed) == (first.returncode == 0)


def test_two_runs_that_overwrite_at_once_leave_one_run_or_none(arguments, tmp_path, undisturbed, inputs, model):
    """Both may end well, or one may be in the other's way and say so; never is old or other output left behind."""
    output = tmp_path / "out"
    other = digit_job("score", "--input", inputs / "long.parquet", "--output", output, "--model", model)
    assert other.returncode == 0, other.stderr
    processes = [start(*arguments, "--overwrite") for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert {process.returncode for process in processes} <= {0, 73, 74}, errors
    assert not any("Traceback" in error for error in errors), errors
    result = digit_job(*arguments)
    assert result.returncode == 0, result.stderr
    assert stable_files(output) == undisturbed


def limited(mebibytes):
    """What a process does first, to have no more address space than that."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


# What the C library ends a process with that finds no memory for a thread's variables.
KILLED_BY_THE_LOADER = 127


def test_a_run_out_of_memory_says_so_and_is_finished_by_the_same_command(arguments, tmp_path, undisturbed):
    """Under a limit that is too low the run ends with 75, or is ended by a library that cannot go on; nothing is lost.

    From a limit that Python alone starts with, in small steps, to one that is enough.
    """
    output = tmp_path / "out"
    codes = []
    for mebibytes in range(360, 2400, 40):
        process = start(*arguments, preexec_fn=limited(mebibytes))
        _, stderr = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert process.returncode in {0, 75, -signal.SIGABRT, -signal.SIGSEGV, KILLED_BY_THE_LOADER}, stderr
        if process.returncode == 0:
            break
        assert "Traceback" not in stderr
        assert "memory" in stderr or process.returncode != 75
        assert not (output / "_SUCCESS").exists()
    assert 75 in codes
    assert codes[-1] == 0, codes
    assert stable_files(output) == undisturbed


@pytest.mark.soak
def test_thirty_kills_at_any_moment(arguments, tmp_path, undisturbed, figure):
    """Killed at moments spread over the whole of a run, from its start to its end, and started again each time."""
    output = tmp_path / "out"
    started = time.monotonic()
    assert digit_job(*arguments).returncode == 0
    seconds = time.monotonic() - started
    kills = finished = 0
    while kills < 40:
        if finished or not kills % 4:
            shutil.rmtree(output, ignore_errors=True)
        process = start(*arguments)
        time.sleep(seconds * (kills % 20 + 1) / 21)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finished = process.returncode == 0
        kills += not finished
        found = stable_files(output) if output.exists() else {}
        whole = {path: content for path, content in found.items() if not path.startswith("_parts/")}
        assert whole.items() <= undisturbed.items()
        assert "_SUCCESS" not in whole or whole == undisturbed
        if kills % 4 == 3:
            assert digit_job(*arguments).returncode == 0
            assert stable_files(output) == undisturbed
    figure(f"{kills} kills; nothing was lost")
