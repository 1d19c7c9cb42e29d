import json

import pytest
from support.outputs import scored, write_output

from job.errors import DataError, NoInput, OutputOccupied
from job.results.finished import open_finished


@pytest.fixture
def folder(tmp_path):
    """The output of a finished run."""
    return write_output(tmp_path / "out", {"in/a.csv": scored([1, 2], [1, 3])})


def test_finished_output_is_opened(storage, folder):
    """Report, manifest, inputs and files."""
    found = open_finished(storage, str(folder))
    assert found.report["accuracy"] == 0.5
    assert found.manifest["fingerprint"] == "of model"
    assert [(each.path, each.rows) for each in found.inputs] == [("in/a.csv", 2)]
    assert found.checked_path(storage, found.inputs[0].predictions) == f"{folder}/predictions/in/a.csv.csv"


def test_unfinished_output_is_no_input(storage, folder, tmp_path):
    """A missing path, a file, another folder, an unfinished run: the message says which, and what to do."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name, problem in {
        "none": "none: is not a folder; name the --output folder of a finished",
        "file": "file: is a file; name the --output folder",
        "empty": r"empty: holds no finished output \(no _SUCCESS\)",
    }.items():
        with pytest.raises(NoInput, match=problem):
            open_finished(storage, str(tmp_path / name))
    (folder / "_SUCCESS").unlink()
    (folder / "_parts").mkdir()
    with pytest.raises(NoInput, match="holds an unfinished run; run its `digit-job score` command again to finish it"):
        open_finished(storage, str(folder))


@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff", b"{}", b"[" * 100_000])
def test_damaged_output_is_refused(storage, folder, name, content):
    """The missing or damaged file is named."""
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: .*score again with --overwrite"):
        open_finished(storage, str(folder))


def test_a_changed_report_is_refused(storage, folder):
    """By its digest in the manifest."""
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "accuracy": 1.0}))
    with pytest.raises(DataError, match=r"report\.json: its SHA-256 is not the one in manifest\.json"):
        open_finished(storage, str(folder))


@pytest.mark.parametrize("field", ["inputs", "outputs", "fingerprint", "timings"])
@pytest.mark.parametrize("value", [..., 7, "x", [7], None])
def test_a_manifest_of_another_form_is_refused(storage, folder, field, value):
    """As damaged, not as a defect of the job."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest = {name: content for name, content in {**manifest, field: value}.items() if content is not ...}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest\.json: "):
        open_finished(storage, str(folder))


def test_the_success_of_another_run_is_refused(storage, folder):
    """When the folder is opened, and later."""
    found = open_finished(storage, str(folder))
    found.check_unclaimed(storage)
    (folder / "_SUCCESS").write_text("of another\n")
    with pytest.raises(OutputOccupied, match="was claimed by another run meanwhile"):
        found.check_unclaimed(storage)
    with pytest.raises(DataError, match="is not of the run whose _SUCCESS is beside it"):
        open_finished(storage, str(folder))


def test_a_missing_or_changed_file_is_named(storage, folder):
    """With its sizes."""
    found = open_finished(storage, str(folder))
    path = folder / "predictions/in/a.csv.csv"
    path.write_text("prediction\n")
    with pytest.raises(DataError, match=r"a\.csv\.csv: has 11 bytes, but had \d+ when the run finished"):
        found.checked_path(storage, "predictions/in/a.csv.csv")
    path.unlink()
    for missing in ("predictions/in/a.csv.csv", "predictions/b.csv"):
        with pytest.raises(DataError, match=rf"{missing}: is missing, though the run finished"):
            found.checked_path(storage, missing)


def _with_predictions(folder, name):
    """Make a manifest name another file as the predictions of its input."""
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace("predictions/in/a.csv.csv", name))


@pytest.mark.parametrize("name", ["../secret", "{folder}/../secret", "predictions/../../secret", "./../secret", ""])
def test_a_manifest_cannot_name_a_file_outside_its_folder(storage, folder, name):
    """The folder may be anyone's: the file would be read for them."""
    (folder.parent / "secret").write_text("root:x:0:0\n")
    _with_predictions(folder, name.format(folder=folder))
    with pytest.raises(
        DataError, match=r"manifest\.json: was changed .* expected a relative path that stays in its folder"
    ):
        open_finished(storage, str(folder))


def test_predictions_behind_a_link_are_not_read(storage, folder):
    """Neither the file nor a folder above it may be one that leads out; within the folder, links are followed."""
    path = folder / "predictions/in/a.csv.csv"
    (folder / "b.csv").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to("../../b.csv")
    found = open_finished(storage, str(folder))
    assert found.checked_path(storage, found.inputs[0].predictions) == str(path)
    (folder / "b.csv").rename(folder.parent / "b.csv")
    path.unlink()
    path.symlink_to("../../../b.csv")
    with pytest.raises(DataError, match=r"'predictions/in/a\.csv\.csv' leads out of the folder"):
        found.checked_path(storage, found.inputs[0].predictions)
    path.unlink()
    path.parent.rmdir()
    (folder.parent / "b.csv").rename(folder.parent / "a.csv.csv")
    path.parent.symlink_to(folder.parent)
    with pytest.raises(DataError, match="leads out of the folder"):
        found.checked_path(storage, found.inputs[0].predictions)


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json", "report.json"])
def test_documents_behind_a_link_are_not_read(storage, folder, name):
    """Nor is any of a link's target shown."""
    (folder.parent / "secret").write_text("root:x:0:0\n")
    (folder / name).unlink()
    (folder / name).symlink_to("../secret")
    with pytest.raises(DataError, match=f"'{name}' leads out of the folder") as error:
        open_finished(storage, str(folder))
    assert "root:" not in str(error.value)


def test_failed_gates_behind_a_link_are_not_shown(storage, folder):
    """`_FAILED` of a run that fell short is quoted, if it is the folder's own."""
    (folder.parent / "secret").write_text("root:x:0:0\n")
    (folder / "_SUCCESS").unlink()
    (folder / "_FAILED").symlink_to("../secret")
    with pytest.raises(DataError, match="'_FAILED' leads out of the folder"):
        open_finished(storage, str(folder))


def test_a_folder_that_is_a_link_is_opened(storage, folder):
    """Users keep a link to the latest results."""
    (folder.parent / "latest").symlink_to(folder)
    found = open_finished(storage, str(folder.parent / "latest"))
    assert found.checked_path(storage, found.inputs[0].predictions).startswith(str(folder.parent / "latest"))
