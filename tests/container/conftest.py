import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from container.engine import USER, Engine, base_image, build_module, clean_checkout
from support.files import PIXEL_NAMES, csv_text, make_digits, read_mnist, write_csv, write_parquet

# Enough of a model to score with: the tests are about the image.
TRAINING = "--data digits --recipe baseline --epochs 3"


def readable(folder):
    """A folder that other users may look into, which a container's user is."""
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder with labelled images, enough to train on."""
    folder = readable(tmp_path_factory.mktemp("data"))
    write_csv(folder / "train.csv", make_digits(600))
    return folder


@pytest.fixture(scope="session")
def engine():
    """The engine of this machine; without one these tests fail."""
    return Engine(build_module().engine())


@pytest.fixture(scope="session")
def images(engine, tmp_path_factory):
    """Both images, built by docker/build.py from a clean checkout, and their base."""
    checkout = clean_checkout(tmp_path_factory.mktemp("checkout"))
    base, tag = base_image(engine), "localhost/digit-job-test"
    command = [sys.executable, checkout / "docker/build.py", "--tag", tag, "--build-arg", f"TRAIN_ARGUMENTS={TRAINING}"]
    command += ["--base-image", base] if base else []
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout[-5000:]
    return SimpleNamespace(full=f"{tag}:latest", score=f"{tag}:score", base=base)


@pytest.fixture(scope="session")
def t10k(mnist, tmp_path_factory):
    """A folder with MNIST's test images as CSV and as Parquet."""
    folder = readable(tmp_path_factory.mktemp("t10k"))
    digits = read_mnist(mnist, "t10k")
    (folder / "t10k.csv").write_text(csv_text(digits))
    write_parquet(folder / "t10k.parquet", digits, row_group_size=2500)
    return folder


@pytest.fixture(scope="session")
def large(mnist, tmp_path_factory):
    """A folder with a CSV of 700,000 images, 1.28 GB: MNIST's test images seventy times."""
    folder = readable(tmp_path_factory.mktemp("large"))
    block = csv_text(read_mnist(mnist, "t10k"), has_header=False)
    with (folder / "large.csv").open("w") as file:
        file.write(",".join(["label", *PIXEL_NAMES]) + "\n")
        for _ in range(70):
            file.write(block)
    yield folder
    (folder / "large.csv").unlink()


@pytest.fixture
def output(tmp_path):
    """A folder that the container's user can write."""
    folder = tmp_path / "out"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder
