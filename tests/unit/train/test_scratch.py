import shutil
import tempfile
from types import SimpleNamespace

import pytest

from job.errors import ResourceExhausted, StorageError
from job.settings import MIB
from job.train.scratch import check_room, scratch_file, scratch_folder


@pytest.fixture
def room(monkeypatch):
    """A function that says how much room there is."""
    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


def test_a_folder_is_there_for_the_block(room):
    """With what is in it, gone afterwards."""
    room(10 * MIB)
    with scratch_folder(6 * MIB) as folder:
        (folder / "file").write_bytes(b"1")
    assert not folder.exists()


def test_a_folder_without_room_is_refused(room, tmp_path, monkeypatch):
    """With what is there, what is needed and what to do; nothing is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    room(10 * MIB - 1)
    expected = r"digit-job-\w+: No space left on device: 10,485,759 bytes are free, 10,485,760 are needed; free"
    with pytest.raises(ResourceExhausted, match=expected), scratch_folder(6 * MIB):
        pass
    assert not list(tmp_path.iterdir())


def test_room_that_goes_while_the_folder_is_there(room, tmp_path):
    """Is noticed when it is asked for."""
    room(20 * MIB)
    check_room(str(tmp_path), 6 * MIB)
    room(0)
    with pytest.raises(ResourceExhausted):
        check_room(str(tmp_path), 6 * MIB)


def test_no_place_for_temporary_files(tmp_path, monkeypatch):
    """Is an error of storage, for folders and files alike."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with (
        pytest.raises(StorageError, match="temporary files: No such file or directory"),
        scratch_folder(),
    ):
        pass
    with pytest.raises(StorageError, match="the folder for temporary files"):
        scratch_file()
