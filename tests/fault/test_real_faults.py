"""Real-world faults: each ends with its exit code and a message; without it, the same command completes the run."""

import ctypes
import errno
import gzip
import io
import itertools
import os
import shutil
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.files import Digits, csv_text, make_digits, write_csv, write_idx
from support.models import write_model
from support.outcome import assert_ended, call, measured
from support.runs import results_among, score, stable_files

from job.settings import RejectLimit
from job.storage import LocalStorage
from job.storage.filesystem import LocalFileSystem

pytestmark = pytest.mark.usefixtures("_repeated_runs")

DIGITS = make_digits(24)
PART_BYTES = 16_000


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """One file of each format, and a compressed one; read-only."""
    folder = tmp_path_factory.mktemp("template")
    write_csv(folder / "a.csv", DIGITS)
    (folder / "b.csv.gz").write_bytes(gzip.compress(csv_text(DIGITS).encode()))
    images = [row.tobytes() for row in DIGITS.pixels]
    pq.write_table(pa.table({"image": images, "label": DIGITS.labels}), folder / "c.parquet", row_group_size=12)
    write_idx(folder, DIGITS)
    return folder


@pytest.fixture(scope="module")
def recorder(template, model, tmp_path_factory):
    """The file system of an undisturbed run: its operations, and the files that the run writes."""
    output, system = tmp_path_factory.mktemp("undisturbed") / "out", Failing("read")
    score(
        template, output, model, storage=LocalStorage(system), threads=1, part_bytes=PART_BYTES,
        max_rejects=RejectLimit.parse("1%"),
    )  # fmt: skip
    system.files = stable_files(output)
    return system


@pytest.fixture
def inputs(template, tmp_path):
    return shutil.copytree(template, tmp_path / "in")


@pytest.fixture
def expected(recorder, template, inputs):
    """The files that the command writes if undisturbed, with the paths of this test's inputs."""
    return _relocated(recorder.files, template, inputs)


def _relocated(files, here, there):
    """The same files for inputs or a model in another folder, which the report names."""
    return {
        name: content.replace(str(here).encode(), str(there).encode()) if name.startswith("report.") else content
        for name, content in files.items()
    }


def arguments(inputs, output, model):
    """The command that is disturbed."""
    return [
        "score", "--input", inputs, "--output", output, "--model", model, "--threads", "1", "--part-bytes", PART_BYTES
    ]  # fmt: skip


@pytest.fixture
def command(inputs, model, tmp_path):
    return arguments(inputs, tmp_path / "out", model)


def assert_files_are_whole(output, expected):
    """Every file under its final name is whole, and `_SUCCESS` exists only beside all others."""
    found = results_among(stable_files(output))
    assert found.items() <= expected.items()
    assert "_SUCCESS" not in found or found == expected


# Operations that fail


class Failing(LocalFileSystem):
    """Lets the nth operation of one kind fail. steps: all operations so far.

    below: count only paths that contain this text. Writes are unbuffered; so are reads if the failing operation is one.
    """

    def __init__(self, verb, number=-1, error=None, below=""):
        self.verb, self.number, self.error, self.below = verb, number, error, below
        self.steps = []

    def step(self, verb, path):
        """Called before every operation."""
        self.steps.append((verb, path))
        if (verb, self.count(verb, self.below)) == (self.verb, self.number + 1) and self.below in path:
            raise self.error

    def count(self, verb, below=""):
        """The number of operations of a kind so far."""
        return sum(done == verb and below in path for done, path in self.steps)

    def open(self, path):
        self.step("open", path)
        return pa.PythonFile(_Read(path, self), "r") if self.verb == "read" else super().open(path)

    def create(self, path, **_options):
        self.step("create", path)
        return _Written(path, self)

    def sync(self, file):
        self.step("sync", file.name)
        super().sync(file)


def _failing(verb):
    def operation(self, path, *others, **more):
        self.step(verb, path)
        return getattr(LocalFileSystem, verb)(self, path, *others, **more)

    return operation


for each in ("make_folder", "sync_path", "rename", "link", "stat", "names"):
    setattr(Failing, each, _failing(each))


