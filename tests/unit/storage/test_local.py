import errno
import inspect
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest
from support.faulty_file_system import FaultyFileSystem

from job.errors import NoInput, ResourceExhausted, StorageError, UsageError
from job.storage import FileInfo, common_folder, join, relative_to, storage_at
from job.storage import local as module
from job.storage.filesystem import LocalFileSystem


def _names(folder):
    """Everything below a folder, files and folders, hidden ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _failing(code):
    def fail(*_args, **_options):
        raise OSError(code, os.strerror(code))

    return fail


def _path_of_a_commit(folder, step):
    """A path to commit to that needs the given step: a new folder, to fail in making it."""
    return str(folder / ("new/a.csv" if step == "mkdir" else "a.csv"))


def _fail_half_way(storage, path, error):
    with storage.commit(str(path)) as file:
        file.write(b"half")
        raise error


# Where things are


@pytest.mark.parametrize("location", ["in/a.csv", "/in/a.csv", "file:///in/a.csv", "~/a.csv", "strange:name.csv"])
def test_paths_and_file_uris_are_local(location):
    """A path, with or without file://, is served by the local file system."""
    assert isinstance(storage_at(location), module.LocalStorage)


@pytest.mark.parametrize("location", ["s3://bucket/a.csv", "gs://b/c", "abfs://b/c", "http://example.org/a.csv"])
def test_foreign_schemes_are_refused(location):
    """A place that cannot be reached is a usage error that says what to do instead."""
    scheme = location.split("://", maxsplit=1)[0]
    with pytest.raises(UsageError) as error:
        storage_at(location)
    assert str(error.value).startswith(f"{location}: {scheme}:// is not supported; mount it or copy it")


@pytest.mark.parametrize("location", ["s3://bucket/a.csv", "https://example.org/a.csv"])
def test_foreign_schemes_are_no_local_paths(storage, location):
    """An input with a foreign scheme is refused as such, instead of being looked for below the working folder."""
    with pytest.raises(UsageError, match="is not supported"):
        storage.find(location)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/in/a.csv", "/in/a.csv"),
        ("/in/", "/in"),
        ("/in/../out/./b", "/out/b"),
        ("file:///in/a.csv", "/in/a.csv"),
        ("file:///with%20space/%C3%A4.csv", "/with space/ä.csv"),
        ("/with%20space", "/with%20space"),
    ],
)
def test_resolve_gives_absolute_paths(storage, location, path):
    """A location becomes an absolute path without dots; only a URI is unquoted."""
    assert storage.resolve(location) == path


def test_resolve_knows_the_current_and_the_home_folder(storage, tmp_path, monkeypatch):
    """Relative paths start at the working folder, `~` at the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert storage.resolve("a.csv") == str(tmp_path / "a.csv")
    assert storage.resolve("~/a.csv") == "/home/someone/a.csv"


@pytest.mark.parametrize(
    ("folder", "names", "path"),
    [("/a", ("b",), "/a/b"), ("/a/", ("b", "c"), "/a/b/c"), ("/", ("b",), "/b")],
)
def test_join_puts_names_below_a_folder(folder, names, path):
    """Joining never doubles a slash."""
    assert join(folder, *names) == path


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["/in/a.csv"], "/in"),
        (["/in/a.csv", "/in/b.csv"], "/in"),
        (["/in/x/a.csv", "/in/y/a.csv"], "/in"),
        (["/in/x/a.csv", "/in/xy/a.csv"], "/in"),
        (["/a.csv", "/in/b.csv"], "/"),
    ],
)
def test_common_folder_holds_every_file(paths, folder):
    """The deepest folder above all files, and each file's way down from it."""
    assert common_folder(paths) == folder
    assert [join(folder, relative_to(folder, path)) for path in paths] == paths


# Finding


def test_find_a_file(storage, tmp_path):
    """A file named outright is found as it is: path, size, name and version."""
    path = _write(tmp_path / "a.csv", b"12345")
    [found] = storage.find(str(path))
    assert found == FileInfo(str(path), 5, str(path.stat().st_mtime_ns))
    assert found.name == "a.csv"


def test_find_a_folder_is_recursive_and_sorted(storage, tmp_path):
    """A folder stands for all files below it, ordered by path."""
    for name in ("b.csv", "a.csv", "sub/c.csv", "sub/deep/d.csv"):
        _write(tmp_path / name)
    found = [file.path for file in storage.find(str(tmp_path))]
    assert found == [str(tmp_path / name) for name in ("a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv")]


