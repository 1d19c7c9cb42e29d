import errno
import os

import pyarrow as pa
import pytest

from job.errors import DataError, DigitJobError, ResourceExhausted, StorageError
from job.storage import is_system_error, translated_errors

EXHAUSTED = {"ENOSPC", "EDQUOT", "ENOMEM", "EMFILE", "ENFILE", "EAGAIN", "ENOBUFS", "ENOLCK"}


def test_every_errno_is_translated():
    """A resource that can be freed is ResourceExhausted, every other errno StorageError; the message is strerror's."""
    exhausted = {getattr(errno, name) for name in EXHAUSTED if hasattr(errno, name)}
    for number in errno.errorcode:
        with pytest.raises(DigitJobError) as error, translated_errors("/in/a.csv"):
            raise OSError(number, "other words", "/in/a.csv")
        assert type(error.value) is (ResourceExhausted if number in exhausted else StorageError), errno.errorcode[
            number
        ]
        assert str(error.value).startswith(f"/in/a.csv: {os.strerror(number)}")
        assert error.value.can_retry


def test_an_os_error_without_errno_is_one_line():
    """Arrow raises such errors, with many lines."""
    with pytest.raises(StorageError) as error, translated_errors("/in/a.csv"):
        raise OSError("no number\nand more")
    assert str(error.value) == "/in/a.csv: no number"


@pytest.mark.parametrize("kind", [MemoryError, pa.ArrowMemoryError])
def test_out_of_memory_is_resource_exhausted(kind):
    """Python's and Arrow's; the message says what to do."""
    with pytest.raises(ResourceExhausted) as error, translated_errors("/in/a.csv"):
        raise kind("malloc of size 64 failed")
    assert str(error.value) == "/in/a.csv: out of memory; lower --threads, or give the job more memory"


def test_a_thread_that_arrow_cannot_start_is_resource_exhausted():
    """Arrow has no exception class for it; its other errors pass unchanged."""
    with (
        pytest.raises(ResourceExhausted, match=r"^/in/a\.csv: cannot start threads to read it"),
        translated_errors("/in/a.csv"),
    ):
        raise pa.ArrowInvalid("Unable to start worker thread: Resource temporarily unavailable")
    with pytest.raises(pa.ArrowInvalid, match="damaged"), translated_errors("/in/a.csv"):
        raise pa.ArrowInvalid("damaged")


def test_a_translated_error_is_not_translated_again():
    """Blocks may be nested; the inner one knows more."""
    inner = DataError("inner")
    with pytest.raises(DataError) as error, translated_errors("/in/a.csv"):
        raise inner
    assert error.value is inner


@pytest.mark.parametrize(
    ("error", "is_system"),
    [
        (OSError(errno.EIO, "failed"), True), (OSError("Corrupt snappy compressed data."), False),
        (MemoryError(), True), (pa.ArrowMemoryError("malloc failed"), True), (pa.ArrowInvalid("damaged"), False),
        (pa.ArrowInvalid("Unable to start worker thread"), True), (ValueError("damaged"), False),
    ],
    ids=repr,
)  # fmt: skip
def test_system_errors_are_distinguished_from_damaged_content(error, is_system):
    """By the errno, the lack of memory, or Arrow's text about threads."""
    assert is_system_error(error) == is_system
