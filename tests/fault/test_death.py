"""A run may die at any moment; the same command run again finishes it, and nobody can tell."""

import os
import resource
import shutil
import signal
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import digit_job, start, start_signalled, start_signalled_at_import
from support.files import csv_text, make_digits
from support.runs import files_below, score, stable_files

# More than any machine takes, however busy: only a process that hangs takes longer.
PATIENCE_S = 300


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A CSV and a Parquet file of fifty parts in all."""
    folder = tmp_path_factory.mktemp("inputs")
    digits = make_digits(900)
    (folder / "long.csv").write_text(csv_text(digits, has_header=False).replace("\n", "\n1,2,3\n", 5))
    images = [row.tobytes() for row in digits.pixels]
    pq.write_table(pa.table({"image": images, "label": digits.labels}), folder / "long.parquet", row_group_size=100)
    return folder


def parts_in(output):
    """The committed parts of an unfinished run."""
    return sorted(output.glob("_parts/*.arrow"))


def ended(process):
    """What a process said on standard error; it must end."""
    return process.communicate(timeout=PATIENCE_S)[1]


def killed(tmp_path, arguments, at):
    """Run the command and kill it once so many parts and files are committed."""
    process = start_signalled(signal.SIGKILL, at, tmp_path / "when", *arguments)
    stderr = ended(process)
    assert process.returncode == -signal.SIGKILL, stderr


@pytest.mark.parametrize("parts", [1, 40])
def test_a_killed_run_is_finished_by_the_same_command(arguments, output, tmp_path, undisturbed, parts):
    """After kill -9 nothing half-done is visible; the next run keeps what is committed and ends with the same bytes."""
    killed(tmp_path, arguments, parts)
    assert not (output / "_SUCCESS").exists()
    assert not (output / "predictions").exists()
    committed = len(parts_in(output))
    assert committed >= parts
    result = digit_job(*arguments)
    assert result.returncode == 0, result.stderr
    assert f"resuming, {committed} of " in result.stderr
    assert stable_files(output) == undisturbed


def seconds_to_stop(number, at, code, arguments, output, tmp_path):
    """How long a run takes to end in good order after a signal."""
    process = start_signalled(number, at, tmp_path / "when", *arguments)
    stderr = ended(process)
    seconds = time.monotonic() - float((tmp_path / "when").read_text())
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert not [path for path in files_below(output) if path.endswith(".tmp")]
    return seconds


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_leaves_in_good_order(arguments, output, tmp_path, undisturbed, number, code):
    """A signal ends the run within two seconds, with its exit code and no temporary file; it can be resumed.

    What else the machine does may hold up one attempt, or two; the third, too, must find committed what was before.
    """
    for _ in range(3):
        before = len(parts_in(output))
        seconds = seconds_to_stop(number, 5, code, arguments, output, tmp_path)
        assert len(parts_in(output)) >= before + 5
        if seconds < 2:
            break
    assert seconds < 2
    assert digit_job(*arguments).returncode == 0
    assert stable_files(output) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("module", ["onnxruntime", "job.train.card.foreign_model"])
def test_a_run_stopped_while_it_starts(arguments, output, tmp_path, module, number, code):
    """Before the first part, too, a signal ends it in good order: loading libraries, or turning to a Keras file."""
    keras = ["--model", tmp_path / "a.keras"] if "train" in module else []
    process = start_signalled_at_import(number, module, *arguments, *keras)
    stderr = ended(process)
    assert process.returncode == code, stderr
    assert "run the same command again to resume" in stderr
    assert "Traceback" not in stderr
    assert not output.exists()


def test_what_a_kill_leaves_behind_goes_away(arguments, output, tmp_path, undisturbed):
    """A temporary file of a killed run does not outlive the run that finishes."""
    killed(tmp_path, arguments, 3)
    (output / "_parts/.000099.arrow.0123.tmp").write_bytes(b"half a part")
    assert digit_job(*arguments).returncode == 0
    assert stable_files(output) == undisturbed


def test_a_run_killed_before_tidying_up_is_done(arguments, inputs, model, output, undisturbed):
    """Parts that remain beside _SUCCESS are removed by the next run, which has nothing else to do."""
    score(inputs, output, model)
    (output / "_parts").mkdir()
    (output / "_parts/000000.arrow").write_bytes(b"left over")
    result = digit_job(*arguments)
    assert "nothing to do" in result.stdout
    assert stable_files(output) == undisturbed


def test_two_identical_runs_at_once_both_end_well(arguments, output, undisturbed):
    """Two processes that score the same into the same folder do not harm each other."""
    first, second = start(*arguments), start(*arguments)
    errors = [ended(process) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert stable_files(output) == undisturbed


class Frozen:
    """A run that stands still once so many parts and files are committed, until `go_on`, which gives its exit code."""

    def __init__(self, at, note, arguments):
        self._process = start_signalled(signal.SIGSTOP, at, note, *arguments)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)
        self.stderr = ended(self._process)
        assert "Traceback" not in self.stderr
        return self._process.returncode


# For each moment, and for runs that overwrite each other, see test_another_run_meanwhile.
def test_two_different_runs_at_once_are_not_mixed(arguments, output, tmp_path, undisturbed):
    """Of two processes that score differently into the same folder, the second is refused, the first not disturbed."""
    frozen = Frozen(20, tmp_path / "when", arguments)
    assert digit_job(*arguments, "--probabilities").returncode == 73
    assert frozen.go_on() == 0, frozen.stderr
    assert stable_files(output) == undisturbed


def test_a_run_whose_folder_another_takes_is_told_so(arguments, output, tmp_path):
    """A process that was thought dead, and was not, ends with 73 and leaves the other's files alone."""
    frozen = Frozen(20, tmp_path / "when", arguments)
    killed(tmp_path, [*arguments, "--overwrite", "--probabilities"], 10)
    before = files_below(output)
    assert frozen.go_on() == 73, frozen.stderr
    assert "was claimed by another run meanwhile" in frozen.stderr
    assert files_below(output) == before


def test_two_runs_that_overwrite_at_once_leave_one_run_or_none(arguments, inputs, model, output, undisturbed):
    """Both may end well, or one may be in the other's way and say so; never is old or other output left behind."""
    score(inputs / "long.parquet", output, model)
    processes = [start(*arguments, "--overwrite") for _ in range(2)]
    errors = [ended(process) for process in processes]
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


def test_a_run_out_of_memory_says_so_and_is_finished_by_the_same_command(arguments, output, undisturbed):
    """Under a limit that is too low the run ends with 75, or is ended by a library that cannot go on; nothing is lost.

    From a limit that Python alone starts with, in small steps, to one that is enough.
    """
    codes = []
    for mebibytes in range(360, 2400, 20):
        # Not traced for coverage, which would end with a traceback of its own.
        process = start(*arguments, preexec_fn=limited(mebibytes), COVERAGE_PROCESS_CONFIG="")
        stderr = ended(process)
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
def test_forty_kills_at_any_moment(arguments, output, undisturbed, figure):
    """Killed at moments spread over the whole of a run, from its start to its end, and started again each time."""
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
