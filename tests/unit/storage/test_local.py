import errno
import inspect
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from job.errors import ResourceExhausted, StorageError, UsageError
from job.storage import LocalStorage
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


# Locations


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


def test_resolve_expands_the_working_and_home_folders(storage, tmp_path, monkeypatch):
    """Relative paths start at the working folder, `~` at the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    assert storage.resolve("a.csv") == str(tmp_path / "a.csv")
    assert storage.resolve("~/a.csv") == "/home/someone/a.csv"


@pytest.fixture
def _shallow_stack():
    """Limit the depth of calls to a hundred."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("_shallow_stack")
def test_folders_nested_deeper_than_the_stack(storage, tmp_path):
    """A deep folder can be made, searched and removed."""
    path = str(tmp_path.joinpath(*["d"] * 200, "a.csv"))
    with storage.commit(path) as file:
        file.write(b"1")
    for location in (tmp_path, f"{tmp_path}/**/*.csv"):
        assert [file.path for file in storage.find(str(location))] == [path]
    storage.remove(str(tmp_path / "d"))
    assert _names(tmp_path) == []


def test_a_location_with_a_nul_character_is_refused(storage):
    """No path can contain one."""
    with pytest.raises(UsageError, match="NUL character"):
        storage.find("a\0b.csv")


def test_the_version_distinguishes_contents_of_the_same_size(storage, tmp_path):
    """By the modification time."""
    path = _write(tmp_path / "a.csv")
    before = storage.stat(str(path))
    os.utime(path, ns=(1, 1))
    assert storage.stat(str(path)) != before
    assert storage.stat(str(path)).size == before.size


# Reading


def test_stat_and_list_of_a_missing_path(storage, tmp_path):
    """Return None and an empty list; a folder is no file."""
    assert storage.stat(str(tmp_path / "none")) is None
    assert storage.stat(str(tmp_path)) is None
    assert storage.list(str(tmp_path / "none")) == []


def test_list_includes_hidden_names_and_folders(storage, tmp_path):
    """But nothing further down."""
    for name in ("b", "_a", ".c", "sub/d"):
        _write(tmp_path / name)
    assert storage.list(str(tmp_path)) == [".c", "_a", "b", "sub"]


def test_open_reads_at_any_position(storage, tmp_path):
    """A file can be read from the middle."""
    with storage.open(str(_write(tmp_path / "a", b"0123456789"))) as file:
        file.seek(4)
        assert file.read(3) == b"456"
    assert storage.read(str(tmp_path / "a")) == b"0123456789"


@pytest.mark.parametrize("verb", ["open", "read"])
@pytest.mark.parametrize("name", ["none.csv", "folder"])
def test_reading_a_missing_file_or_a_folder_is_a_storage_error(storage, tmp_path, verb, name):
    """It names the path once."""
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(StorageError) as error:
        getattr(storage, verb)(path)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).count(path) == 1


# Committing files


def test_a_committed_file_appears_only_once_it_is_whole(storage, tmp_path):
    """The name does not exist before the block ends, and then has all of the content."""
    path = tmp_path / "a.csv"
    with storage.commit(str(path)) as file:
        file.write(b"one,")
        file.flush()
        assert not path.exists()
        file.write(b"two")
    assert path.read_bytes() == b"one,two"
    assert _names(tmp_path) == ["a.csv"]


def test_commit_makes_missing_folders(storage, tmp_path):
    """The folder of a committed file need not exist."""
    with storage.commit(str(tmp_path / "x/y/a.csv")) as file:
        file.write(b"1")
    assert (tmp_path / "x/y/a.csv").read_bytes() == b"1"


def test_write_commits_a_whole_file(storage, tmp_path):
    """Content that is at hand, into missing folders, over a file that is there."""
    for content in (b"old and longer", b"new"):
        storage.write(str(tmp_path / "x/a.csv"), content)
        assert (tmp_path / "x/a.csv").read_bytes() == content
    assert _names(tmp_path) == ["x", "x/a.csv"]


def test_commit_replaces_a_file(storage, tmp_path):
    """The old content stays until the new one is whole."""
    path = _write(tmp_path / "a.csv", b"old and longer")
    with storage.commit(str(path)) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old and longer"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), OSError("no number")])
def test_an_error_in_a_commit_leaves_nothing(storage, tmp_path, error):
    """Neither the file nor a temporary one, whatever the error."""
    with pytest.raises((type(error), StorageError)):
        _fail_half_way(storage, tmp_path / "a.csv", error)
    assert _names(tmp_path) == []