class _Read(io.FileIO):
    def __init__(self, path, system):
        super().__init__(os.fsencode(path), "r")
        self._path, self._system = path, system

    def read(self, size=-1):
        self._system.step("read", self._path)
        return super().read(size)


class _Written(io.FileIO):
    def __init__(self, path, system):
        super().__init__(path, "x")
        self._system = system

    def write(self, content):
        self._system.step("write", self.name)
        return super().write(content)


def disturbed(capfd, monkeypatch, system, command):
    """How the command ends on another file system."""
    with monkeypatch.context() as patch:
        patch.setattr("job.storage.local.LocalFileSystem", lambda: system)
        return call(capfd, *command)


# Not later: a failure after `_SUCCESS` is written does not fail the run.
@pytest.mark.parametrize("place", [0.5, 0.75], ids=["midway", "late"])
@pytest.mark.parametrize(
    ("verb", "number"),
    [
        ("write", errno.EIO), ("write", errno.ENOSPC), ("sync", errno.EIO), ("sync", errno.EDQUOT),
        ("rename", errno.EIO), ("create", errno.EROFS), ("make_folder", errno.EACCES), ("sync_path", errno.EIO),
        ("link", errno.EIO), ("open", errno.EMFILE), ("open", errno.ESTALE), ("read", errno.EIO),
    ],
    ids=lambda value: errno.errorcode.get(value, value),
)  # fmt: skip
def test_a_failing_operation(capfd, monkeypatch, command, expected, recorder, tmp_path, verb, number, place):
    """Whichever it is, the run ends with 74 or 75, and the next one completes."""
    # Of reads, those of inputs: what another process may be writing is read a second time.
    below = ".csv" if verb == "read" else ""
    failing = Failing(verb, int(place * recorder.count(verb, below)), OSError(number, os.strerror(number)), below)
    result = disturbed(capfd, monkeypatch, failing, command)
    code = 75 if number in {errno.ENOSPC, errno.EDQUOT, errno.EMFILE} else 74
    assert_ended(result, code, str(tmp_path), os.strerror(number))
    assert_files_are_whole(tmp_path / "out", expected)
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == expected


@pytest.mark.parametrize("name", ["a.csv", "b.csv.gz", "c.parquet", "images", "labels", "000006.arrow", "model.onnx"])
def test_a_read_error_names_the_file_being_read(capfd, monkeypatch, command, recorder, name):
    """Not the file being written."""
    failing = Failing("read", recorder.count("read", name) - 1, OSError(errno.EIO, os.strerror(errno.EIO)), below=name)
    result = disturbed(capfd, monkeypatch, failing, command)
    assert_ended(result, 74, name, os.strerror(errno.EIO))


@pytest.mark.parametrize("name", ["a.csv", "b.csv.gz", "c.parquet", "images", "000006.arrow"])
def test_no_memory_while_reading(capfd, monkeypatch, command, expected, recorder, tmp_path, name):
    """The file is not called damaged: 75, and the next run completes."""
    failing = Failing("read", recorder.count("read", name) - 1, MemoryError(), below=name)
    assert_ended(disturbed(capfd, monkeypatch, failing, command), 75, "out of memory")
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == expected