@pytest.mark.parametrize("location", [".", "*", "**", "**/*", "**/*.csv", "*/*.csv"])
def test_find_passes_over_hidden_names(storage, tmp_path, monkeypatch, location):
    """Names, also of folders on the way, that begin with `.` or `_` are not found by looking around."""
    hidden = (".a.csv", "_SUCCESS", "_b.csv", "_parts/c.csv", ".git/d.csv", "sub/_e.csv", "_f/sub/g.csv")
    for name in ("seen.csv", "sub/seen.csv", *hidden):
        _write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert {file.name for file in storage.find(location)} == {"seen.csv"}


@pytest.mark.parametrize("location", [".a.csv", "_a.csv", "_parts", "_parts/b.csv", "_parts/*.csv"])
def test_find_takes_hidden_files_that_are_named_outright(storage, tmp_path, location):
    """What the user names is meant, be it a file, a folder, or the folder of a pattern."""
    for name in (".a.csv", "_a.csv", "_parts/b.csv"):
        _write(tmp_path / name)
    assert len(storage.find(str(tmp_path / location))) == 1


def test_find_a_pattern(storage, tmp_path):
    """A pattern stands for the files that it matches, not for folders."""
    for name in ("a1.csv", "a2.csv", "b.csv", "a3.csv/inside.csv"):
        _write(tmp_path / name)
    assert [file.name for file in storage.find(str(tmp_path / "a?.csv"))] == ["a1.csv", "a2.csv"]


def test_find_takes_a_name_literally_before_it_is_a_pattern(storage, tmp_path):
    """A file whose name looks like a pattern is found by its name."""
    path = _write(tmp_path / "a[1].csv")
    _write(tmp_path / "a1.csv")
    assert [file.path for file in storage.find(str(path))] == [str(path)]


@pytest.mark.parametrize("location", ["nothing.csv", "*.csv", "empty", "hidden"])
def test_find_nothing(storage, tmp_path, monkeypatch, location):
    """Where there is no file, the error names the location as given and the place looked at."""
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "hidden/_SUCCESS")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoInput) as error:
        storage.find(location)
    assert str(error.value) == f"{location}: found no file there (looked at {tmp_path / location})"


def test_find_takes_a_link_for_the_file_behind_it(storage, tmp_path):
    """A link to a file is a file of the link's name; a link to a folder is not followed, for it may lead in circles."""
    _write(tmp_path / "elsewhere/a.csv", b"12345")
    _write(tmp_path / "in/b.csv")
    (tmp_path / "in/linked.csv").symlink_to(tmp_path / "elsewhere/a.csv")
    (tmp_path / "in/folder").symlink_to(tmp_path / "in")
    found = storage.find(str(tmp_path / "in"))
    assert [(file.name, file.size) for file in found] == [("b.csv", 1), ("linked.csv", 5)]


@pytest.mark.parametrize("location", ["in/**/*.csv", "in/**", "in/*/*.csv", "in/*/*/*.csv", "in/*"])
def test_find_a_pattern_follows_no_link_to_a_folder(storage, tmp_path, location):
    """Or links that lead in circles, or out of the folder, would bring files twice, or without end."""
    _write(tmp_path / "elsewhere/out/b.csv")
    _write(tmp_path / "in/sub/deep/a.csv")
    _write(tmp_path / "in/sub/a.csv")
    _write(tmp_path / "in/a.csv")
    for name in ("one", "other", "sub/another"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "in")
    (tmp_path / "in/elsewhere").symlink_to(tmp_path / "elsewhere")
    found = [file.path.removeprefix(f"{tmp_path}/in/") for file in storage.find(str(tmp_path / location))]
    depths = {"in/*": {0}, "in/*/*.csv": {1}, "in/*/*/*.csv": {2}}.get(location, {0, 1, 2})
    assert found == sorted(name for name in ("a.csv", "sub/a.csv", "sub/deep/a.csv") if name.count("/") in depths)


def test_find_a_pattern_behind_a_link_that_is_named(storage, tmp_path):
    """A link to a folder that the user spells out is meant."""
    _write(tmp_path / "folder/sub/a.csv")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert [file.path for file in storage.find(f"{tmp_path}/link/**/*.csv")] == [f"{tmp_path}/link/sub/a.csv"]


