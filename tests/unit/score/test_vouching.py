"""--overwrite removes what runs have written, and nothing that only has the name of it."""

import json
import logging

import pytest
from support.files import write_csv
from support.models import write_model
from support.runs import files_below, score

from job.errors import InputChanged, OutputOccupied


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
    """The log says what was removed, and how much."""
    with caplog.at_level(logging.INFO):
        assert not overwrite().was_done
    assert (
        f"{finished}: removed 4 results of another run: predictions/a.csv, report.html, report.json, review"
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
        (lambda folder: write_csv_in(folder / "predictions"), "predictions/a.csv"),
        (lambda folder: (folder / "predictions/a.csv").mkdir(parents=True), "predictions/a.csv"),
        (lambda folder: (folder / "predictions").write_text("a list"), "predictions"),
        (lambda folder: (folder / "rejects").symlink_to(folder.parent), "rejects"),
        (lambda folder: (folder / "report.html").write_text("a page"), "report.html"),
        (lambda folder: (folder / "report.json").write_text("{}"), "report.json"),
        (lambda folder: (folder / "_FAILED").write_text("mine"), "_FAILED"),
        (lambda folder: (folder / "predictions").symlink_to(folder.parent), "predictions"),
        (lambda folder: (folder / "report.html").symlink_to("/nowhere"), "report.html"),
        (lambda folder: (folder / "_parts").write_text("a list of parts"), "_parts"),
        (lambda folder: (folder / "_parts").symlink_to(folder.parent), "_parts"),
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
    with pytest.raises(OutputOccupied, match=rf"out(/{named}: is (in the way|a file)|: the name '{named}' leads out)"):
        overwrite()
    assert files_below(tmp_path) == before


def write_csv_in(folder):
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1,2,3")


@pytest.mark.parametrize(
    "name", ["predictions/mine.csv", "predictions/.hidden", "rejects/mine.jsonl", "predictions/deep/er/a.csv"]
)
@pytest.mark.parametrize("is_unfinished", [True, False])
def test_files_that_somebody_put_among_the_results_stay(finished, overwrite, source, model, name, is_unfinished):
    """Also beside an unfinished run, and if the run that replaces it is replaced itself."""
    if is_unfinished:
        _make_unfinished(finished)
    (finished / name).parent.mkdir(parents=True, exist_ok=True)
    (finished / name).write_text("mine")
    overwrite()
    assert (finished / name).read_text() == "mine"
    _make_unfinished(finished)
    score(source, finished, model, has_probabilities=True, is_overwriting=True)
    assert (finished / name).read_text() == "mine"


def _make_unfinished(folder):
    """The output of a run that was killed after it had written its results."""
    manifest = json.loads((folder / "manifest.json").read_text())
    run = {"fingerprint": manifest["fingerprint"], "part_bytes": 1, "arithmetic": "x"}
    (folder / "_parts").mkdir()
    (folder / "_parts/run.json").write_text(json.dumps(run))
    (folder / "_parts/outputs.json").write_text(json.dumps([each["path"] for each in manifest["outputs"]]))
    for name in ("manifest.json", "_SUCCESS"):
        (folder / name).unlink()


def test_a_file_in_the_place_of_a_result_is_not_replaced(finished, tmp_path, model, digits):
    """A run over another input leaves it alone, and nothing is removed before it is refused."""
    (finished / "predictions/b.csv").write_text("mine")
    before = files_below(finished)
    source = write_csv(tmp_path / "b.csv", digits)
    with pytest.raises(OutputOccupied, match=r"out/predictions/b\.csv: is in the way"):
        score(source, finished, model, is_overwriting=True)
    assert files_below(finished) == before


@pytest.mark.parametrize(
    "listed",
    ["../precious", "{tmp_path}/precious", "predictions/../../precious", "notes.txt", "predictions/link/a.csv", 7],
)
def test_a_manifest_that_lists_other_people_s_files(finished, overwrite, tmp_path, listed):
    """It vouches for nothing outside its folder, for no other names, and for nothing behind a link."""
    for path in (tmp_path / "precious", finished / "notes.txt", tmp_path / "mine/a.csv"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (finished / "predictions/link").symlink_to(tmp_path / "mine")
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["outputs"].append({"path": listed.format(tmp_path=tmp_path) if isinstance(listed, str) else listed})
    (finished / "manifest.json").write_text(json.dumps(manifest))
    overwrite()
    for path in (tmp_path / "precious", finished / "notes.txt", tmp_path / "mine/a.csv"):
        assert path.exists()


def test_the_model_is_never_removed(tmp_path, source):
    """Neither if it is among the results, also through a link, nor if the output folder is the model folder."""
    score(source, tmp_path / "out", write_model(tmp_path / "other", seed=2))
    model = write_model(tmp_path / "out/predictions/model")
    (tmp_path / "link").symlink_to(model)
    before = files_below(tmp_path)
    for path in (model, tmp_path / "link"):
        with pytest.raises(OutputOccupied, match=r"is among the results in .*, which --overwrite replaces"):
            score(source, tmp_path / "out", path, is_overwriting=True)
    model.rename(tmp_path / "model")
    (tmp_path / "model/report.html").write_text("how it was trained")
    with pytest.raises(OutputOccupied, match=r"model/report\.html: is in the way"):
        score(source, tmp_path / "model", tmp_path / "model", is_overwriting=True)
    assert len(files_below(tmp_path)) == len(before) + 1


def test_inputs_in_folders_for_results_are_not_skipped(tmp_path, model, digits):
    """People name their folders predictions, too."""
    (tmp_path / "in/predictions").mkdir(parents=True)
    write_csv(tmp_path / "in/a.csv", digits)
    write_csv(tmp_path / "in/predictions/2020.csv", digits)
    before = files_below(tmp_path)
    for is_overwriting in (False, True):
        with pytest.raises(OutputOccupied, match=r"in/predictions/2020\.csv: is in a place for results"):
            score(tmp_path / "in", tmp_path / "in", model, is_overwriting=is_overwriting)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("named", ["out/predictions/a.csv", "out/predictions", "out/predictions/*.csv", "link/*", "in"])
def test_results_that_are_inputs_are_not_removed(finished, tmp_path, model, digits, named):
    """Whether they are named themselves, or through links."""
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/b.csv", digits)
    (tmp_path / "in/linked.csv").symlink_to(finished / "predictions/a.csv")
    (tmp_path / "link").symlink_to(finished / "predictions")
    before = files_below(tmp_path)
    inputs = [tmp_path / "in/b.csv", tmp_path / named]
    with pytest.raises(OutputOccupied, match="--overwrite would remove this input"):
        score(inputs, finished, model, is_overwriting=True)
    assert files_below(tmp_path) == before


def test_an_interrupted_removal_is_continued(finished, overwrite):
    """A retired manifest vouches, too; and parts are known by their names."""
    for name in ("_SUCCESS", "report.json"):
        (finished / name).unlink()
    (finished / "manifest.json").rename(finished / f".manifest.json.{'0a' * 16}.old")
    (finished / "_parts").mkdir()
    (finished / "_parts/000001.arrow").write_bytes(b"")
    (finished / "_parts" / f".{'0a' * 16}.tmp").write_bytes(b"")
    assert not overwrite().was_done
    assert not list(finished.glob(".*"))


def test_foreign_files_in_the_parts_folder_stay(finished, model, source):
    """The parts of a finished run are removed, and nothing else."""
    (finished / "_parts").mkdir()
    (finished / "_parts/000001.arrow").write_bytes(b"")
    (finished / "_parts/notes.txt").write_text("mine")
    assert score(source, finished, model, has_probabilities=True).was_done
    assert files_below(finished / "_parts") == {"notes.txt": b"mine"}


def test_an_input_that_changes_beside_results_leaves_what_vouches_for_them(finished, source, model, digits):
    """The next run with --overwrite is not refused."""
    (finished / "predictions/a.csv").unlink()

    def change():
        if (finished / "_parts/run.json").exists():
            write_csv(source, digits[:2])

    with pytest.raises(InputChanged):
        score(source, finished, model, has_probabilities=True, check_stop=change)
    assert not score(source, finished, model, is_overwriting=True).was_done
