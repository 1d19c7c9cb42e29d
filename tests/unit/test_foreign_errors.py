"""What other people's exceptions become, at each door that they can come in by.

The classes are taken from the libraries as they are installed, so that a new one in a new version fails here until it
is decided what it means: an error of ours, or none that can reach us, with the reason.
"""

import ast
import errno
import lzma
import os
import threading
import tokenize
import zipfile
import zlib
from pathlib import Path

import onnxruntime as ort
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from isal import igzip_lib
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from support.files import make_digits, write_csv, write_parquet
from support.models import linear_onnx
from support.runs import score

import job
from job import cli
from job.errors import DataError, DigitJobError, InternalError, ModelInvalid, ResourceExhausted, StorageError
from job.model.onnx_predictor import OnnxPredictor
from job.read.packed import stream as compression
from job.read.parquet.parquet_source import parquet_source
from job.read.pictures import SIGNATURE, BadPicture, decode_png
from job.settings import ReadSettings
from job.storage import translated_errors
from job.write.part_file import opened_part

SOURCES = sorted(Path(job.__file__).parent.rglob("*.py"))


def raises(error):
    """A function that raises an error, whatever it is called with."""

    def function(*_arguments, **_named):
        raise error

    return function


def classes_of(module, home):
    """The exception classes that a module offers and its own code defines, by name."""
    found = {name: each for name, each in vars(module).items() if isinstance(each, type)}
    return {
        name: each
        for name, each in found.items()
        if issubclass(each, BaseException) and each.__module__.startswith(home) and each.__name__ == name
    }


# --- the operating system


EXHAUSTED = {"ENOSPC", "EDQUOT", "ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "ENOBUFS", "ENOLCK"}


@pytest.mark.parametrize("name", errno.errorcode.values())
def test_every_number_of_the_operating_systems_has_a_meaning(name):
    """What can be freed is a resource that ran out; all the rest is storage that failed; the number's text is told."""
    number = getattr(errno, name)
    names = {each for each in EXHAUSTED if getattr(errno, each, None) == number}
    with pytest.raises(DigitJobError) as error, translated_errors("/in/a.csv"):
        raise OSError(number, "other words", "/in/a.csv")
    assert type(error.value) is (ResourceExhausted if names else StorageError)
    assert str(error.value).startswith(f"/in/a.csv: {os.strerror(number)}")
    assert error.value.can_retry


def test_an_os_error_without_number_is_told_in_one_line():
    """Arrow has such."""
    with pytest.raises(StorageError) as error, translated_errors("/in/a.csv"):
        raise OSError("no number\nand more")
    assert str(error.value) == "/in/a.csv: no number"


@pytest.mark.parametrize("kind", [MemoryError, pa.ArrowMemoryError])
def test_out_of_memory_is_a_resource_that_ran_out(kind):
    """Python's and Arrow's; the message says what to do."""
    with pytest.raises(ResourceExhausted) as error, translated_errors("/in/a.csv"):
        raise kind("malloc of size 64 failed")
    assert str(error.value) == "/in/a.csv: out of memory; lower --threads, or give the job more memory"


def test_no_room_for_a_thread_of_arrows_is_a_resource_that_ran_out():
    """Arrow has no class for it; other errors of this kind are not translated here."""
    with (
        pytest.raises(ResourceExhausted, match=r"^/in/a\.csv: cannot start threads to read it"),
        translated_errors("/in/a.csv"),
    ):
        raise pa.ArrowInvalid("Unable to start worker thread: Resource temporarily unavailable")
    with pytest.raises(pa.ArrowInvalid, match="damaged"), translated_errors("/in/a.csv"):
        raise pa.ArrowInvalid("damaged")


def test_an_error_that_is_translated_already_stays_what_it_is():
    """Doors stand in doors: the inner one knows more."""
    inner = DataError("inner")
    with pytest.raises(DataError) as error, translated_errors("/in/a.csv"):
        raise inner
    assert error.value is inner


def test_no_room_for_another_thread_is_a_resource_that_ran_out(tmp_path, model, digits, monkeypatch):
    """Python has a RuntimeError for it, where a container may have no more processes."""
    source = write_csv(tmp_path / "a.csv", digits)
    monkeypatch.setattr(threading.Thread, "start", raises(RuntimeError("can't start new thread")))
    with pytest.raises(ResourceExhausted, match="cannot start 2 threads; lower --threads"):
        score(source, tmp_path / "out", model, threads=2)
    monkeypatch.undo()
    assert not list((tmp_path / "out/_parts").glob("*.arrow"))
    assert not score(source, tmp_path / "out", model).was_done


# --- Arrow


ARROW = {
    "ArrowException": DataError, "ArrowInvalid": DataError, "ArrowKeyError": DataError, "ArrowTypeError": DataError,
    "ArrowIndexError": DataError, "ArrowNotImplementedError": DataError, "ArrowSerializationError": DataError,
    "ArrowCapacityError": DataError, "ArrowMemoryError": ResourceExhausted,
}  # fmt: skip
# Only readers of CSV and data sets take a StopToken, and none of them is used.
ARROW_NOT_REACHING = {"ArrowCancelled"}


def test_every_error_of_arrow_is_known():
    """A new class must be decided on, above."""
    assert set(classes_of(pa.lib, "pyarrow")) <= set(ARROW) | ARROW_NOT_REACHING


OS_ERRORS = [
    (OSError("Corrupt snappy compressed data."), DataError), (OSError(errno.EIO, "failed"), StorageError),
    (OSError(errno.ESTALE, "stale"), StorageError), (OSError(errno.ENOMEM, "no memory"), ResourceExhausted),
    (MemoryError(), ResourceExhausted),
]  # fmt: skip
READING = [*((getattr(pa.lib, name)("said\nmore"), meaning) for name, meaning in ARROW.items()), *OS_ERRORS]


@pytest.mark.parametrize(("error", "meaning"), READING, ids=repr)
def test_what_arrow_raises_over_parquet(tmp_path, storage, monkeypatch, error, meaning):
    """Damaged data, storage that fails and lack of memory are told apart, and the file is named."""
    path = write_parquet(tmp_path / "a.parquet", make_digits(3))
    file = storage.stat(str(path))
    source = parquet_source(storage, file, ReadSettings())
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", raises(error))
    with pytest.raises(DigitJobError) as found:
        list(source.read(storage, source.split(1 << 20)[0], 100))
    assert type(found.value) is meaning
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("error", "meaning"), READING, ids=repr)
def test_what_arrow_raises_over_a_committed_part(tmp_path, storage, monkeypatch, error, meaning):
    """A part is our own: one that is not whole is no fault of the data."""
    monkeypatch.setattr(pa.ipc, "open_file", raises(error))
    path = tmp_path / "0.arrow"
    path.write_bytes(b"")
    with pytest.raises(DigitJobError) as found, opened_part(storage, str(path)):
        pass
    assert type(found.value) is (InternalError if meaning is DataError else meaning)
    assert str(found.value).startswith(f"{path}: ")


