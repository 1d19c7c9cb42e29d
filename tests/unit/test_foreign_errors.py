"""What the exceptions of libraries become, wherever the job calls them.

The exception classes are listed from the installed libraries. A class that a new version adds fails a test here until
somebody decides which of our errors it becomes, or why it cannot reach us. For errno see storage/test_faults.py.
"""

import ast
import errno
import hashlib
import lzma
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
from pyarrow import feather
from support.files import make_digits, write_parquet
from support.models import linear_onnx

import job
from job.cli import app as cli
from job.errors import (
    DataError,
    DigitJobError,
    InternalError,
    ModelInvalid,
    PartDamaged,
    ResourceExhausted,
    StorageError,
)
from job.model.onnx_predictor import OnnxPredictor
from job.read.arrow_files.arrow_source import arrow_source
from job.read.packed import stream as compression
from job.read.parquet.parquet_source import parquet_source
from job.read.pictures.decoding import BadPicture, decode
from job.settings import ReadSettings
from job.write.part_file import PartFile, open_part

SOURCES = sorted(Path(job.__file__).parent.rglob("*.py"))


def raises(error):
    """A function that raises an error, whatever its arguments."""

    def function(*_arguments, **_named):
        raise error

    return function


def classes_of(module, home):
    """The exception classes that a module defines itself, by name."""
    found = {name: each for name, each in vars(module).items() if isinstance(each, type)}
    return {
        name: each
        for name, each in found.items()
        if issubclass(each, BaseException) and each.__module__.startswith(home) and each.__name__ == name
    }


# Arrow


ARROW = {
    "ArrowException": DataError, "ArrowInvalid": DataError, "ArrowKeyError": DataError, "ArrowTypeError": DataError,
    "ArrowIndexError": DataError, "ArrowNotImplementedError": DataError, "ArrowSerializationError": DataError,
    "ArrowCapacityError": DataError, "ArrowMemoryError": ResourceExhausted,
}  # fmt: skip
# Raised only with a StopToken, which the job passes to no reader.
ARROW_NOT_REACHING = {"ArrowCancelled"}


def test_every_error_of_arrow_is_known():
    """A new class must be added above."""
    assert set(classes_of(pa.lib, "pyarrow")) <= set(ARROW) | ARROW_NOT_REACHING


OS_ERRORS = [
    (OSError("Corrupt snappy compressed data."), DataError), (OSError(errno.EIO, "failed"), StorageError),
    (OSError(errno.ESTALE, "stale"), StorageError), (OSError(errno.ENOMEM, "no memory"), ResourceExhausted),
    (MemoryError(), ResourceExhausted),
]  # fmt: skip
READING = [*((getattr(pa.lib, name)("said\nmore"), expected) for name, expected in ARROW.items()), *OS_ERRORS]


@pytest.mark.parametrize(("error", "expected"), READING, ids=repr)
def test_errors_of_arrow_while_reading_parquet(tmp_path, storage, monkeypatch, error, expected):
    """Damaged data, failing storage and lack of memory are distinguished, and the file is named on one line."""
    path = write_parquet(tmp_path / "a.parquet", make_digits(3))
    file = storage.stat(str(path))
    source = parquet_source(storage, file, ReadSettings())
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", raises(error))
    with pytest.raises(DigitJobError) as found:
        list(source.read(storage, source.split(1 << 20)[0], 100))
    assert type(found.value) is expected
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("error", "expected"), READING, ids=repr)
def test_errors_of_arrow_while_reading_arrow(tmp_path, storage, monkeypatch, error, expected):
    """The same for Arrow's own files."""
    path = tmp_path / "a.feather"
    feather.write_feather(pq.read_table(write_parquet(tmp_path / "a.parquet", make_digits(3))), str(path))
    source = arrow_source(storage, storage.stat(str(path)), ReadSettings())
    monkeypatch.setattr(pa.ipc, "open_file", raises(error))
    with pytest.raises(DigitJobError) as found:
        list(source.read(storage, source.split(1 << 20)[0], 100))
    assert type(found.value) is expected
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("error", "expected"), READING, ids=repr)
def test_errors_of_arrow_while_reading_a_part(tmp_path, storage, monkeypatch, error, expected):
    """A damaged part is worth another try: the next run scores it again."""
    monkeypatch.setattr(pa.ipc, "open_file", raises(error))
    path = tmp_path / "0.arrow"
    file = PartFile(str(path), pa.schema([]), "a part")
    path.write_bytes(hashlib.sha256(file.identity.encode()).digest())
    with pytest.raises(DigitJobError) as found, open_part(storage, file):
        pass
    assert type(found.value) is (PartDamaged if expected is DataError else expected)
    assert str(found.value).startswith(f"{path}: ")