def test_no_more_threads(capfd, monkeypatch, command, expected, tmp_path):
    """A system that refuses threads has run out of a resource: 75."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading, "_start_new_thread", refuse)
        assert_ended(call(capfd, *command), 75, "cannot start")
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == expected


# Changes during the run


class Interfering(LocalFileSystem):
    """Calls a function when the nth part is begun."""

    def __init__(self, number, act):
        self._begun, self._number, self._act = itertools.count(), number, act

    def create(self, path, **options):
        # The first file is run.json.
        if next(self._begun) == self._number:
            self._act()
        return super().create(path, **options)


def _shrink(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def _grow(path):
    with path.open("ab") as file:
        file.write(b"1,2,3\n")


def _replace(path):
    other = path.with_name(".other")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)


CHANGED = ["a.csv", "b.csv.gz", "c.parquet", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.mark.parametrize("change", [_shrink, _grow, _replace])
@pytest.mark.parametrize("name", CHANGED)
def test_an_input_that_changes_during_the_run(capfd, monkeypatch, inputs, model, expected, tmp_path, name, change):
    """Truncated, extended or replaced: the run ends with 74, and leaves nothing in the way of the next one."""
    images = inputs / "t10k-images-idx3-ubyte"
    source = images if "ubyte" in name else inputs / name
    number = 2 if name in {"a.csv", "c.parquet"} or "ubyte" in name else 1
    command = [*arguments(source, tmp_path / "out", model), "--max-rejects", "100%"]
    whole = inputs / name
    before = whole.read_bytes()
    result = disturbed(capfd, monkeypatch, Interfering(number, lambda: change(whole)), command)
    assert_ended(result, 74, str(whole), "was changed while it was being read")
    assert not list((tmp_path / "out").glob("*"))
    whole.write_bytes(before)
    assert_ended(call(capfd, *command), 0)
    found, kind = stable_files(tmp_path / "out"), f"predictions/{source.name}"
    assert [found[each] for each in found if each.startswith(kind)] == [
        expected[each] for each in expected if each.startswith(kind)
    ]
    assert "_SUCCESS" in found


@pytest.mark.parametrize("number", [1, 2, 4, 6])
def test_an_input_folder_that_disappears(capfd, monkeypatch, command, inputs, expected, tmp_path, number):
    """The committed parts stay until the input is back unchanged."""
    away = tmp_path / "away"
    result = disturbed(capfd, monkeypatch, Interfering(number, lambda: inputs.rename(away)), command)
    assert_ended(result, 74, str(inputs))
    assert len(list((tmp_path / "out/_parts").glob("*.arrow"))) == number - 1
    assert_ended(call(capfd, *command), 66, "found no file there")
    away.rename(inputs)
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == expected


@pytest.mark.parametrize("number", [0, 1, 3, 9, 12])
def test_an_output_folder_that_disappears(capfd, monkeypatch, command, expected, tmp_path, number):
    """The run ends with 74, and the next one gives the same bytes."""
    output = tmp_path / "out"
    result = disturbed(
        capfd, monkeypatch, Interfering(number, lambda: shutil.rmtree(output, ignore_errors=True)), command
    )
    assert_ended(result, 74, str(output))
    assert_files_are_whole(output, expected)
    assert_ended(call(capfd, *command), 0)
    assert stable_files(output) == expected


def test_corrected_labels_are_another_run(capfd, command, inputs):
    """The label file is part of the input: with other labels, finished output is refused."""
    assert_ended(call(capfd, *command), 0)
    write_idx(inputs, Digits(DIGITS.pixels, DIGITS.labels[::-1]))
    assert_ended(call(capfd, *command), 73, "holds a finished run over other inputs")


# Damaged files


def _damage(path, change):
    """Change a file's content but not its modification time; returns a function that restores it."""
    times = path.stat()
    content = path.read_bytes()
    path.write_bytes(change(content))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return lambda: _damage(path, lambda _: content)


