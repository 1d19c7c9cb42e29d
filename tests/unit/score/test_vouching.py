"""--overwrite removes what runs have written, and nothing that only has the name of it."""

import json
import logging

import pytest
from support.files import write_csv
from support.models import write_model
from support.runs import files_below, score

from job.errors import OutputOccupied


@pytest.fixture
def source(tmp_path, digits):
    return write_csv(tmp_path / "a.csv", digits)


@pytest.fixture
def finished(tmp_path, source, model):
    """The output folder of a finished run with other settings."""
    score(source, tmp_path / "out", model, has_probabilities=True)
    return tmp_path / "out"


@pytest.fixture
def overwrite(source, model, tmp_path):
    """Score into the folder `out` with --overwrite."""
    return lambda: score(source, tmp_path / "out", model, is_overwriting=True)


def test_the_results_of_another_run_are_replaced(finished, overwrite, caplog):
    """The log says what was removed."""
    with caplog.at_level(logging.INFO):
        assert not overwrite().was_done
    assert (
        f"{finished}: removed another run's report.json, report.html, predictions, _SUCCESS, manifest.json"
        in caplog.text
    )


def _another_program_s_success(folder):
    (folder / "_SUCCESS").write_bytes(b"")


def _another_program_s_manifest(folder):
    (folder / "manifest.json").write_text(json.dumps({"outputs": [{"path": "manifest.json"}]}))


def _another_run_json(folder):
    (folder / "_parts").mkdir()
    (folder / "_parts/run.json").write_text('{"fingerprint": "x", "part_bytes": 1, "made": "by others"}')


def _notes_in_parts(folder):
    (folder / "_parts").mkdir()
    (folder / "_parts/notes.txt").write_text("")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda folder: write_csv_in(folder / "predictions"), "predictions/2020.csv"),
        (lambda folder: write_csv_in(folder / "rejects/deep"), "rejects/deep/2020.csv"),
        (lambda folder: (folder / "report.html").write_text("a page"), "report.html"),
        (lambda folder: (folder / "report.json").write_text("{}"), "report.json"),
        (lambda folder: (folder / "predictions").symlink_to(folder.parent), "predictions"),
        (lambda folder: (folder / "report.html").symlink_to("/nowhere"), "report.html"),
        (_another_program_s_success, "_SUCCESS"),
        (_another_program_s_manifest, "manifest.json"),
        (_another_run_json, "_parts/run.json"),
        (_notes_in_parts, "_parts/notes.txt"),
    ],
)
def test_a_folder_without_a_sign_of_a_run(tmp_path, overwrite, make, named):
    """Nothing is removed from a repository, an input folder or another program's output."""
    (tmp_path / "out").mkdir()
    make(tmp_path / "out")
    before = files_below(tmp_path)
    with pytest.raises(OutputOccupied, match=f"out/{named}: was not written by a run.* --overwrite does not remove it"):
        overwrite()
    assert files_below(tmp_path) == before


def write_csv_in(folder):
    folder.mkdir(parents=True)
    (folder / "2020.csv").write_text("1,2,3")


@pytest.mark.parametrize("name", ["predictions/mine.csv", "predictions/.hidden", "rejects/mine.csv"])
def test_files_that_somebody_put_among_the_results(finished, overwrite, name):
    """They would be lost, or taken for the new run's."""
    (finished / name).parent.mkdir(exist_ok=True)
    (finished / name).write_text("mine")
    before = files_below(finished)
    with pytest.raises(OutputOccupied, match=f"out/{name}: was not written by a run"):
        overwrite()
    assert files_below(finished) == before


def test_a_manifest_that_lists_other_people_s_files(finished, overwrite, tmp_path):
    """It vouches for nothing outside its folder."""
    (tmp_path / "precious").write_text("")
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["outputs"] += [{"path": path} for path in ("../precious", str(tmp_path / "precious"))]
    (finished / "manifest.json").write_text(json.dumps(manifest))
    overwrite()
    assert (tmp_path / "precious").exists()


def test_the_model_is_never_removed(tmp_path, source):
    """Neither if it lies among the results, nor if the output folder is the model folder."""
    score(source, tmp_path / "out", write_model(tmp_path / "other", seed=2))
    model = write_model(tmp_path / "out/predictions/model")
    before = files_below(tmp_path)
    with pytest.raises(OutputOccupied, match="out/predictions/model: --overwrite would remove the model"):
        score(source, tmp_path / "out", model, is_overwriting=True)
    (model.parent / "model").rename(tmp_path / "model")
    (tmp_path / "model/report.html").write_text("how it was trained")
    with pytest.raises(OutputOccupied, match=r"model/report\.html: was not written by a run"):
        score(source, tmp_path / "model", tmp_path / "model", is_overwriting=True)
    assert len(files_below(tmp_path)) == len(before) + 1


def test_an_interrupted_removal_is_continued(finished, overwrite):
    """The manifest is removed last; and parts are known by their names."""
    for name in ("_SUCCESS", "report.json", "report.html"):
        (finished / name).unlink()
    (finished / "_parts").mkdir()
    (finished / "_parts/000001.arrow").write_bytes(b"")
    (finished / "_parts" / f".{'0a' * 16}.tmp").write_bytes(b"")
    assert not overwrite().was_done