# Decompression


DECOMPRESSING = [
    *READING, (EOFError("cut off"), DataError), (zlib.error("invalid block"), DataError),
    (lzma.LZMAError("corrupt"), DataError), (igzip_lib.error("damaged"), DataError),
    (zipfile.BadZipFile("bad"), DataError), (NotImplementedError("that method"), DataError),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name"), DataError),
]  # fmt: skip


def test_every_error_of_the_decompressors_is_known():
    """Except LargeZipFile, which only a writer of archives can raise."""
    found = {
        each
        for module, home in ((zlib, "zlib"), (lzma, "_lzma"), (zipfile, "zipfile"), (igzip_lib, "igzip_lib"))
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseException) and each.__module__ == home
    }
    assert found - {zipfile.LargeZipFile} <= {type(error) for error, _ in DECOMPRESSING}


@pytest.mark.parametrize(("error", "expected"), DECOMPRESSING, ids=repr)
def test_errors_of_the_decompressors(tmp_path, storage, monkeypatch, error, expected):
    """Damaged data, failing storage and lack of memory are distinguished, and the file is named on one line."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"\x1f\x8b and so on")
    monkeypatch.setitem(compression.UNPACKERS, compression.Compression.GZIP, raises(error))
    with (
        pytest.raises(DigitJobError) as found,
        compression.opened(storage, storage.stat(str(path))) as content,
    ):
        content.stream.read(1)
    assert type(found.value) is expected
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


# Pictures


def test_every_error_of_pillow_is_known():
    """Those about pictures with too many pixels cannot occur: the size in the header is checked first."""
    found = {**classes_of(PIL, "PIL"), **classes_of(PIL.Image, "PIL")}
    assert set(found) <= {"UnidentifiedImageError", "DecompressionBombError", "DecompressionBombWarning"}


@pytest.mark.parametrize("error", [PIL.UnidentifiedImageError("what is it"), OSError("broken data stream")], ids=repr)
def test_errors_of_pillow(monkeypatch, error):
    """They reject one picture."""
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile", raises(error))
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + (28).to_bytes(4, "big") * 2
    with pytest.raises(BadPicture, match="is a damaged PNG"):
        decode(head)


# ONNX Runtime


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
    """A new class must be added above."""
    assert set(classes_of(ort_errors, "onnxruntime")) <= REFUSALS | set(ORT_NOT_REACHING)


ORT_ERRORS = [
    *((getattr(ort_errors, name)("it is so\nmore"), ModelInvalid) for name in sorted(REFUSALS)),
    (ort_errors.Fail("Exception during loading: std::bad_alloc"), ResourceExhausted),
    (ort_errors.Fail("bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 9"), ResourceExhausted),
    (ort_errors.RuntimeException("Status Message: std::bad_alloc"), ResourceExhausted),
    (MemoryError("std::bad_alloc"), ResourceExhausted),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a name"), ModelInvalid),
]


@pytest.mark.parametrize(("error", "expected"), ORT_ERRORS, ids=repr)
@pytest.mark.parametrize("verb", ["load", "run"])
def test_errors_of_onnx_runtime(monkeypatch, verb, error, expected):
    """The network is invalid, unless memory ran out; its file is named on one line."""
    predictor = OnnxPredictor(linear_onnx(), "m/model.onnx")
    monkeypatch.setattr(ort, "InferenceSession", raises(error))
    monkeypatch.setattr(predictor._session._session, "run", raises(error))
    with pytest.raises(DigitJobError) as found:
        OnnxPredictor(b"", "m/model.onnx") if verb == "load" else predictor.predict(make_digits(1).pixels)
    assert type(found.value) is expected
    assert str(found.value).startswith("m/model.onnx: ")
    assert "\n" not in str(found.value)


# The command itself


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
def test_errors_that_nothing_else_translates(monkeypatch, caplog, error, code, has_traceback):
    """Lack of memory can be retried; any other unexpected error is a defect, and has a traceback."""
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


def test_every_broad_exception_handler_states_a_reason():
    """In a comment on its line, other than `noqa`."""
    found = dict(_broad_handlers())
    reasons = {place: line.rpartition("#")[2].strip() for place, line in found.items() if "#" in line}
    assert "cli/app.py" in " ".join(found)
    assert not [place for place in found if len(reasons.get(place, "")) < 10 or "noqa" in reasons[place]]
