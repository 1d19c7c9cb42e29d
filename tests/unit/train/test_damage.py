"""What a library raises is a file's damage (78), unless the machine lacks something (74, 75)."""

import errno
import io
import os
from contextlib import suppress

import h5py
import numpy as np
import pytest

from job.errors import ModelInvalid, NoInput, ResourceExhausted, StorageError
from job.model.model_kind import ModelKind
from job.train.damage import damage_of
from job.train.export import claims
from job.train.export.claims import check_hdf5
from job.train.export.foreign import load_foreign


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's, whose message names the tensor."""


def _caused(cause):
    error = ValueError("Keras wraps it")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("damaged"), ModelInvalid),
        (KeyError("layers"), ModelInvalid),
        (FileNotFoundError(errno.ENOENT, "none"), ModelInvalid),
        (OSError("file signature not found"), ModelInvalid),
        (MemoryError(), ResourceExhausted),
        (ResourceExhaustedError("OOM when allocating tensor"), ResourceExhausted),
        (OSError(errno.ENOSPC, "full"), ResourceExhausted),
        (OSError(errno.EMFILE, "many"), ResourceExhausted),
        (OSError(errno.EIO, "disk"), StorageError),
        (RuntimeError("Can't write data (errno = 28, error message = 'No space left on device')"), ResourceExhausted),
        (_caused(MemoryError()), ResourceExhausted),
        (_caused(OSError(errno.ENOSPC, "full")), ResourceExhausted),
        (NoInput("m: passes"), NoInput),
    ],
    ids=repr,
)
def test_each_error_has_the_exit_code_of_its_cause(error, expected):
    """A command that lacked memory can be repeated; a damaged file stays damaged."""
    with pytest.raises(expected, match=r"^m: ") as found, damage_of("m", lambda each: f"m: {each!s}"):
        raise error
    assert type(found.value) is expected


def test_a_missing_library_is_no_damage():
    """`requires_extra` names the extra."""
    with pytest.raises(ImportError), damage_of("m", str):
        raise ModuleNotFoundError("tf2onnx")


def _hdf5(**attributes):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("group/weights", data=np.ones((784, 10), np.float32))
        file.attrs.update(attributes)
    return content.getvalue()


def test_an_hdf5_file_is_read_whole_in_a_process_of_its_own(monkeypatch):
    """A file that crashes libhdf5 ends that process alone."""
    check_hdf5(_hdf5(model_config="{}"), "m")
    monkeypatch.setattr(claims.read_hdf5, "__module__", "unit_crash")
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    with pytest.raises(ModelInvalid, match=r"^m: (crashes the library|ends the process)"):
        check_hdf5(_hdf5(), "m")


@pytest.mark.slow
def test_flipped_bytes_of_an_hdf5_file_end_no_process():
    """Wherever they are in its metadata: it is read, or refused."""
    content = _hdf5(model_config="{}")
    for place in range(0, min(len(content), 2000), 200):
        changed = bytearray(content)
        changed[place : place + 8] = b"\xff" * 8
        with suppress(ModelInvalid):
            check_hdf5(bytes(changed), "m")


@pytest.mark.parametrize("config", [5, np.ones(3), b"\xff", "[" * 900 + "]" * 900, "5"], ids=repr)
def test_an_architecture_that_is_no_text_is_refused(config):
    """An attribute of an HDF5 file has any type."""
    with pytest.raises(ModelInvalid, match=r"^m: "):
        load_foreign(_hdf5(model_config=config), "m", ModelKind.HDF5)
