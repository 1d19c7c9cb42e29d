"""`score` writes the rows to look at; people correct them; nothing that they have done is lost."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from support.command import invoke
from support.files import make_digits, write_csv, write_parquet
from support.log_lines import log_lines
from support.runs import files_below, stable_files

DIGITS = make_digits(120, seed=4)
PICTURES = ["--review-pictures", "sheet", "--review-pictures", "label-studio", "--review-pictures", "folders"]


@pytest.fixture
def source(tmp_path):
    """A file of 120 labelled digits."""
    write_csv(tmp_path / "a.csv", DIGITS)
    return tmp_path / "a.csv"


def score(source, output, model, *flags):
    return invoke("score", "--input", source, "--output", output, "--model", model, *flags)


def table(output):
    with (output / "review/review.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_review_is_among_the_results(source, tmp_path, model):
    """As a table by default, as pictures on request; the manifest lists all, and the pictures are the input's."""
    out = tmp_path / "out"
    assert score(source, out, model, *PICTURES, "--review-rows", "30").returncode == 0
    rows = table(out)
    assert len(rows) == 30
    assert list(rows[0])[:9] == [
        "number", "path", "row", "label", "prediction", "confidence", "second", "why", "pixel0",
    ]  # fmt: skip
    listed = {each["path"] for each in json.loads((out / "manifest.json").read_text())["outputs"]}
    found = {path for path in files_below(out) if path.startswith("review/")}
    assert found == {path for path in listed if path.startswith("review/")}
    for each in rows:
        picture = out / f"review/pictures/{each['prediction']}/{int(each['number']):06}.png"
        pixels = np.array([int(each[f"pixel{index}"]) for index in range(784)])
        assert (pixels == DIGITS.pixels[int(each["row"])]).all()
        assert (np.asarray(Image.open(picture)).ravel() == pixels).all()
        assert int(each["label"]) == DIGITS.labels[int(each["row"])]
    tasks = json.loads((out / "review/label-studio.json").read_text())
    assert [task["data"]["row"] for task in tasks] == [int(each["row"]) for each in rows]
    command = json.loads((out / "report.json").read_text())["run"]["command"]
    assert "--review-rows 30 --review-pictures sheet --review-pictures label-studio" in command


@pytest.mark.parametrize("flags", [["--threads", "3"], ["--part-bytes", "30000"]])
def test_the_review_has_the_same_bytes_however_the_run_went(source, tmp_path, model, flags):
    """Threads and parts change nothing; nor do shards."""
    assert score(source, tmp_path / "one", model, *PICTURES).returncode == 0
    expected = stable_files(tmp_path / "one")
    assert score(source, tmp_path / "other", model, *PICTURES, *flags).returncode == 0
    assert stable_files(tmp_path / "other") == expected
    for index in (1, 0):
        shard = ["--shard-count", "2", "--shard-index", str(index)]
        assert score(source, tmp_path / "shards", model, *PICTURES, *flags, *shard).returncode == 0
    assert stable_files(tmp_path / "shards") == expected


@pytest.mark.parametrize(("keep", "column"), [(["name", "id"], "id"), (["name"], "name")])
def test_ids_come_from_a_passthrough_column(tmp_path, model, keep, column):
    """From the one named `id`, or else the first; text that a spreadsheet would run is marked on request."""
    lines = (write_csv(tmp_path / "plain.csv", DIGITS) or (tmp_path / "plain.csv")).read_text().splitlines()
    named = [f"{lines[0]},id,name", *(f"{line},=id{row},=name{row}" for row, line in enumerate(lines[1:]))]
    (tmp_path / "a.csv").write_text("\n".join(named))
    flags = [word for name in keep for word in ("--keep", name)]
    assert score(tmp_path / "a.csv", tmp_path / "out", model, *flags, "--escape-formulas").returncode == 0
    assert all(each["id"] == f"'={column}{each['row']}" for each in table(tmp_path / "out"))


