import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.files import make_digits
from support.models import write_digit_model, write_model

from job.storage import LocalStorage

# What `--fast` leaves out: tests that load TensorFlow, compile, draw with matplotlib, or start processes of their own.
_NOT_FAST = ("unit/train", "unit/compiled", "unit/figures", "unit/docker", "unit/lock")


def pytest_addoption(parser):
    """Add `--fast`, which `make test-fast` gives."""
    parser.addoption("--fast", action="store_true", help="leave out what is slow or needs TensorFlow")


def pytest_collection_modifyitems(config, items):
    """Deselect what is not for the fast lane."""
    if not config.getoption("--fast"):
        return
    folder = Path(__file__).parent
    left_out = [folder / each for each in _NOT_FAST]
    is_slow = {
        item: item.get_closest_marker("slow") is not None or any(map(item.path.is_relative_to, left_out))
        for item in items
    }
    config.hook.pytest_deselected(items=[item for item in items if is_slow[item]])
    items[:] = [item for item in items if not is_slow[item]]


def pytest_ignore_collect(collection_path, config):
    """Not even import what the fast lane leaves out."""
    left_out = [Path(__file__).parent / each for each in _NOT_FAST]
    return True if config.getoption("--fast") and collection_path in left_out else None


def pytest_sessionfinish(session):
    """Fail the fast lane if it has become slow by a library."""
    if session.config.getoption("--fast") and "tensorflow" in sys.modules:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        sys.stderr.write("The fast lane has loaded TensorFlow; mark the test that needs it as slow.\n")


@pytest.fixture(scope="session", autouse=True)
def _no_fsync():
    """Make os.fsync do nothing. support/power_cut.py follows what is synced, unit/storage tests that fsync is called.

    Commands in processes of their own do call it.
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
    """A model folder that needs no training; treat as read-only."""
    return write_model(tmp_path_factory.mktemp("model") / "linear")


@pytest.fixture(scope="session")
def digit_model(tmp_path_factory):
    """A model folder that classifies drawn digits and needs no training; treat as read-only."""
    return write_digit_model(tmp_path_factory.mktemp("digit_model") / "digits")


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
    """A file system with hardly any space, and a function that sets its size in KiB."""
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
    """Record what a test has counted or measured; it is printed at the end of the session."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter):
    """Print the figures, also those of xdist's workers."""
    reports = terminalreporter.stats.get("passed", [])
    figures = [text for report in reports for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.write_line(text)


@pytest.fixture(autouse=True)
def logger():
    """The package's logger, restored after each test: commands that run in this process set it up."""
    package = logging.getLogger("job")
    handlers, level, is_propagated = package.handlers[:], package.level, package.propagate
    yield package
    package.handlers[:], package.propagate = handlers, is_propagated
    package.setLevel(level)  # also forgets which levels of other loggers it has found disabled
