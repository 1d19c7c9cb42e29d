"""Temporary folders of killed processes are removed by the next one; those of living ones stay."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest
from support.neighbours import OTHER_USER, only_as_root

from job.train.scratch import scratch_folder

_HOLD = """
import sys, time
from job.train.scratch import private_temporary_files, scratch_folder
with private_temporary_files(), scratch_folder() as folder:
    (folder / "file").write_text("half a model")
    print(folder.parent, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder(place):
    """Another process that uses a temporary folder; `folder` is its name."""
    environment = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, env=environment, text=True) as process:
        process.folder = process.stdout.readline().strip()
        yield process
        process.kill()


def test_the_folder_of_a_living_process_stays(holder):
    with scratch_folder():
        assert os.path.exists(holder.folder)


def test_the_folder_of_a_killed_process_is_removed(holder, place):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert os.path.exists(holder.folder)
    with scratch_folder() as folder:
        assert list(place.iterdir()) == [folder]
    assert not list(place.iterdir())


def test_links_and_other_names_stay(holder, place, tmp_path_factory):
    """A link in the place of an abandoned folder leads nowhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").write_text("")
    holder.kill()
    holder.wait()
    os.rename(holder.folder, place / "digit-job.mine")
    os.symlink(elsewhere, holder.folder)
    with scratch_folder():
        assert (elsewhere / "precious").exists()
    assert (place / "digit-job.mine").exists()


@only_as_root
def test_the_folder_of_another_user_stays(holder):
    holder.kill()
    holder.wait()
    os.chown(holder.folder, OTHER_USER, OTHER_USER)
    with scratch_folder():
        assert os.path.exists(holder.folder)
