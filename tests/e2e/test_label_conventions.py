"""Labels that do not mean what they seem to: no accuracy is made of them, and a map or their names settle it."""

import csv
import json
import shutil

import numpy as np
import pytest
from support.command import invoke
from support.files import Digits, make_digits, write_csv, write_idx, write_parquet
from support.models import write_model
from support.runs import score, stable_files

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def known(tmp_path_factory, model):
    """Images whose labels are what the model predicts, so that its accuracy is 1."""
    folder = tmp_path_factory.mktemp("known")
    digits = make_digits(200)
    score(write_csv(folder / "a.csv", digits), folder / "out", model)
    rows = csv.DictReader((folder / "out/predictions/a.csv").read_text().splitlines())
    return Digits(digits.pixels, np.array([int(row["prediction"]) for row in rows], np.int16))


def labelled(digits, label_of):
    """The same images with other labels, as text."""
    return Digits(digits.pixels, np.array([label_of(digit) for digit in digits.labels.tolist()], object))


def write_labelled(path, digits, label_of):
    """A CSV file of the images with labels as `label_of` writes them."""
    text = labelled(digits, label_of)
    lines = [f"{label},{','.join(map(str, row))}" for label, row in zip(text.labels, text.pixels.tolist(), strict=True)]
    path.write_text("\n".join([",".join(["label", *(f"pixel{at}" for at in range(784))]), *lines, ""]))
    return path


def command(source, output, model, *flags):
    return "score", "--input", source, "--output", output, "--model", model, *flags


def logged(result):
    """The warnings in a log of JSON lines."""
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    return [line["fields"]["warning"] for line in lines if line["event"] == "input_warning"]


@pytest.mark.parametrize(
    ("label_of", "words", "label_map"),
    [
        (lambda digit: digit + 1, "labels look counted from 1", {str(digit + 1): digit for digit in range(10)}),
        (lambda digit: digit or 10, "labels look like ten for zero", {"10": 0}),
        (lambda digit: 9 - digit, "labels look counted backwards", {str(9 - digit): digit for digit in range(10)}),
        (
            lambda digit: f"digit {digit}",
            "labels look like other names",
            {f"Digit {digit}": digit for digit in range(10)},
        ),
    ],
    ids=["from 1", "ten", "backwards", "words"],
)
def test_a_foreign_convention_withholds_the_accuracy_until_a_map_settles_it(
    tmp_path, model, known, label_of, words, label_map
):
    """Terminal, log, report and page say what the labels look like; the predictions are the same in any case."""
    source, output = write_labelled(tmp_path / "a.csv", known, label_of), tmp_path / "out"
    result = invoke(*command(source, output, model))
    report = json.loads((output / "report.json").read_text())
    assert result.returncode == 0
    assert report["accuracy_withheld"].startswith(words)
    assert report["accuracy_withheld"].endswith("--label-map FILE")
    for key in ("accuracy", "accuracy_95", "correct", "per_class", "macro_f1", "log_loss", "calibration"):
        assert report[key] is None
    assert report["inputs"][0]["accuracy"] is None
    assert report["examples"]["sure_mistakes"] == report["examples"]["confused_pairs"] == []
    for place in (result.stdout, "\n".join(logged(result)), json.dumps(report["warnings"])):
        assert f"Accuracy withheld: {words}" in place
    assert f"The accuracy is withheld: {words}" in (output / "report.html").read_text()
    assert "Accuracy: withheld" in result.stdout
    (tmp_path / "map.json").write_text(json.dumps(label_map))
    settled = invoke(*command(source, tmp_path / "settled", model, "--label-map", tmp_path / "map.json"))
    report = json.loads((tmp_path / "settled/report.json").read_text())
    assert (report["accuracy"], report["bad_labels"], report["accuracy_withheld"]) == (1.0, 0, None)
    assert "Accuracy: 100.00 %" in settled.stdout
    assert f"--label-map {tmp_path}/map.json" in report["run"]["command"]
    before, after = (
        [row["prediction"] for row in csv.DictReader((tmp_path / name / "predictions/a.csv").read_text().splitlines())]
        for name in ("out", "settled")
    )
    assert before == after


def test_names_of_digits_need_no_map(tmp_path, model, known):
    """English ones, in any case."""
    report = score(
        write_labelled(tmp_path / "a.csv", known, lambda digit: NAMES[digit].title()), tmp_path / "out", model
    ).report
    assert (report["accuracy"], report["bad_labels"]) == (1.0, 0)


def test_a_map_holds_for_every_format(tmp_path, model, known):
    """Numbers and bytes as well as text."""
    (tmp_path / "map.csv").write_text("label,digit\n" + "".join(f"{digit + 1},{digit}\n" for digit in range(10)))
    shifted = Digits(known.pixels, (known.labels + 1).astype(np.int8))
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", shifted)
    write_parquet(tmp_path / "in/b.parquet", shifted)
    write_idx(tmp_path / "in", shifted)
    invoke(*command(tmp_path / "in", tmp_path / "out", model, "--label-map", tmp_path / "map.csv"))
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert [each["accuracy"] for each in report["inputs"]] == [1.0, 1.0, 1.0]


