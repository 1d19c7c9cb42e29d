import hashlib

import pytest

from job.errors import StorageError
from job.score.output import Output
from job.score.output_files import OutputFiles
from job.score.plan import Plan


@pytest.fixture
def files(storage, tmp_path):
    return OutputFiles(Output(storage, str(tmp_path / "out")).claim(Plan((), (), "run"), 100, "", is_overwriting=False))


def test_size_and_digest_of_each_file_are_recorded(files, tmp_path):
    """Of all writes together, once the file is committed."""
    with files.commit("predictions/a.csv") as file:
        file.write(b"one,")
        file.write(memoryview(b"two"))
        assert files.committed == []
    files.write("report.json", b"{}")
    assert (tmp_path / "out/predictions/a.csv").read_bytes() == b"one,two"
    assert files.committed == [
        {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in (("predictions/a.csv", b"one,two"), ("report.json", b"{}"))
    ]


def test_a_file_that_fails_is_not_recorded(files):
    """Nor does it exist."""
    with pytest.raises(ValueError, match="no"), files.commit("a.csv"):
        raise ValueError("no")
    assert files.committed == []


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_file_that_was_removed_or_changed_is_noticed(files, storage, tmp_path, change):
    """Before `_SUCCESS` declares it whole."""
    files.write("predictions/a.csv", b"content")
    files.check_present(storage)
    change(tmp_path / "out/predictions/a.csv")
    with pytest.raises(StorageError, match=r"predictions/a\.csv: was removed or changed while the run was writing"):
        files.check_present(storage)


@pytest.mark.parametrize("name", ["report.html", "manifest.json"])
def test_a_file_with_times_may_be_replaced_by_an_identical_run(files, storage, tmp_path, name):
    """But not be missing."""
    files.write(name, b"content")
    (tmp_path / "out" / name).write_bytes(b"with a longer time")
    files.check_present(storage)
    (tmp_path / "out" / name).unlink()
    with pytest.raises(StorageError):
        files.check_present(storage)
