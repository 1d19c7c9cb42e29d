"""Pipes and devices are written into, and never replaced."""

import os
import pty
import socket
import subprocess
import sys
import threading

import pytest
from support.neighbours import only_as_root

from job.errors import OutputOccupied, StorageError
from job.storage.streams import descriptor_of


def _null_device(folder):
    """A device like /dev/null, in a folder of the test's."""
    os.mknod(folder / "null", 0o666 | 0o020000, os.makedev(1, 3))
    return folder / "null"


@only_as_root
def test_a_device_is_not_replaced(storage, tmp_path):
    """Although root could."""
    device = _null_device(tmp_path)
    storage.write(str(device), b"content")
    assert device.is_char_device()
    assert list(tmp_path.iterdir()) == [device]


@only_as_root
def test_a_folder_is_not_moved_to_a_device(storage, tmp_path):
    """As in `train --model /dev/null`."""
    device = _null_device(tmp_path)
    (tmp_path / "staging").mkdir()
    with pytest.raises(OutputOccupied, match="null: is a pipe or a device, expected a folder or a new path"):
        storage.commit_folder(str(tmp_path / "staging"), str(device))
    assert device.is_char_device()


def test_a_pipe_gets_the_content(storage, tmp_path):
    """And stays a pipe."""
    os.mkfifo(tmp_path / "pipe")
    found = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    while reader.is_alive():
        try:
            storage.write(str(tmp_path / "pipe"), b"content")
        except StorageError:
            continue  # the reader has not opened it yet
        reader.join()
    assert found == [b"content"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_pipe_that_nobody_reads_is_not_waited_for(storage, tmp_path):
    """Nor is one that nobody writes to."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="pipe: is a pipe that no process reads from"):
        storage.write(str(tmp_path / "pipe"), b"content")
    with pytest.raises(StorageError, match="pipe: is a pipe, expected a file"):
        storage.read(str(tmp_path / "pipe"))


def test_a_terminal_gets_the_content(storage):
    """By its path."""
    leader, follower = pty.openpty()
    try:
        storage.write(os.ttyname(follower), b"content")
        assert os.read(leader, 100) == b"content"
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_continued(tmp_path, path):
    """Also where it is redirected to a file: what was printed stays, and what is printed later follows."""
    code = (
        "from job.storage import LocalStorage\n"
        "print('before', flush=True)\n"
        f"LocalStorage().write({path!r}, b'content\\n')\n"
        "print('after')\n"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\ncontent\nafter\n"


def test_neither_folders_nor_sockets_are_replaced(storage, tmp_path, monkeypatch):
    """A folder would be another thing's, and nothing can be written to a socket."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="folder: Is a directory"):
        storage.write(str(tmp_path / "folder"), b"")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(OutputOccupied, match="s: is a socket or a disk, expected a file"):
            storage.write(str(tmp_path / "s"), b"")


@pytest.mark.parametrize(
    ("path", "descriptor"),
    [("/dev/stderr", 2), ("/dev/fd/63", 63), ("/proc/12/fd/3", 3), ("/dev/null", None), ("/dev/fd/x", None)],
)
def test_paths_of_descriptors(path, descriptor):
    """As shells and programs write them."""
    assert descriptor_of(path) == descriptor