@pytest.mark.parametrize("location", ["**/*.csv", "*/*.csv", "**", "."])
def test_find_does_not_pass_over_a_folder_that_cannot_be_looked_into(storage, tmp_path, monkeypatch, location):
    """What is in it would be left out in silence."""
    _write(tmp_path / "in/a.csv")
    _write(tmp_path / "in/closed/b.csv")
    names = os.listdir

    def refuse(folder):
        if folder.endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return names(folder)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        storage.find(os.path.normpath(tmp_path / "in" / location))


def test_find_passes_over_what_comes_with_a_volume(storage, tmp_path, monkeypatch):
    """A new volume's `lost+found` is nobody's, and closed to all but root."""
    _write(tmp_path / "a.csv")
    (tmp_path / "lost+found").mkdir()
    names = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: names(folder) if folder == str(tmp_path) else _failing(1)())
    assert [file.name for file in storage.find(str(tmp_path))] == ["a.csv"]
    assert [file.name for file in storage.find(f"{tmp_path}/**/*.csv")] == ["a.csv"]


@pytest.fixture
def _few_frames():
    """Let functions call each other only a hundred deep."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("_few_frames")
def test_folders_in_folders_without_end(storage, tmp_path):
    """However deep a folder is, it can be made, what is in it is found, and it is removed."""
    path = str(tmp_path.joinpath(*["d"] * 200, "a.csv"))
    with storage.commit(path) as file:
        file.write(b"1")
    for location in (tmp_path, f"{tmp_path}/**/*.csv"):
        assert [file.path for file in storage.find(str(location))] == [path]
    storage.remove(str(tmp_path / "d"))
    assert _names(tmp_path) == []


def test_find_does_not_pass_over_a_link_to_nothing(storage, tmp_path):
    """A file that should be there and is not is named, instead of left out in silence."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/lost.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(StorageError, match=r"in/lost\.csv: No such file or directory"):
        storage.find(str(tmp_path / "in"))


def test_find_passes_over_a_pipe_but_not_where_it_is_named(storage, tmp_path):
    """A pipe in a folder is no data; named outright it is refused, for opening it might wait forever."""
    _write(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "b.csv")
    assert [file.name for file in storage.find(str(tmp_path))] == ["a.csv"]
    assert [file.name for file in storage.find(str(tmp_path / "*.csv"))] == ["a.csv"]
    with pytest.raises(UsageError, match=r"b\.csv: is a pipe or a device, which cannot be read twice"):
        storage.find(str(tmp_path / "b.csv"))


def test_no_path_holds_a_nul_character(storage):
    """What the operating system cannot even be asked for is refused as a location."""
    with pytest.raises(UsageError, match="NUL character"):
        storage.find("a\0b.csv")


def test_version_tells_a_rewritten_file_from_the_old_one(storage, tmp_path):
    """A file of the same size but another modification time is another file."""
    path = _write(tmp_path / "a.csv")
    before = storage.stat(str(path))
    os.utime(path, ns=(1, 1))
    assert storage.stat(str(path)) != before
    assert storage.stat(str(path)).size == before.size


# Looking and reading


def test_stat_and_list_where_nothing_is(storage, tmp_path):
    """No file and no folder are answers, not errors; a folder is no file."""
    assert storage.stat(str(tmp_path / "none")) is None
    assert storage.stat(str(tmp_path)) is None
    assert storage.list(str(tmp_path / "none")) == []


def test_list_names_everything_in_a_folder(storage, tmp_path):
    """Hidden names and folders are listed, too; what is further down is not."""
    for name in ("b", "_a", ".c", "sub/d"):
        _write(tmp_path / name)
    assert storage.list(str(tmp_path)) == [".c", "_a", "b", "sub"]


def test_open_reads_at_any_position(storage, tmp_path):
    """An opened file can be read from the middle."""
    with storage.open(str(_write(tmp_path / "a", b"0123456789"))) as file:
        file.seek(4)
        assert file.read(3) == b"456"
    assert storage.read(str(tmp_path / "a")) == b"0123456789"


@pytest.mark.parametrize("verb", ["open", "read"])
@pytest.mark.parametrize("name", ["none.csv", "folder"])
def test_what_cannot_be_read_is_a_storage_error(storage, tmp_path, verb, name):
    """Reading what is not there, or is a folder, raises StorageError, which names the path once."""
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(StorageError) as error:
        getattr(storage, verb)(path)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).count(path) == 1


