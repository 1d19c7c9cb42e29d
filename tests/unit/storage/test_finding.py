import errno
import os

import pytest

from job.errors import NoInput, StorageError, UsageError
from job.storage import FileInfo


def _write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _failing(code):
    def fail(*_args, **_options):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("location", ["s3://bucket/a.csv", "https://example.org/a.csv"])
def test_find_refuses_an_unsupported_scheme(storage, location):
    """Instead of looking for it below the working folder."""
    with pytest.raises(UsageError, match="is not supported"):
        storage.find(location)


def test_find_a_file(storage, tmp_path):
    """A file named by itself: path, size, name and version."""
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
def test_find_skips_hidden_names(storage, tmp_path, monkeypatch, location):
    """Files and folders whose names begin with `.` or `_` are not found by searching."""
    hidden = (".a.csv", "_SUCCESS", "_b.csv", "_parts/c.csv", ".git/d.csv", "sub/_e.csv", "_f/sub/g.csv")
    for name in ("seen.csv", "sub/seen.csv", *hidden):
        _write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert {file.name for file in storage.find(location)} == {"seen.csv"}


@pytest.mark.parametrize("location", [".a.csv", "_a.csv", "_parts", "_parts/b.csv", "_parts/*.csv"])
def test_find_takes_hidden_names_that_are_spelled_out(storage, tmp_path, location):
    """A file, a folder, or the folder of a pattern."""
    for name in (".a.csv", "_a.csv", "_parts/b.csv"):
        _write(tmp_path / name)
    assert len(storage.find(str(tmp_path / location))) == 1


def test_find_by_pattern(storage, tmp_path):
    """A pattern stands for the files that it matches, not for folders."""
    for name in ("a1.csv", "a2.csv", "b.csv", "a3.csv/inside.csv"):
        _write(tmp_path / name)
    assert [file.name for file in storage.find(str(tmp_path / "a?.csv"))] == ["a1.csv", "a2.csv"]


def test_find_prefers_a_literal_name_to_a_pattern(storage, tmp_path):
    """A file whose name looks like a pattern is found by its name."""
    path = _write(tmp_path / "a[1].csv")
    _write(tmp_path / "a1.csv")
    assert [file.path for file in storage.find(str(path))] == [str(path)]


@pytest.mark.parametrize("location", ["nothing.csv", "*.csv", "empty", "hidden"])
def test_find_nothing(storage, tmp_path, monkeypatch, location):
    """The error names the location as given and the path searched."""
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "hidden/_SUCCESS")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoInput) as error:
        storage.find(location)
    assert str(error.value) == f"{location}: found no file there (looked at {tmp_path / location})"


def test_find_follows_links_to_files_only(storage, tmp_path):
    """A link to a file is found under the link's name; a link to a folder could lead in circles."""
    _write(tmp_path / "elsewhere/a.csv", b"12345")
    _write(tmp_path / "in/b.csv")
    (tmp_path / "in/linked.csv").symlink_to(tmp_path / "elsewhere/a.csv")
    (tmp_path / "in/folder").symlink_to(tmp_path / "in")
    found = storage.find(str(tmp_path / "in"))
    assert [(file.name, file.size) for file in found] == [("b.csv", 1), ("linked.csv", 5)]


@pytest.mark.parametrize("location", ["in/**/*.csv", "in/**", "in/*/*.csv", "in/*/*/*.csv", "in/*"])
def test_find_by_pattern_follows_no_link_to_a_folder(storage, tmp_path, location):
    """Links in circles or out of the folder would bring files twice, or without end."""
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


def test_find_by_pattern_behind_a_link_that_is_spelled_out(storage, tmp_path):
    """A link to a folder that the user names is followed."""
    _write(tmp_path / "folder/sub/a.csv")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert [file.path for file in storage.find(f"{tmp_path}/link/**/*.csv")] == [f"{tmp_path}/link/sub/a.csv"]


@pytest.mark.parametrize("location", ["**/*.csv", "*/*.csv", "**", "."])
def test_find_does_not_skip_a_folder_that_cannot_be_read(storage, tmp_path, monkeypatch, location):
    """Its files would be left out silently."""
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


def test_find_skips_lost_and_found(storage, tmp_path, monkeypatch):
    """Mkfs creates it in every new volume, readable by root alone."""
    _write(tmp_path / "a.csv")
    (tmp_path / "lost+found").mkdir()
    names = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: names(folder) if folder == str(tmp_path) else _failing(1)())
    assert [file.name for file in storage.find(str(tmp_path))] == ["a.csv"]
    assert [file.name for file in storage.find(f"{tmp_path}/**/*.csv")] == ["a.csv"]


def test_find_does_not_skip_a_link_to_nothing(storage, tmp_path):
    """The missing file is named, instead of being left out silently."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/lost.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(StorageError, match=r"in/lost\.csv: No such file or directory"):
        storage.find(str(tmp_path / "in"))


def test_find_skips_a_pipe_unless_it_is_named_by_itself(storage, tmp_path):
    """Then it is refused, because opening it could wait forever."""
    _write(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "b.csv")
    assert [file.name for file in storage.find(str(tmp_path))] == ["a.csv"]
    assert [file.name for file in storage.find(str(tmp_path / "*.csv"))] == ["a.csv"]
    with pytest.raises(UsageError, match=r"b\.csv: is a pipe or a device, which cannot be read twice"):
        storage.find(str(tmp_path / "b.csv"))
