import shutil
import tempfile
from types import SimpleNamespace

import pytest

from job.errors import ResourceExhausted, StorageError
from job.settings import MIB
from job.train.scratch import check_room, scratch_file, scratch_folder


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