# Committing


def test_commit_appears_only_when_it_is_whole(storage, tmp_path):
    """A committed file is not there under its name before the block ends, and then with all of its content."""
    path = tmp_path / "a.csv"
    with storage.commit(str(path)) as file:
        file.write(b"one,")
        file.flush()
        assert not path.exists()
        file.write(b"two")
    assert path.read_bytes() == b"one,two"
    assert _names(tmp_path) == ["a.csv"]


def test_commit_makes_the_folders_above(storage, tmp_path):
    """The folder of a committed file need not exist."""
    with storage.commit(str(tmp_path / "x/y/a.csv")) as file:
        file.write(b"1")
    assert (tmp_path / "x/y/a.csv").read_bytes() == b"1"


def test_commit_replaces_what_was_there(storage, tmp_path):
    """A file that is there keeps its old content until the new one is whole."""
    path = _write(tmp_path / "a.csv", b"old and longer")
    with storage.commit(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old and longer"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), OSError("no number")])
def test_error_in_a_commit_leaves_nothing(storage, tmp_path, error):
    """Whatever ends the block early, neither the file nor a temporary one stays."""
    with pytest.raises((type(error), StorageError)):
        _fail_half_way(storage, tmp_path / "a.csv", error)
    assert _names(tmp_path) == []


def test_error_in_a_commit_keeps_the_old_file(storage, tmp_path):
    """A commit that fails leaves the file that it was to replace as it was."""
    path = _write(tmp_path / "a.csv", b"old")
    with pytest.raises(ValueError, match="no"):
        _fail_half_way(storage, path, ValueError("no"))
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("is_beside", [False, True])
def test_temporary_files_are_hidden_and_beside_the_target_or_where_they_are_told(storage, tmp_path, is_beside):
    """While a commit is under way its bytes lie under a hidden name, in the target's folder or the given one."""
    (tmp_path / "parts").mkdir()
    beside = {"beside": str(tmp_path / "parts")} if is_beside else {}
    with storage.commit(str(tmp_path / "out/a.csv"), **beside):
        [temporary] = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert temporary.parent == tmp_path / ("parts" if is_beside else "out")
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp")
    assert _names(tmp_path) == ["out", "out/a.csv", "parts"]


def test_two_commits_of_one_file_do_not_disturb_each_other(storage, tmp_path):
    """Two writers at once have temporary files of their own; the last to finish stays, whole."""
    path = str(tmp_path / "a.csv")
    with storage.commit(path) as first:
        first.write(b"first")
        with storage.commit(path) as second:
            second.write(b"second")
        assert storage.read(path) == b"second"
    assert storage.read(path) == b"first"
    assert _names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("name", ["n" * 255, "数" * 85, "é" * 120 + ".parquet"], ids=["ASCII", "Chinese", "French"])
def test_commit_of_the_longest_name_a_file_can_have(storage, tmp_path, name):
    """A name that fits the file system can be committed, though its temporary name must be longer."""
    with storage.commit(str(tmp_path / name)) as file:
        file.write(b"1")
    assert _names(tmp_path) == [name]


def test_what_writers_of_a_folder_left_when_they_died_is_removed_after_a_day(storage, tmp_path):
    """Not what is of today, of another folder, a file, or named by somebody else."""
    day, code = 24 * 60 * 60, "0123456789abcdef" * 2
    old = [f".mine.{code}.tmp", f".mine.{code}.old", f".other.{code}.tmp", f".mine.too.{code}.tmp", ".mine.mine.tmp"]
    for name in old:
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_bytes(b"{}")
        os.utime(tmp_path / name, (0, time.time() - day - 60))
    new = f".mine.{code[::-1]}.tmp"
    (tmp_path / new).mkdir()
    os.utime(tmp_path / new, (0, time.time() - day + 600))
    file = f".mine.{code[1:]}0.tmp"
    (tmp_path / file).write_bytes(b"")
    os.utime(tmp_path / file, (0, 0))
    storage.remove_abandoned(str(tmp_path), "mine")
    assert {path.name for path in tmp_path.iterdir()} == {*old[2:], new, file}
    storage.remove_abandoned(str(tmp_path / "nowhere"), "mine")


def test_commit_order(storage, tmp_path, monkeypatch):
    """The content is on the disk before the name appears, and the name before the commit returns."""
    steps = []
    fsync, replace = os.fsync, os.replace

    def logged_fsync(handle):
        steps.append("sync folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "sync file")
        fsync(handle)

    def logged_replace(source, target):
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(os, "replace", logged_replace)
    with storage.commit(str(tmp_path / "a.csv")) as file:
        file.write(b"1")
    assert steps == ["sync file", "rename", "sync folder"]


def test_new_folders_are_on_the_device_before_what_is_in_them(storage, tmp_path, monkeypatch):
    """Each folder above a committed file that had to be made is recorded in the one above it."""
    synced = []
    fsync = os.fsync

    def logged_fsync(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    with storage.commit(str(tmp_path / "x/y/a.csv")):
        pass
    assert synced[:2] == [str(tmp_path), str(tmp_path / "x")]
    assert synced[-1] == str(tmp_path / "x/y")


@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_running_out_of_something_is_told_as_such(storage, tmp_path, monkeypatch, step, code):
    """A full disk, quota, memory or table of files is ResourceExhausted, names the path, and leaves nothing."""
    path = _path_of_a_commit(tmp_path, step)
    monkeypatch.setattr(os, step, _failing(code))
    with pytest.raises(ResourceExhausted) as error, storage.commit(path) as file:
        file.write(b"half")
    assert str(error.value) == f"{path}: {os.strerror(code)}; free some and run the same command again"
    assert _names(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO, errno.ESTALE])
def test_other_failures_of_a_commit_are_storage_errors(storage, tmp_path, monkeypatch, step, code):
    """Anything else that the system refuses is a StorageError, names the path, and leaves nothing."""
    path = _path_of_a_commit(tmp_path, step)
    monkeypatch.setattr(os, step, _failing(code))
    with pytest.raises(StorageError) as error, storage.commit(path) as file:
        file.write(b"half")
    assert str(error.value) == f"{path}: {os.strerror(code)}"
    assert isinstance(error.value.__cause__, OSError)
    assert _names(tmp_path) == []


def test_first_error_of_a_commit_is_the_one_told(storage, tmp_path, monkeypatch):
    """Where cleaning up fails, too, the error that began it all is raised."""
    monkeypatch.setattr(os, "unlink", _failing(errno.EIO))
    with pytest.raises(ValueError, match="first"), storage.commit(str(tmp_path / "a.csv")):
        raise ValueError("first")


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("find", "stat"), ("stat", "stat"), ("is_folder", "stat"), ("remove", "stat"),
        ("find", "listdir"), ("list", "listdir"), ("remove", "listdir"), ("remove", "unlink"), ("remove", "rmdir"),
    ],
)  # fmt: skip
def test_failures_while_looking_are_storage_errors(storage, tmp_path, monkeypatch, verb, step):
    """The system's refusals leave every verb as StorageError; least of all do they mean that nothing is there."""
    _write(tmp_path / "folder/a.csv")
    monkeypatch.setattr(os, step, _failing(errno.EACCES))
    with pytest.raises(StorageError, match="folder: Permission denied"):
        getattr(storage, verb)(str(tmp_path / "folder"))