# --- unpacking


UNPACKING = [
    *READING, (EOFError("cut off"), DataError), (zlib.error("invalid block"), DataError),
    (lzma.LZMAError("corrupt"), DataError), (igzip_lib.error("damaged"), DataError),
    (zipfile.BadZipFile("bad"), DataError), (NotImplementedError("that method"), DataError),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name"), DataError),
]  # fmt: skip


def test_every_error_of_the_unpackers_is_known():
    """LargeZipFile is for whoever writes archives, and none are written."""
    found = {
        each
        for module, home in ((zlib, "zlib"), (lzma, "_lzma"), (zipfile, "zipfile"), (igzip_lib, "igzip_lib"))
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseException) and each.__module__ == home
    }
    assert found - {zipfile.LargeZipFile} <= {type(error) for error, _ in UNPACKING}


@pytest.mark.parametrize(("error", "meaning"), UNPACKING, ids=repr)
def test_what_unpackers_raise(tmp_path, storage, monkeypatch, error, meaning):
    """Damaged data, storage that fails and lack of memory are told apart, and the file is named."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"\x1f\x8b and so on")
    monkeypatch.setitem(compression.UNPACKERS, compression.Compression.GZIP, raises(error))
    with (
        pytest.raises(DigitJobError) as found,
        compression.opened(storage, storage.stat(str(path))) as content,
    ):
        content.stream.read(1)
    assert type(found.value) is meaning
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


# --- pictures


def test_every_error_of_pillow_is_known():
    """Its two others are about pictures of too many pixels, and those are refused by their headers."""
    found = {**classes_of(PIL, "PIL"), **classes_of(PIL.Image, "PIL")}
    assert set(found) <= {"UnidentifiedImageError", "DecompressionBombError", "DecompressionBombWarning"}


@pytest.mark.parametrize("error", [PIL.UnidentifiedImageError("what is it"), OSError("broken data stream")], ids=repr)
def test_what_pillow_raises(monkeypatch, error):
    """Is about the picture, which is rejected alone."""
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile", raises(error))
    head = SIGNATURE + b"\0\0\0\x0dIHDR" + (28).to_bytes(4, "big") * 2
    with pytest.raises(BadPicture, match="is a damaged PNG"):
        decode_png(head)


# --- ONNX Runtime


REFUSALS = {
    "EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NoSuchFile", "NotFound",
    "NotImplemented", "RuntimeException",
}  # fmt: skip
ORT_NOT_REACHING = {
    "DeviceReset": "the processor is the only device asked for",
    "EngineError": "the same",
    "ModelLoaded": "each session loads one network, once",
    "ModelLoadCanceled": "no loading is ever cancelled",
    "ModelRequiresCompilation": "for devices that compile ahead of time; no option asks for it",
}


def test_every_error_of_onnx_runtime_is_known():
    """A new class must be decided on, above."""
    assert set(classes_of(ort_errors, "onnxruntime")) <= REFUSALS | set(ORT_NOT_REACHING)


ORT_ERRORS = [
    *((getattr(ort_errors, name)("it is so\nmore"), ModelInvalid) for name in sorted(REFUSALS)),
    (ort_errors.Fail("Exception during loading: std::bad_alloc"), ResourceExhausted),
    (ort_errors.Fail("bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 9"), ResourceExhausted),
    (ort_errors.RuntimeException("Status Message: std::bad_alloc"), ResourceExhausted),
    (MemoryError("std::bad_alloc"), ResourceExhausted),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name"), ModelInvalid),
]


@pytest.mark.parametrize(("error", "meaning"), ORT_ERRORS, ids=repr)
@pytest.mark.parametrize("verb", ["load", "run"])
def test_what_onnx_runtime_raises(monkeypatch, verb, error, meaning):
    """A network that cannot be loaded or run is invalid, unless it was memory that it lacked; its file is named."""
    predictor = OnnxPredictor(linear_onnx(), "m/model.onnx")
    monkeypatch.setattr(ort, "InferenceSession", raises(error))
    monkeypatch.setattr(predictor._session, "run", raises(error))
    with pytest.raises(DigitJobError) as found:
        OnnxPredictor(b"", "m/model.onnx") if verb == "load" else predictor.predict(make_digits(1).pixels)
    assert type(found.value) is meaning
    assert str(found.value).startswith("m/model.onnx: ")
    assert "\n" not in str(found.value)


# --- what is left: the command itself


@pytest.mark.parametrize(
    ("error", "code", "has_traceback"),
    [
        (MemoryError(), 75, False), (pa.ArrowMemoryError("malloc failed"), 75, False),
        (RecursionError("maximum recursion depth exceeded"), 70, True),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 70, True),
        (pa.ArrowInvalid("of our own making"), 70, True), (OSError(errno.EIO, "behind no door"), 70, True),
        (tokenize.TokenError("whatever"), 70, True), (InternalError("rows do not add up"), 70, False),
        (StorageError("a.csv: Input/output error"), 74, False),
    ],
    ids=repr,
)  # fmt: skip
def test_what_comes_through_every_door(monkeypatch, caplog, error, code, has_traceback):
    """Lack of memory anywhere is worth another try; what nobody foresaw is a defect, and told with its traceback."""
    monkeypatch.setattr(cli, "app", raises(error))
    monkeypatch.setattr("job.log.set_up", lambda *_: None)  # caplog hears what goes up to the root
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == code
    assert bool(caplog.records[-1].exc_info) == has_traceback


def _broad_handlers():
    for path in SOURCES:
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            caught = ast.unparse(node.type) if isinstance(node, ast.ExceptHandler) and node.type else ""
            is_bare = isinstance(node, ast.ExceptHandler) and node.type is None
            is_suppressed = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
            caught += ast.unparse(node) if is_suppressed else ""
            if is_bare or {"Exception", "BaseException"} & set(caught.replace("(", " ").replace(")", " ").split()):
                yield f"{path.relative_to(SOURCES[0].parent)}:{node.lineno}", text.splitlines()[node.lineno - 1]


def test_there_is_a_reason_behind_every_handler_of_everything():
    """On its line; a `noqa` alone is none."""
    found = dict(_broad_handlers())
    reasons = {place: line.rpartition("#")[2].strip() for place, line in found.items() if "#" in line}
    assert "cli/__init__.py" in " ".join(found)
    assert not [place for place in found if len(reasons.get(place, "")) < 10 or "noqa" in reasons[place]]