def _flipped(share):
    def change(content):
        place = int(share * len(content))
        return content[:place] + bytes(255 - byte for byte in content[place : place + 30]) + content[place + 30 :]

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("c.parquet", lambda content: content[: len(content) // 2]),
        ("c.parquet", lambda content: content[:-1]),
        ("c.parquet", lambda content: content[:3]),
        ("c.parquet", _flipped(0.01)),
        ("c.parquet", _flipped(0.6)),
        ("b.csv.gz", lambda content: content[: len(content) // 2]),
        ("b.csv.gz", lambda content: content[:-1]),
        ("b.csv.gz", lambda content: content[:11]),
        ("b.csv.gz", _flipped(0.5)),
        ("b.csv.gz", lambda content: content[:-8] + bytes(8)),
        ("b.csv.gz", lambda content: content + b"rubbish"),
        ("t10k-images-idx3-ubyte", lambda content: content[:-1]),
        ("t10k-labels-idx1-ubyte", lambda content: content[:-1]),
    ],
)
def test_a_damaged_file(capfd, command, inputs, expected, tmp_path, name, change):
    """Ends with 65 and is named; once it is repaired, the same command gives the same bytes."""
    command = [*command, "--overwrite"]
    mend = _damage(inputs / name, change)
    assert_ended(call(capfd, *command), 65, str(inputs / name))
    assert_files_are_whole(tmp_path / "out", expected)
    mend()
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == expected


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_a_damaged_model(capfd, inputs, tmp_path, name):
    """Ends with 78 before any output; once it is repaired, the same command scores."""
    model = write_model(tmp_path / "model")
    mend = _damage(model / name, lambda content: content[:-10])
    assert_ended(call(capfd, *arguments(inputs, tmp_path / "out", model)), 78, str(model / name))
    assert not (tmp_path / "out").exists()
    mend()
    assert_ended(call(capfd, *arguments(inputs, tmp_path / "out", model)), 0)


# The machine


def _without_privileges():
    """Drop root's capabilities to bypass permissions, effective from the next program that is executed."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, from linux/capability.h
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP, from linux/prctl.h


@pytest.mark.skipif(sys.platform != "linux", reason="root's privileges are taken away as Linux has them")
@pytest.mark.parametrize("closed", ["in/a.csv", "in", "out", "model/model.onnx"])
def test_no_permission(capfd, inputs, model, expected, tmp_path, closed):
    """Ends with 74 and names the path; with permission, the same command completes."""
    same_model = write_model(tmp_path / "model")
    (tmp_path / "out").mkdir()
    command = arguments(inputs, tmp_path / "out", same_model)
    mode = (tmp_path / closed).stat().st_mode
    (tmp_path / closed).chmod(0o555 if closed == "out" else 0)
    try:
        result = measured(tmp_path, *command, preexec_fn=_without_privileges)
        assert_ended(result, 74, str(tmp_path / closed), "Permission denied")
        assert not list((tmp_path / "out").iterdir())
    finally:
        (tmp_path / closed).chmod(mode)
    assert_ended(call(capfd, *command), 0)
    assert stable_files(tmp_path / "out") == _relocated(expected, model, same_model)


@pytest.mark.parametrize("kib", [4, 8, 24, 48])
def test_a_full_disk(capfd, inputs, model, expected, small_disk, kib):
    """Ends with 75 and leaves no half-written file; with more room, the same command continues."""
    place, resize = small_disk
    resize(kib)
    command = arguments(inputs, place / "out", model)
    assert_ended(call(capfd, *command), 75, str(place), "No space left on device")
    assert_files_are_whole(place / "out", expected)
    resize(10_000)
    assert_ended(call(capfd, *command), 0)
    assert stable_files(place / "out") == expected


# Standard streams

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@needs_full
def test_results_that_cannot_be_printed(command, tmp_path):
    """A full standard output ends with 75, though all files are complete."""
    with open("/dev/full", "w") as full:
        result = measured(tmp_path, *command, stdout=full)
    assert_ended(result, 75, "standard output: No space left on device")
    assert (tmp_path / "out/_SUCCESS").exists()


def test_a_reader_that_leaves_is_no_error(command, tmp_path):
    """As in `digit-job score ... | head -1`: the run is complete."""
    reader, writer = os.pipe()
    os.close(reader)
    result = measured(tmp_path, *command, stdout=writer)
    os.close(writer)
    assert result.returncode == 0, result.stderr
    assert "Broken pipe" not in result.stderr
    assert (tmp_path / "out/_SUCCESS").exists()


@needs_full
@pytest.mark.parametrize(("source", "code"), [("in", 0), ("nothing", 66)])
def test_a_log_that_cannot_be_written(command, tmp_path, source, code):
    """A full standard error changes neither the exit code nor the results."""
    command[2] = tmp_path / source
    with open("/dev/full", "w") as full:
        result = measured(tmp_path, *command, stderr=full)
    assert result.returncode == code
    assert bool(result.stdout) == (code == 0)
    assert (tmp_path / "out/_SUCCESS").exists() == (code == 0)


@pytest.mark.parametrize(("source", "code"), [("in", 0), ("nothing", 66)])
def test_closed_standard_streams(command, expected, tmp_path, source, code):
    """Without all three, a run ends as usual, and no output file takes their descriptors."""
    command[2] = tmp_path / source
    result = measured(tmp_path, *command, preexec_fn=lambda: os.closerange(0, 3))
    assert result.returncode == code
    assert code or stable_files(tmp_path / "out") == expected