# Folders and removal


def test_commit_folder_gives_a_folder_its_name(storage, tmp_path):
    """A staged folder takes its final name, whole."""
    _write(tmp_path / "staging/a", b"1")
    _write(tmp_path / "staging/sub/b", b"2")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a", "model/sub", "model/sub/b"]


def test_commit_files_fills_a_folder_that_stays(storage, tmp_path):
    """Files of a staged folder move into one that is there, over those of the same names."""
    _write(tmp_path / "volume/.staging/a", b"new")
    _write(tmp_path / "volume/a", b"old")
    _write(tmp_path / "volume/b", b"old")
    storage.commit_files(str(tmp_path / "volume/.staging"), str(tmp_path / "volume"), last="a")
    assert _names(tmp_path) == ["volume", "volume/a", "volume/b"]
    assert (tmp_path / "volume/a").read_bytes() == b"new"


def test_commit_files_puts_the_last_one_last(tmp_path):
    """Each is on the device before the first takes its place."""
    system = FaultyFileSystem()
    for name in ("card", "a", "z"):
        _write(tmp_path / f"volume/.staging/{name}", b"")
    module.LocalStorage(system).commit_files(str(tmp_path / "volume/.staging"), str(tmp_path / "volume"), last="card")
    renamed = [os.path.basename(path) for operation, path in system.log if operation == "rename"]
    assert renamed == ["a", "z", "card"]
    assert [operation for operation, _ in system.log[1:4]] == ["sync_path"] * 3


