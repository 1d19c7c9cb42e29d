import hashlib
import itertools
import json
import shutil
from pathlib import Path

import pytest
from support.faulty_file_system import Dead, FaultyFileSystem, die, with_error
from support.files import make_digits, write_csv
from support.runs import files_below, is_temporary, score

from job.errors import DataError, OutputOccupied, ResourceExhausted, StorageError
from job.results.finished import open_finished
from job.results.rerender import rerender
from job.storage import LocalStorage

ANOTHER = b"as another version rendered it"


@pytest.fixture(scope="module")
def result(tmp_path_factory, model):
    """A run's output whose page another version has rendered; treat as read-only."""
    folder = tmp_path_factory.mktemp("run")
    score(write_csv(folder / "a.csv", make_digits(50)), folder / "out", model)
    (folder / "out/report.html").write_bytes(ANOTHER)
    change_entry(folder / "out", "report.html", ANOTHER)
    return folder / "out"


@pytest.fixture
def folder(result, tmp_path):
    """A copy of it that a test may change."""
    return Path(shutil.copytree(result, tmp_path / "out"))


def change_entry(folder, name, content):
    """Change a file's entry in the manifest as if the run had written this content."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (entry,) = (each for each in manifest["outputs"] if each["path"] == name)
    entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "digit_job": "0.0.9"}, indent=2) + "\n")


def render_again(folder, storage):
    return rerender(storage, open_finished(storage, str(folder)))


def test_the_run_s_own_page_is_rendered_again_byte_for_byte(tmp_path, model, storage):
    """Nothing else changes, and a damaged or missing page is restored."""
    score(write_csv(tmp_path / "a.csv", make_digits(50)), tmp_path / "out", model)
    before = files_below(tmp_path / "out")
    assert render_again(tmp_path / "out", storage)
    assert files_below(tmp_path / "out") == before
    (tmp_path / "out/report.html").write_text("spoilt")
    assert render_again(tmp_path / "out", storage)
    (tmp_path / "out/report.html").unlink()
    assert render_again(tmp_path / "out", storage)
    assert files_below(tmp_path / "out") == before


def test_the_manifest_gets_the_digest_of_a_changed_page(folder, storage):
    """Its other content stays the same."""
    before = json.loads((folder / "manifest.json").read_text())
    assert not render_again(folder, storage)
    after, page = json.loads((folder / "manifest.json").read_text()), (folder / "report.html").read_bytes()
    found = {each["path"]: each for each in after.pop("outputs")}
    assert found["report.html"] == {
        "path": "report.html", "bytes": len(page), "sha256": hashlib.sha256(page).hexdigest(),
    }  # fmt: skip
    others = {each["path"]: each for each in before.pop("outputs")}
    assert {**others, "report.html": found["report.html"]} == found
    assert after == before
    assert render_again(folder, storage)


def test_a_report_without_what_the_page_shows_is_refused(folder, storage):
    """Such as one of an older version."""
    report = json.loads((folder / "report.json").read_text())
    del report["top2_accuracy"]
    content = json.dumps(report).encode()
    (folder / "report.json").write_bytes(content)
    change_entry(folder, "report.json", content)
    with pytest.raises(
        DataError, match=r"lacks what this version's page shows \(.*top2_accuracy.*written by digit-job 0"
    ):
        render_again(folder, storage)
    assert (folder / "report.html").read_bytes() == ANOTHER


def test_a_folder_claimed_by_another_run_is_not_changed(folder, storage):
    """The page of one run is never put beside the predictions of another."""
    finished = open_finished(storage, str(folder))
    (folder / "_SUCCESS").unlink()
    with pytest.raises(OutputOccupied):
        rerender(storage, finished)
    assert (folder / "report.html").read_bytes() == ANOTHER
    assert not any(is_temporary(path) for path in files_below(folder))


@pytest.mark.slow
@pytest.mark.parametrize("fault", [with_error(), die], ids=["error", "death"])
def test_whatever_operation_fails_the_page_is_whole_and_a_second_call_completes(result, tmp_path, fault):
    """The old page or the new one, never half of one."""
    expected = Path(shutil.copytree(result, tmp_path / "expected"))
    render_again(expected, LocalStorage())
    for at in itertools.count(1):
        folder = Path(shutil.copytree(result, tmp_path / str(at)))
        system = FaultyFileSystem(fault, at)
        try:
            render_again(folder, LocalStorage(system))
        except (StorageError, ResourceExhausted, Dead):
            assert system.was_struck
        old_or_new = {ANOTHER, (expected / "report.html").read_bytes()}
        assert (folder / "report.html").read_bytes() in old_or_new
        render_again(folder, LocalStorage())
        found = {path: content for path, content in files_below(folder).items() if not is_temporary(path)}
        assert found == files_below(expected)
        if not system.was_struck:
            break
    assert at > 5