def test_a_review_can_be_scored(source, tmp_path, model):
    """Its table is a file of digits like any other; the output folder's own is not an input."""
    assert score(source, tmp_path / "out", model).returncode == 0
    assert score(tmp_path, tmp_path / "out", model, "--overwrite").returncode == 0
    paths = [each["path"] for each in json.loads((tmp_path / "out/report.json").read_text())["inputs"]]
    assert paths == ["a.csv"]
    assert score(tmp_path / "out/review/review.csv", tmp_path / "again", model).returncode == 0
    report = json.loads((tmp_path / "again/report.json").read_text())
    assert report["rows"]["scored"] == report["labelled"] == 120


def test_nothing_is_written_for_no_rows(source, tmp_path, model):
    """And pictures of none are refused."""
    assert score(source, tmp_path / "out", model, "--review-rows", "0").returncode == 0
    assert not (tmp_path / "out/review").exists()
    refused = score(source, tmp_path / "more", model, "--review-rows", "0", "--review-pictures", "sheet")
    assert (refused.returncode, "--review-rows 0" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--review-rows", "-1"], "expected 0 to 10,000"),
        (["--review-rows", "10001"], "expected 0 to 10,000"),
        (["--review-pictures", "gif"], "expected one of sheet, label-studio, folders"),
        (["--review-pictures", "sheet", "--review-pictures", "sheet"], "given twice"),
    ],
)
def test_wrong_settings_are_usage_errors(source, tmp_path, model, flags, shown):
    """Before any work."""
    result = score(source, tmp_path / "out", model, *flags)
    assert (result.returncode, shown in result.stderr) == (2, True)


def test_labels_that_were_corrected_are_not_lost(source, tmp_path, model):
    """The finished run stays finished, and no other replaces the file until it is moved."""
    out = tmp_path / "out"
    assert score(source, out, model).returncode == 0
    edited = (out / "review/review.csv").read_text().replace('"unsure"', '"seen"')
    (out / "review/review.csv").write_text(edited)
    assert score(source, out, model).returncode == 0
    for flags in (["--review-rows", "5"], ["--probabilities"]):
        refused = score(source, out, model, "--overwrite", *flags)
        assert (refused.returncode, "review.csv: was edited" in refused.stderr) == (73, True)
    (out / "predictions/a.csv").unlink()
    assert score(source, out, model).returncode == 73
    assert (out / "review/review.csv").read_text() == edited
    (out / "review/review.csv").rename(tmp_path / "corrected.txt")
    assert score(source, out, model).returncode == 0
    assert len(table(out)) == 120


def test_pictures_that_were_sorted_are_not_lost(source, tmp_path, model):
    """Nor is a file moved to another digit's folder replaced or removed."""
    out = tmp_path / "out"
    assert score(source, out, model, *PICTURES).returncode == 0
    first = next((out / "review/pictures").rglob("000001.png"))
    moved = out / f"review/pictures/{(int(first.parent.name) + 1) % 10}" / first.name
    moved.parent.mkdir(exist_ok=True)
    shutil.move(first, moved)
    assert score(source, out, model, *PICTURES).returncode == 0
    refused = score(source, out, model, *PICTURES, "--overwrite", "--probabilities")
    assert (refused.returncode, str(moved) in refused.stderr) == (73, True)
    assert moved.exists()


def test_a_run_short_of_its_gates_keeps_corrected_labels(source, tmp_path, model):
    """Such a run is gathered again by the same command."""
    out, gate = tmp_path / "out", ["--min-accuracy", "1"]
    assert score(source, out, model, *gate).returncode == 3
    (out / "review/review.csv").write_text("corrected")
    assert score(source, out, model, *gate).returncode == 73
    assert (out / "review/review.csv").read_text() == "corrected"


def test_parquet_has_a_review_too(tmp_path, model):
    """Without labels, every row is there because it is unsure, and the column for labels is empty."""
    write_parquet(tmp_path / "a.parquet", DIGITS, has_labels=False)
    result = score(tmp_path / "a.parquet", tmp_path / "out", model, "--log-format", "json")
    assert result.returncode == 0
    assert log_lines(result.stderr)
    assert {(each["label"], each["why"]) for each in table(tmp_path / "out")} == {("", "unsure")}