def test_a_mount_is_on_another_device_than_the_folder_above(storage, tmp_path):
    """As /proc is, on Linux; a plain folder, or none, is not."""
    assert storage.is_mount("/proc") == Path("/proc").exists()
    assert not storage.is_mount(str(tmp_path))
    assert not storage.is_mount(str(tmp_path / "none"))


def test_commit_folder_replaces_a_folder(storage, tmp_path):
    """The folder that was there goes, with all that was in it."""
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a"]


def test_commit_folder_swaps_two_folders_in_one_step(storage, tmp_path, monkeypatch):
    """A folder is under the name at every moment: nothing is renamed away to make room."""
    monkeypatch.setattr(os, "replace", _failing(errno.EIO))
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a"]


class _WithoutExchange(LocalFileSystem):
    """A file system that cannot swap two names, as many cannot."""

    def exchange(self, _one, _other):
        return False


def test_commit_folder_replaces_a_folder_in_two_steps_where_it_must(tmp_path):
    """Where names cannot be swapped, the new folder takes the name all the same."""
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    module.LocalStorage(_WithoutExchange()).commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a"]


def test_commit_folder_that_fails_puts_the_old_one_back(tmp_path, monkeypatch):
    """If the new folder cannot take the name, the old one has it again."""
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    replace = os.replace

    def fail(source, target):
        if source.endswith("staging"):
            raise OSError(errno.EIO, "broken")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StorageError, match="model: Input/output error"):
        module.LocalStorage(_WithoutExchange()).commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/old", "staging", "staging/a"]


def test_remove_takes_files_folders_and_nothing(storage, tmp_path):
    """A file, a folder with all below it, and a path where nothing is can be removed."""
    _write(tmp_path / "folder/sub/a")
    _write(tmp_path / "b")
    for name in ("folder", "b", "none"):
        storage.remove(str(tmp_path / name))
    assert _names(tmp_path) == []


def test_remove_does_not_follow_links(storage, tmp_path):
    """Removing a link to a folder leaves the folder."""
    _write(tmp_path / "kept/a")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    storage.remove(str(tmp_path / "link"))
    assert _names(tmp_path) == ["kept", "kept/a"]


def test_remove_a_folder_into_which_another_process_writes(storage, tmp_path, monkeypatch):
    """What comes in while the rest is removed, goes, too."""
    _write(tmp_path / "folder/a")
    rmdir, late = os.rmdir, iter(("b", "sub/c"))

    def meanwhile(folder):
        if name := next(late, None):
            _write(tmp_path / "folder" / name)
        rmdir(folder)

    monkeypatch.setattr(os, "rmdir", meanwhile)
    storage.remove(str(tmp_path / "folder"))
    assert _names(tmp_path) == []


def test_remove_a_folder_that_does_not_get_empty(storage, tmp_path, monkeypatch):
    """A process that never ends to write there ends the removal with an error."""
    _write(tmp_path / "folder/a")
    monkeypatch.setattr(os, "rmdir", _failing(errno.ENOTEMPTY))
    with pytest.raises(StorageError, match="folder: Directory not empty"):
        storage.remove(str(tmp_path / "folder"))


@pytest.mark.parametrize("step", ["listdir", "rmdir"])
def test_remove_a_folder_that_another_process_removes(storage, tmp_path, monkeypatch, step):
    """What the other took first is no error."""
    _write(tmp_path / "folder/sub/a")
    operation = getattr(os, step)

    def beaten(folder):
        monkeypatch.undo()
        shutil.rmtree(tmp_path / "folder")
        return operation(folder)

    monkeypatch.setattr(os, step, beaten)
    storage.remove(str(tmp_path / "folder"))
    assert _names(tmp_path) == []


# Creating


@pytest.mark.parametrize("has_links", [True, False])
def test_create_makes_a_file_once(storage, tmp_path, monkeypatch, has_links):
    """The first to create a file makes it; the next is told, changes nothing, and leaves nothing behind."""

    def refuse(_source, _target):
        raise OSError(errno.EPERM, "no links here")

    if not has_links:
        monkeypatch.setattr(module.os, "link", refuse)
    path = tmp_path / "folder/run.json"
    assert storage.create(str(path), b"first") is True
    assert storage.create(str(path), b"second") is False
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]
