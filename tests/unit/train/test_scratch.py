import os
import shutil
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest
from support.neighbours import OTHER_USER, only_as_root

from job.errors import ResourceExhausted, StorageError
from job.settings import MIB
from job.train.card.foreign_model import convert
from job.train.export.exporter import export
from job.train.scratch import check_room, private_temporary_files, scratch_file, scratch_folder
from job.train.training import train
from job.train.tune.search import tune


@pytest.fixture
def room(monkeypatch):
    """A function that sets the free space of every disk."""
    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


def test_a_scratch_folder_is_deleted_after_the_block(room):
    """With its files."""
    room(10 * MIB)
    with scratch_folder(6 * MIB) as folder:
        (folder / "file").write_bytes(b"1")
    assert not folder.exists()


def test_a_full_disk_is_refused(room, tmp_path, monkeypatch):
    """The error says how much is free, how much is needed, and what to do; nothing is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    room(10 * MIB - 1)
    expected = r"digit-job-\w+: No space left on device: 10,485,759 bytes are free, 10,485,760 are needed; free"
    with pytest.raises(ResourceExhausted, match=expected), scratch_folder(6 * MIB):
        pass
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_meanwhile_is_noticed(room, tmp_path):
    """When the space is checked again."""
    room(20 * MIB)
    check_room(str(tmp_path), 6 * MIB)
    room(0)
    with pytest.raises(ResourceExhausted):
        check_room(str(tmp_path), 6 * MIB)


def test_a_missing_temporary_folder_is_a_storage_error(tmp_path, monkeypatch):
    """For folders and files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with (
        pytest.raises(StorageError, match="temporary files: No such file or directory"),
        scratch_folder(),
    ):
        pass
    with pytest.raises(StorageError, match="the folder for temporary files"):
        scratch_file()


@pytest.mark.parametrize("variable", [None, "/set/by/the/user"])
def test_temporary_files_are_private_in_the_block(monkeypatch, tmp_path, variable):
    """Those of Python, of other libraries, and of other processes; and only in the block."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    if variable:
        monkeypatch.setenv("TMPDIR", variable)
    with private_temporary_files():
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        code = "import tempfile; print(tempfile.gettempdir())"
        elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == elsewhere.strip() == str(folder)
        (folder / "left").write_text("over")
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == (str(tmp_path), variable)
    assert not list(tmp_path.iterdir())


class _Looked(Exception):
    """Raised where a command begins its work."""


class _Watched:
    """Settings, a storage and a model that raise the temporary folder's mode when they are first used."""

    def __getattr__(self, name):
        raise _Looked(os.stat(tempfile.gettempdir()).st_mode & 0o777)


@pytest.mark.parametrize(
    "command",
    [
        lambda it: train(it, it, mnist_dir=None, on_text=print, phases=it),
        lambda it: tune(it, it, mnist_dir=None, on_progress=print),
        lambda it: export(it, it, mnist_dir=None, phases=it),
        lambda it: convert(it, it, "folder"),
    ],
    ids=["train", "tune", "export", "convert"],
)
def test_a_command_that_imports_tensorflow_has_private_temporary_files(command, monkeypatch, tmp_path):
    """TensorFlow writes modules to the folder for temporary files, and imports them with what lies beside them."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(_Looked, match=str(0o700)):
        command(_Watched())


def _home(folder, *, owner=None, mode=0o755):
    """A home with settings for Keras that no run should use."""
    (folder / ".keras").mkdir(parents=True)
    (folder / ".keras/keras.json").write_text('{"epsilon": 0.125}')
    for path in (folder / ".keras", folder / ".keras/keras.json"):
        path.chmod(mode)
        if owner:
            os.chown(path, owner, owner)
    return folder


def test_keras_settings_of_the_user_are_kept(monkeypatch, tmp_path):
    """Also if they are behind a link of the user's own."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    _home(tmp_path / "home")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/.keras").symlink_to(tmp_path / "home/.keras")
    for name in ("home", "linked"):
        monkeypatch.setenv("HOME", str(tmp_path / name))
        with private_temporary_files():
            assert "KERAS_HOME" not in os.environ
    monkeypatch.setenv("KERAS_HOME", "mine")
    with private_temporary_files():
        assert os.environ["KERAS_HOME"] == "mine"


def test_keras_settings_that_others_can_write_are_not_read(monkeypatch, tmp_path):
    """Keras would take its backend and its number format from them; nor is a folder used that anyone can still make."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _home(tmp_path / "writable", mode=0o777)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    for name in ("writable", "shared"):
        monkeypatch.setenv("HOME", str(tmp_path / name))
        with private_temporary_files():
            assert os.environ["KERAS_HOME"] == os.environ["TMPDIR"]
        assert "KERAS_HOME" not in os.environ


def test_libraries_keep_their_files_in_the_cache_of_the_job(monkeypatch, tmp_path):
    """Where the home has none of theirs, they make none; a folder that the user names is used."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    with private_temporary_files():
        assert os.environ["KERAS_HOME"] == str(tmp_path / ".cache/digit-job/keras")
        assert os.environ["MPLCONFIGDIR"] == "mine"
    monkeypatch.delenv("MPLCONFIGDIR")
    with private_temporary_files():
        assert os.environ["MPLCONFIGDIR"] == str(tmp_path / ".cache/digit-job/matplotlib")
    assert "MPLCONFIGDIR" not in os.environ


@only_as_root
@pytest.mark.slow
def test_keras_reads_no_settings_of_another_user(monkeypatch, tmp_path):
    """Neither of the folder nor of the file."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home = _home(tmp_path / "home", owner=OTHER_USER)
    monkeypatch.setenv("HOME", str(home))
    with private_temporary_files():
        command = [sys.executable, "-c", "import keras; print(keras.config.epsilon())"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(found) != 0.125


@only_as_root
def test_another_user_can_put_nothing_beside_temporary_modules(monkeypatch, tmp_path):
    """A planted `__pycache__` would run as the user who trains."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with private_temporary_files():
        planted = os.path.join(os.environ["TMPDIR"], "__pycache__")
        command = ["/bin/mkdir", planted, str(tmp_path / "theirs")]
        done = subprocess.run(command, user=OTHER_USER, group=OTHER_USER, check=False, stderr=subprocess.DEVNULL)
        assert done.returncode
        assert not os.path.exists(planted)
    assert (tmp_path / "theirs").is_dir()