def test_the_compiled_scanner_applies_the_map(tmp_path, model, known, monkeypatch):
    """To the digits that it parses itself; one that the map does not know is left to the slow parser."""
    monkeypatch.setattr("job.read.source._COMPILED_PAYS_FROM_BYTES", 0)
    source = write_labelled(tmp_path / "a.csv", known, lambda digit: 0 if digit == 9 else digit + 1)
    (tmp_path / "map.csv").write_text("".join(f"{digit + 1},{digit}\n" for digit in range(10)))
    invoke(*command(source, tmp_path / "out", model, "--label-map", tmp_path / "map.csv"))
    report = json.loads((tmp_path / "out/report.json").read_text())
    nines = int((known.labels == 9).sum())
    assert nines
    assert (report["bad_labels"], report["labelled"], report["correct"]) == (nines, 200 - nines, 200 - nines)


def test_unreadable_labels_are_told_everywhere(tmp_path, model, digits):
    """All of them, with the first; there is no accuracy."""
    result = invoke(*command(write_labelled(tmp_path / "a.csv", digits, lambda _: "Cat"), tmp_path / "out", model))
    text = "100 of 100 labels unreadable: first 'Cat'; say what they mean with --label-map FILE"
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["accuracy"] is None
    assert text in result.stdout
    assert text in logged(result)
    assert text in [each["message"] for each in report["warnings"]]
    assert text.replace("'", "&#39;") in (tmp_path / "out/report.html").read_text()
    inspected = invoke("inspect", tmp_path / "a.csv").stdout
    assert text.replace("100 of 100", "100 of the first 100") in inspected


def test_one_file_of_another_convention_is_named(tmp_path, model, known):
    """The other files keep their accuracy, the run has none."""
    (tmp_path / "in").mkdir()
    write_labelled(tmp_path / "in/a.csv", known, lambda digit: digit)
    write_labelled(tmp_path / "in/b.csv", known, lambda digit: digit + 1)
    report = score(tmp_path / "in", tmp_path / "out", model).report
    assert report["accuracy_withheld"].startswith("labels of b.csv look counted from 1")
    assert [each["accuracy"] for each in report["inputs"]] == [1.0, None]
    assert report["accuracy"] is None


def test_files_sorted_by_label_are_judged_together(tmp_path, model, known):
    """Each has one label, which alone says nothing."""
    (tmp_path / "in").mkdir()
    for digit in set(known.labels.tolist()):
        write_labelled(tmp_path / f"in/{digit}.csv", known[known.labels == digit], lambda digit: digit + 1)
    report = score(tmp_path / "in", tmp_path / "out", model).report
    assert report["accuracy_withheld"].startswith("labels look counted from 1")
    assert {each["accuracy"] for each in report["inputs"]} == {None}


def test_the_doubt_is_the_same_in_parts_and_shards(tmp_path, model, known):
    """Nothing depends on who scored which part, or in which order."""
    source = write_labelled(tmp_path / "a.csv", known, lambda digit: digit + 1)
    score(source, tmp_path / "whole", model)
    for index in (2, 0, 1):
        shard = ["--shard-index", index, "--shard-count", 3, "--part-bytes", 20000, "--max-rejects", "100%"]
        assert invoke(*command(source, tmp_path / "parts", model, *shard)).returncode == 0
    assert stable_files(tmp_path / "parts") == stable_files(tmp_path / "whole")


def test_a_changed_map_is_another_run(tmp_path, model, known):
    """By its content, not by its name."""
    source = write_labelled(tmp_path / "a.csv", known, lambda digit: digit or 10)
    (tmp_path / "map.json").write_text('{"10": 0}')
    run = command(source, tmp_path / "out", model, "--label-map")
    assert invoke(*run, tmp_path / "map.json").returncode == 0
    shutil.copy(tmp_path / "map.json", tmp_path / "copy.json")
    assert "nothing to do" in invoke(*run, tmp_path / "copy.json").stdout
    (tmp_path / "map.json").write_text('{"10": 1}')
    assert invoke(*run, tmp_path / "map.json").returncode == 73


def test_a_broken_map_is_an_invalid_setting(tmp_path, model, digits):
    """Exit code 78, and the file's name; with --no-label it has no use."""
    source = write_csv(tmp_path / "a.csv", digits)
    (tmp_path / "map.json").write_text('{"10": "zero"}')
    broken = invoke(*command(source, tmp_path / "out", model, "--label-map", tmp_path / "map.json"))
    assert (broken.returncode, "map.json: gives '10'" in broken.stderr) == (78, True)
    (tmp_path / "map.json").write_text('{"10": 0}')
    both = invoke(*command(source, tmp_path / "out", model, "--no-label", "--label-map", tmp_path / "map.json"))
    assert both.returncode == 2


def test_a_comparison_makes_no_accuracy_of_doubtful_labels(tmp_path, model, known):
    """It compares predictions alone, and says why."""
    source = write_labelled(tmp_path / "a.csv", known, lambda digit: digit + 1)
    other = write_model(tmp_path / "other", seed=5)
    for name, each in (("a", model), ("b", other)):
        score(source, tmp_path / name, each)
    result = invoke("compare", tmp_path / "a", tmp_path / "b", "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["accuracy"] == {"a": None, "b": None}
    assert found["verdict"]["outcome"] == "no_labels"
    assert "accuracy withheld: labels look counted from 1" in result.stdout