def test_an_error_in_a_commit_keeps_the_old_file(storage, tmp_path):
    """With its content."""
    path = _write(tmp_path / "a.csv", b"old")
    with pytest.raises(ValueError, match="no"):
        _fail_half_way(storage, path, ValueError("no"))
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("is_beside", [False, True])
def test_temporary_files_are_hidden_in_the_folder_of_the_target_or_the_given_one(storage, tmp_path, is_beside):
    """Until the commit, the bytes are in `.<hex>.tmp`."""
    (tmp_path / "parts").mkdir()
    beside = {"beside": str(tmp_path / "parts")} if is_beside else {}
    with storage.commit(str(tmp_path / "out/a.csv"), **beside):
        [temporary] = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert temporary.parent == tmp_path / ("parts" if is_beside else "out")
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp")
    assert _names(tmp_path) == ["out", "out/a.csv", "parts"]


def test_two_commits_of_one_file_at_once(storage, tmp_path):
    """Each has its own temporary file; the last to finish stays, whole."""
    path = str(tmp_path / "a.csv")
    with storage.commit(path) as first:
        first.write(b"first")
        with storage.commit(path) as second:
            second.write(b"second")
        assert storage.read(path) == b"second"
    assert storage.read(path) == b"first"
    assert _names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("name", ["n" * 255, "数" * 85, "é" * 120 + ".parquet"], ids=["ASCII", "Chinese", "French"])
def test_commit_of_the_longest_name_that_a_file_can_have(storage, tmp_path, name):
    """The temporary name does not depend on it."""
    with storage.commit(str(tmp_path / name)) as file:
        file.write(b"1")
    assert _names(tmp_path) == [name]


def test_a_commit_syncs_the_content_then_renames_then_syncs_the_folder(storage, tmp_path, monkeypatch):
    """So that a name never stands for content that a power failure can lose."""
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


