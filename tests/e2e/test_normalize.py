import base64
import json
import shutil
from collections import Counter

import numpy as np
import pytest
from support.command import invoke
from support.digits import drawn_digits, filling
from support.files import Digits, write_csv, write_parquet
from support.models import change_card
from support.runs import results_among, stable_files

DIGITS = drawn_digits(3)
FILLED = Digits(filling(DIGITS.pixels), DIGITS.labels)


def _score(inputs, output, model, *more):
    return invoke("score", "--input", inputs, "--output", output, "--model", model, *more)


def _report(output):
    return json.loads((output / "report.json").read_text())


def _manifest(output):
    return json.loads((output / "manifest.json").read_text())


@pytest.fixture
def files(tmp_path):
    """The same digits in MNIST's form, filling the image, dark on white, and stored by columns."""
    turned = DIGITS.pixels.reshape(-1, 28, 28).swapaxes(1, 2).reshape(-1, 784)
    folder = tmp_path / "in"
    folder.mkdir()
    write_csv(folder / "a.csv", DIGITS)
    write_parquet(folder / "filled.parquet", FILLED)
    write_csv(folder / "inverted.csv", Digits(255 - FILLED.pixels, FILLED.labels))
    write_csv(folder / "turned.csv", Digits(turned, DIGITS.labels))
    return folder


def test_each_file_is_brought_to_the_form_that_it_needs(files, tmp_path, digit_model):
    """By default, and said in the log, the report, the page and the manifest."""
    result = _score(files, tmp_path / "out", digit_model)
    assert result.returncode == 0, result.stderr
    report = _report(tmp_path / "out")
    accuracies = {each["path"]: each["accuracy"] for each in report["inputs"]}
    assert min(accuracies.values()) > 0.9, accuracies
    forms = {each["relative_path"]: each["form"] for each in _manifest(tmp_path / "out")["inputs"]}
    names = ("transposed", "inverted", "centred")
    assert {path: [name for name in names if form[name]] for path, form in forms.items()} == {
        "a.csv": [],
        "filled.parquet": ["centred"],
        "inverted.csv": ["inverted", "centred"],
        "turned.csv": ["transposed"],
    }
    found = report["normalization"]
    assert found["choice"] == "auto"
    assert [(each["path"], len(each["examples"])) for each in found["inputs"]] == [
        ("filled.parquet", 8), ("inverted.csv", 8), ("turned.csv", 8)
    ]  # fmt: skip
    events = [json.loads(line) for line in result.stderr.splitlines()]
    logged = [each["fields"] for each in events if each["event"] == "normalized"]
    assert Counter(each["inputs"] for each in logged) == {1: 3}
    page = (tmp_path / "out/report.html").read_text()
    assert page.count('alt="Image 8 as stored"') == 3
    assert "filled.parquet and 2 other files: images were brought to MNIST" in page


def test_predictions_of_files_in_form_do_not_depend_on_it(files, tmp_path, digit_model):
    """Bit for bit, whatever else is in the run."""
    _score(files, tmp_path / "auto", digit_model)
    _score(files, tmp_path / "none", digit_model, "--normalize", "none")
    first, second = (stable_files(tmp_path / name)["predictions/a.csv"] for name in ("auto", "none"))
    assert first == second
    report = _report(tmp_path / "none")
    assert report["normalization"] == {"choice": "none", "inputs": []}
    accuracies = {each["path"]: each["accuracy"] for each in report["inputs"]}
    assert accuracies["turned.csv"] < 0.6
    assert accuracies["inverted.csv"] < 0.6


def test_the_form_is_part_of_the_run(files, tmp_path, digit_model):
    """Another choice is another run; a second run of the same one has nothing to do."""
    _score(files, tmp_path / "out", digit_model)
    before = _manifest(tmp_path / "out")
    assert _score(files, tmp_path / "out", digit_model).returncode == 0
    assert _manifest(tmp_path / "out") == before
    assert _score(files, tmp_path / "out", digit_model, "--normalize", "none").returncode == 73
    assert "--normalize none" in _after(files, tmp_path / "none", digit_model, "--normalize", "none")


def _after(inputs, output, model, *more):
    """The command in the report that repeats the run."""
    _score(inputs, output, model, *more)
    return _report(output)["run"]["command"]


