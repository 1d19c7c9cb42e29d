import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.files import make_digits
from support.models import write_model

from job.storage import LocalStorage


@pytest.fixture(scope="session", autouse=True)
def _device_that_is_not_waited_for():
    """No test pulls the machine's plug: what is asked of the disk is held by test_storage, and not done here.

    Commands that tests start are processes of their own, and do it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _file: None)
        yield


@pytest.fixture
def storage():
    return LocalStorage()


@pytest.fixture(scope="session")
def digits():
    """A hundred random images with labels; treat as read-only."""
    return make_digits(100)


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model folder that needed no training; treat as read-only."""
    return write_model(tmp_path_factory.mktemp("model") / "linear")


@pytest.fixture(scope="session")
def mnist():
    """The folder of MNIST's four IDX files."""
    beside = Path(__file__).parents[2] / "shared/data/mnist"
    folder = Path(os.environ.get("MNIST_DIR", beside))
    if not (folder / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip(f"MNIST is not at {folder}; set MNIST_DIR to the folder of its IDX files")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with hardly any room; a function gives it more."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False)  # noqa: S607  # wherever it is

    if shutil.which("mount") is None or mount("size=4k").returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place, lambda kib: mount(f"remount,size={kib}k")
    subprocess.run(["umount", place], check=True)  # noqa: S607  # as above


@pytest.fixture
def figure(record_property):
    """Say what a test has counted or measured; it is told at the end of the session."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter):
    """Tell the figures, of whichever process."""
    reports = terminalreporter.stats.get("passed", [])
    figures = [text for report in reports for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.write_line(text)