def test_new_folders_are_durable_before_their_content(storage, tmp_path, monkeypatch):
    """Each new folder is synced in the one above it."""
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
def test_running_out_of_a_resource_in_a_commit(storage, tmp_path, monkeypatch, step, code):
    """A full disk, quota, memory or file table is ResourceExhausted, names the path, and leaves nothing."""
    path = _path_of_a_commit(tmp_path, step)
    monkeypatch.setattr(os, step, _failing(code))
    with pytest.raises(ResourceExhausted) as error, storage.commit(path) as file:
        file.write(b"half")
    assert str(error.value) == f"{path}: {os.strerror(code)}; free some and run the same command again"
    assert _names(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace", "mkdir"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO, errno.ESTALE])
def test_other_failures_of_a_commit_are_storage_errors(storage, tmp_path, monkeypatch, step, code):
    """Any other refusal of the system is a StorageError, names the path, and leaves nothing."""
    path = _path_of_a_commit(tmp_path, step)
    monkeypatch.setattr(os, step, _failing(code))
    with pytest.raises(StorageError) as error, storage.commit(path) as file:
        file.write(b"half")
    assert str(error.value) == f"{path}: {os.strerror(code)}"
    assert isinstance(error.value.__cause__, OSError)
    assert _names(tmp_path) == []


def test_the_first_error_of_a_commit_is_raised(storage, tmp_path, monkeypatch):
    """Even if cleaning up fails, too."""
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
def test_failures_of_other_operations_are_storage_errors(storage, tmp_path, monkeypatch, verb, step):
    """They never mean that the path does not exist."""
    _write(tmp_path / "folder/a.csv")
    monkeypatch.setattr(os, step, _failing(errno.EACCES))
    with pytest.raises(StorageError, match="folder: Permission denied"):
        getattr(storage, verb)(str(tmp_path / "folder"))


# Folders


def test_commit_folder_renames_the_staging_folder(storage, tmp_path):
    """With all that it contains."""
    _write(tmp_path / "staging/a", b"1")
    _write(tmp_path / "staging/sub/b", b"2")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a", "model/sub", "model/sub/b"]


def test_a_mount_point_is_on_another_device_than_its_parent(storage, tmp_path):
    """As /proc is on Linux; an ordinary or missing folder is not."""
    assert storage.is_mount("/proc") == Path("/proc").exists()
    assert not storage.is_mount(str(tmp_path))
    assert not storage.is_mount(str(tmp_path / "none"))


def test_commit_folder_replaces_a_folder(storage, tmp_path):
    """The old folder is removed with all that it contains."""
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a"]


def test_commit_folder_exchanges_two_folders_in_one_step(storage, tmp_path, monkeypatch):
    """The name exists at every moment: nothing is renamed to make room."""
    monkeypatch.setattr(os, "replace", _failing(errno.EIO))
    _write(tmp_path / "staging/a", b"new")
    _write(tmp_path / "model/old", b"old")
    storage.commit_folder(str(tmp_path / "staging"), str(tmp_path / "model"))
    assert _names(tmp_path) == ["model", "model/a"]


# Removing


def test_remove_a_file_a_folder_or_nothing(storage, tmp_path):
    """A missing path is no error."""
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


def test_remove_a_folder_while_another_process_writes_to_it(storage, tmp_path, monkeypatch):
    """The late files are removed, too."""
    _write(tmp_path / "folder/a")
    rmdir, late = os.rmdir, iter(("b", "sub/c"))

    def meanwhile(folder, **within):
        if name := next(late, None):
            _write(tmp_path / "folder" / name)
        rmdir(folder, **within)

    monkeypatch.setattr(os, "rmdir", meanwhile)
    storage.remove(str(tmp_path / "folder"))
    assert _names(tmp_path) == []


def test_remove_a_folder_that_never_gets_empty(storage, tmp_path, monkeypatch):
    """If another process keeps writing, the removal ends with an error."""
    _write(tmp_path / "folder/a")
    monkeypatch.setattr(os, "rmdir", _failing(errno.ENOTEMPTY))
    with pytest.raises(StorageError, match="folder: Directory not empty"):
        storage.remove(str(tmp_path / "folder"))


@pytest.mark.parametrize("step", ["listdir", "rmdir"])
def test_remove_a_folder_while_another_process_removes_it(storage, tmp_path, monkeypatch, step):
    """What the other removed first is no error."""
    _write(tmp_path / "folder/sub/a")
    operation = getattr(os, step)

    def beaten(folder, **within):
        monkeypatch.undo()
        shutil.rmtree(tmp_path / "folder")
        return operation(folder, **within)

    monkeypatch.setattr(os, step, beaten)
    storage.remove(str(tmp_path / "folder"))
    assert _names(tmp_path) == []


@pytest.mark.parametrize("step", ["listdir", "stat", "open"])
def test_removing_a_folder_never_follows_a_link(storage, tmp_path, monkeypatch, step):
    """Another user puts one in the place of a folder at the worst moment; what it leads to stays."""
    _write(tmp_path / "folder/sub/a")
    _write(tmp_path / "precious/a")
    operation, was_swapped = getattr(os, step), []

    def swapped_before(place, *others, **named):
        if str(place).endswith("sub") and not was_swapped:
            was_swapped.append(place)
            shutil.move(tmp_path / "folder/sub", tmp_path / "elsewhere")
            (tmp_path / "folder/sub").symlink_to(tmp_path / "precious")
        return operation(place, *others, **named)

    def swapped_after(place, *others, **named):
        result = operation(place, *others, **named)
        if isinstance(result, os.stat_result):
            swapped_before(place, *others, **named)
        return result

    monkeypatch.setattr(os, step, swapped_after if step == "stat" else swapped_before)
    storage.remove(str(tmp_path / "folder"))
    monkeypatch.undo()
    assert _names(tmp_path / "precious") == ["a"]
    assert "folder" not in _names(tmp_path)


def test_a_folder_that_is_moved_while_it_is_removed(tmp_path):
    """The way up leads to another folder, in which nothing is removed."""
    _write(tmp_path / "folder/sub/a")
    _write(tmp_path / "precious/folder/b")

    class Moving(LocalFileSystem):
        def unlink(self, path, *, within=None):
            super().unlink(path, within=within)
            shutil.move(tmp_path / "folder/sub", tmp_path / "precious/sub")

    with pytest.raises(StorageError):
        LocalStorage(Moving()).remove(str(tmp_path / "folder"))
    assert sorted(_names(tmp_path / "precious")) == ["folder", "folder/b", "sub"]


# Creating


@pytest.mark.parametrize("has_links", [True, False])
def test_create_makes_a_file_only_once(storage, tmp_path, monkeypatch, has_links):
    """The second call returns False, changes nothing, and leaves nothing behind."""

    def refuse(_source, _target):
        raise OSError(errno.EPERM, "no links here")

    if not has_links:
        monkeypatch.setattr(module.os, "link", refuse)
    path = tmp_path / "folder/run.json"
    assert storage.create(str(path), b"first") is True
    assert storage.create(str(path), b"second") is False
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]