def test_shards_and_threads_agree(files, tmp_path, digit_model):
    """Each process decides for itself, by the same images."""
    _score(files, tmp_path / "whole", digit_model, "--threads", "3")
    for index in range(2):
        shard = ["--shard-count", "2", "--shard-index", str(index), "--part-bytes", "200000", "--threads", "1"]
        assert _score(files, tmp_path / "shards", digit_model, *shard).returncode == 0
    whole, shards = (results_among(stable_files(tmp_path / name)) for name in ("whole", "shards"))
    assert {name: whole[name] for name in whole if name.startswith("predictions")} == {
        name: shards[name] for name in shards if name.startswith("predictions")
    }


def test_rejected_records_of_an_inverted_file_stay_blank(files, tmp_path, digit_model):
    """A record that cannot be read is no black square."""
    lines = (files / "inverted.csv").read_text().splitlines()
    lines[5] = lines[5].replace(",255", ",x", 1)
    (files / "inverted.csv").write_text("\n".join(lines) + "\n")
    result = _score(files / "inverted.csv", tmp_path / "out", digit_model, "--max-rejects", "1")
    assert result.returncode == 0, result.stderr
    report = _report(tmp_path / "out")
    assert (report["rows"]["rejected"], report["rows"]["scored"]) == (1, len(DIGITS) - 1)
    predictions = (tmp_path / "out/predictions/inverted.csv").read_text().splitlines()
    assert predictions[5].startswith(",,")


def test_a_network_of_another_form_gets_images_as_stored(files, tmp_path, digit_model):
    """Its card says that it was trained on others; `mnist` insists."""
    model = shutil.copytree(digit_model, tmp_path / "model")
    change_card(model, lambda card: card.update(data={"in_form": 0.1}))
    _score(files / "filled.parquet", tmp_path / "out", model)
    assert _report(tmp_path / "out")["normalization"]["inputs"] == []
    _score(files / "filled.parquet", tmp_path / "mnist", model, "--normalize", "mnist")
    assert len(_report(tmp_path / "mnist")["normalization"]["inputs"]) == 1


def test_a_doubt_is_a_warning(tmp_path, digit_model):
    """Of a file in which some images are in MNIST's form and most are not."""
    mixture = Digits(np.concatenate([DIGITS.pixels[:40], FILLED.pixels[40:]]), DIGITS.labels)
    write_csv(tmp_path / "mixed.csv", mixture)
    result = _score(tmp_path / "mixed.csv", tmp_path / "out", digit_model, "--max-warnings", "0")
    assert result.returncode == 3
    assert "only 24 % of the first 167 images are in MNIST's form" in result.stderr
    assert "--normalize mnist" in result.stderr


def test_runs_of_other_forms_are_not_compared(files, tmp_path, digit_model):
    """The models would not have seen the same images."""
    _score(files, tmp_path / "a", digit_model)
    _score(files, tmp_path / "b", digit_model, "--normalize", "none")
    result = invoke("compare", tmp_path / "a", tmp_path / "b")
    assert result.returncode == 65
    assert "filled.parquet: its images were classified brought to MNIST's form in" in result.stderr
    assert f"and as stored in {tmp_path / 'b'}; score both with the same --normalize" in result.stderr


def test_inspect_shows_what_would_be_done(files):
    """Without a model; the drawing is of the images as they would be classified."""
    result = invoke("inspect", files / "inverted.csv")
    assert "form     inverted, brought to MNIST's form: 0 % of the first images are in MNIST's form" in result.stdout
    assert (
        "form     as stored, by --normalize none"
        in invoke("inspect", files / "inverted.csv", "--normalize", "none").stdout
    )


def test_show_predicts_what_score_does(files, tmp_path, digit_model):
    """From the same pixels; without a model, too, it shows them as they would be classified."""
    _score(files / "turned.csv", tmp_path / "out", digit_model)
    predicted = (tmp_path / "out/predictions/turned.csv").read_text().splitlines()[6].split(",")
    rows = ["show", files / "turned.csv", "--row", "5", "--json", tmp_path / "shown.json"]
    assert invoke(*rows, "--model", digit_model).returncode == 0
    (record,) = json.loads((tmp_path / "shown.json").read_text())["records"]
    assert [str(record["prediction"]), str(record["label"])] == [predicted[0], predicted[2]]
    assert base64.b64decode(record["pixels"]) == DIGITS.pixels[5].tobytes()
    (tmp_path / "shown.json").unlink()
    assert invoke(*rows).returncode == 0
    assert json.loads((tmp_path / "shown.json").read_text())["records"][0]["pixels"] == record["pixels"]
