import os

import pytest
from support.files import make_digits, write_csv

from job.errors import InputChanged, StorageError
from job.storage import check_unchanged


@pytest.fixture
def path(tmp_path):
    return write_csv(tmp_path / "a.csv", make_digits(2))


def test_an_unchanged_file_passes(storage, path):
    """Reading it does not change it."""
    seen = storage.stat(str(path))
    storage.read(str(path))
    check_unchanged(storage, seen)


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b""), lambda path: os.utime(path, ns=(1, 1))])
def test_a_changed_file_is_input_changed(storage, path, change):
    """By its size or its modification time."""
    seen = storage.stat(str(path))
    change(path)
    with pytest.raises(InputChanged, match=r"a\.csv: was changed while it was being read"):
        check_unchanged(storage, seen)


def test_a_removed_file_is_a_storage_error(storage, path):
    """It may come back unchanged, so that the committed parts stay."""
    seen = storage.stat(str(path))
    path.unlink()
    with pytest.raises(StorageError, match=r"a\.csv: was removed while it was being read") as error:
        check_unchanged(storage, seen)
    assert not isinstance(error.value, InputChanged)
