import pytest

from job.telemetry.termination import VARIABLE, write_termination_message


def test_the_message_is_written_into_an_existing_file(tmp_path, monkeypatch):
    """In place, because the file is a mount, which cannot be renamed over."""
    path = tmp_path / "termination-log"
    path.write_text("a longer message of an earlier run in this container " * 9)
    inode = path.stat().st_ino
    monkeypatch.setenv(VARIABLE, str(path))
    write_termination_message(65, "a.csv: too many rejects")
    assert path.read_text() == "exit code 65: a.csv: too many rejects"
    assert path.stat().st_ino == inode


def test_no_file_is_created(tmp_path):
    """Outside Kubernetes there is none."""
    write_termination_message(65, "too many rejects", str(tmp_path / "termination-log"))
    assert list(tmp_path.iterdir()) == []


def test_the_message_is_truncated_to_what_kubernetes_shows(tmp_path):
    """4,096 bytes, at the end of a character."""
    path = tmp_path / "termination-log"
    path.touch()
    write_termination_message(70, "é" * 5000, str(path))
    assert len(path.read_bytes()) == 4096
    assert path.read_text().endswith("éé")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.symlink_to("/dev/null")])
def test_folders_and_devices_are_ignored(tmp_path, caplog, make):
    """Without a warning."""
    make(tmp_path / "termination-log")
    write_termination_message(70, "defect", str(tmp_path / "termination-log"))
    assert caplog.records == []


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path, caplog, monkeypatch):
    """The exit code stays."""
    path = tmp_path / "termination-log"
    path.touch()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    write_termination_message(70, "defect", str(path))
    [record] = caplog.records
    assert (record.levelname, record.event) == ("WARNING", "telemetry_failed")
    assert record.message == f"{path}: Permission denied"
