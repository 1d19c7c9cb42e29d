"""A run may be killed at any moment; the same command finishes it with the same bytes.

The runs that are killed are processes. Those that finish their work run in the test's own process, which is quicker.
"""

import os
import resource
import shutil
import signal
import time
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import digit_job, start, start_signalled, start_signalled_at_import, with_options
from support.files import csv_text, make_digits
from support.outcome import call
from support.runs import files_below, results_among, score, stable_files

# Longer than any run takes on a busy machine: only a process that hangs takes longer.
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
    """The standard error of a process, which must end."""
    return process.communicate(timeout=PATIENCE_S)[1]


def killed(tmp_path, arguments, at):
    """Run the command and kill it once `at` parts and files are committed."""
    process = start_signalled(signal.SIGKILL, at, tmp_path / "when", *arguments)
    stderr = ended(process)
    assert process.returncode == -signal.SIGKILL, stderr


@pytest.mark.parametrize("parts", [1, 40])
def test_a_killed_run_is_finished_by_the_same_command(arguments, output, tmp_path, undisturbed, parts, capfd):
    """After kill -9 no file is half-written; the next run keeps what is committed and ends with the same bytes."""
    killed(tmp_path, arguments, parts)
    assert not (output / "_SUCCESS").exists()
    assert not (output / "predictions").exists()
    committed = len(parts_in(output))
    assert committed >= parts
    result = call(capfd, *arguments)
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
def test_a_stopped_run_ends_in_good_order(arguments, output, tmp_path, undisturbed, number, code, capfd):
    """Within two seconds, with the signal's exit code and no temporary file; it can be resumed.

    A busy machine may delay one attempt, or two; each must keep the parts that were committed.
    """
    for _ in range(3):
        before = len(parts_in(output))
        seconds = seconds_to_stop(number, 5, code, arguments, output, tmp_path)
        assert len(parts_in(output)) >= before + 5
        if seconds < 2:
            break
    assert seconds < 2
    assert call(capfd, *arguments).returncode == 0
    assert stable_files(output) == undisturbed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("module", ["onnxruntime", "job.train.card.foreign_model"])
def test_a_run_stopped_while_it_starts_ends_in_good_order(arguments, output, tmp_path, module, number, code):
    """While it loads libraries, or opens a Keras file."""
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"")
    keras = ["--model", tmp_path / "a.keras"] if "train" in module else []
    command, *options = arguments
    process = start_signalled_at_import(number, module, command, *with_options(options, keras))
    stderr = ended(process)
    assert process.returncode == code, stderr
    assert "run the same command again to resume" in stderr
    assert "Traceback" not in stderr
    assert not output.exists()


def test_temporary_files_of_a_killed_run_are_removed(arguments, output, tmp_path, undisturbed, capfd):
    """By the run that finishes."""
    killed(tmp_path, arguments, 3)
    (output / "_parts/.000099.arrow.0123.tmp").write_bytes(b"half a part")
    assert call(capfd, *arguments).returncode == 0
    assert stable_files(output) == undisturbed


def test_a_run_killed_before_it_removed_its_parts_is_done(arguments, inputs, model, output, undisturbed, capfd):
    """The next run removes parts beside _SUCCESS and does nothing else."""
    score(inputs, output, model)
    (output / "_parts").mkdir()
    (output / "_parts/000000.arrow").write_bytes(b"left over")
    result = call(capfd, *arguments)
    assert "nothing to do" in result.stdout
    assert stable_files(output) == undisturbed


def test_two_identical_runs_at_once_both_end_well(arguments, output, undisturbed):
    """Two processes with the same output folder do not disturb each other."""
    first, second = start(*arguments), start(*arguments)
    errors = [ended(process) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert stable_files(output) == undisturbed


class Frozen:
    """A run that is stopped once `at` parts and files are committed. `go_on` continues it and returns its exit code."""

    def __init__(self, at, note, arguments):
        self._process = start_signalled(signal.SIGSTOP, at, note, *arguments)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)
        self.stderr = ended(self._process)
        assert "Traceback" not in self.stderr
        return self._process.returncode


# test_another_run_meanwhile does this at every moment, and with runs that overwrite each other.
def test_two_different_runs_at_once_are_not_mixed(arguments, output, tmp_path, undisturbed, capfd):
    """The second is refused; the first is not disturbed."""
    frozen = Frozen(20, tmp_path / "when", arguments)
    assert call(capfd, *arguments, "--probabilities").returncode == 73
    assert frozen.go_on() == 0, frozen.stderr
    assert stable_files(output) == undisturbed


def test_a_run_whose_folder_another_claims_says_so(arguments, output, tmp_path):
    """A process that was wrongly thought dead ends with 73 and leaves the other's files alone."""
    frozen = Frozen(20, tmp_path / "when", arguments)
    killed(tmp_path, [*arguments, "--overwrite", "--probabilities"], 10)
    before = files_below(output)
    assert frozen.go_on() == 73, frozen.stderr
    assert "was claimed by another run meanwhile" in frozen.stderr
    assert files_below(output) == before


def test_two_runs_that_overwrite_at_once_leave_one_run_or_none(arguments, inputs, model, output, undisturbed, capfd):
    """Both may end well, or one may fail; no old or mixed output is left."""
    score(inputs / "long.parquet", output, model)
    processes = [start(*arguments, "--overwrite") for _ in range(2)]
    errors = [ended(process) for process in processes]
    assert {process.returncode for process in processes} <= {0, 73, 74}, errors
    assert not any("Traceback" in error for error in errors), errors
    result = call(capfd, *arguments)
    assert result.returncode == 0, result.stderr
    assert stable_files(output) == undisturbed


def limited(mebibytes):
    """Limits the address space of a process; a preexec_fn."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


# The exit code of the dynamic loader if there is no memory for thread-local variables.
KILLED_BY_THE_LOADER = 127


def test_a_run_out_of_memory_says_so_and_is_finished_by_the_same_command(arguments, output, undisturbed):
    """Under too low a limit the run ends with 75, or a library aborts it; nothing is lost.

    The limit rises in small steps, from one that Python alone starts with to one that is enough.
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
    """Killed at moments spread over the whole run, and started again each time."""
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
        whole = results_among(found)
        assert whole.items() <= undisturbed.items()
        assert "_SUCCESS" not in whole or whole == undisturbed
        if kills % 4 == 3:
            assert digit_job(*arguments).returncode == 0
            assert stable_files(output) == undisturbed
    figure(f"{kills} kills; nothing was lost")
