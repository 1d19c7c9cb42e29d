"""`digit-job show`: single records as a person looks them up."""

import base64
import csv
import io
import json
import sys
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from support.command import digit_job
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet
from support.models import write_dense_model
from support.networks import foreign_onnx
from support.outcome import call, measured
from support.runs import score

from job.cli.app import main
from job.documents.json_schema import schema_of

DIGITS = make_digits(30, seed=2)


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """A CSV file: row 1 has too few fields, row 2 a bad label, row 3 is a comment."""
    lines = csv_text(DIGITS).splitlines()
    lines[2], lines[3], lines[4] = lines[2][:100], f"x{lines[3]}", "# a comment"
    path = tmp_path_factory.mktemp("bad") / "bad.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _json(capfd, *arguments):
    result = call(capfd, "show", *arguments, "--json", "-")
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    Draft202012Validator(schema_of("show")).validate(shown)
    return shown


def _written(path):
    """The rows of a prediction file: prediction, confidence and probabilities, or None where rejected."""
    if path.suffix == ".parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
    names = ("prediction", "confidence", *(f"p{digit}" for digit in range(10)))
    return [None if row["prediction"] in ("", None) else [np.float32(row[name]) for name in names] for row in rows]


@pytest.mark.parametrize("kind", ["dense", "onnx"])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "t10k-images-idx3-ubyte"])
def test_the_prediction_is_the_one_of_a_run(tmp_path, capfd, model, kind, name):
    """To the last digit, of every row, also rejected ones, whatever the network."""
    write = {"a.csv": write_csv, "a.parquet": write_parquet}.get(name)
    if write is None:
        write_idx(tmp_path, DIGITS)
    else:
        write(tmp_path / name, DIGITS)
    used = write_dense_model(tmp_path / "dense") if kind == "dense" else model
    score(tmp_path / name, tmp_path / "out", used, has_probabilities=True)
    (predictions,) = (tmp_path / "out/predictions").iterdir()
    rows = [option for row in range(30) for option in ("--row", row)]
    shown = _json(capfd, tmp_path / name, *rows, "--model", used)
    found = [
        [np.float32(value) for value in (each["prediction"], each["confidence"], *each["probabilities"])]
        for each in shown["records"]
    ]
    assert found == _written(predictions)
    assert shown["model"] == json.loads((tmp_path / "out/report.json").read_text())["model"]["digest"]
    assert [each["label"] for each in shown["records"]] == DIGITS.labels.tolist()
    assert base64.b64decode(shown["records"][7]["pixels"]) == DIGITS.pixels[7].tobytes()


def test_a_network_from_elsewhere_predicts_as_in_a_run(tmp_path, capfd):
    """An ONNX file of any batch size, in the range that the flag names."""
    write_csv(tmp_path / "a.csv", DIGITS)
    (tmp_path / "mine.onnx").write_bytes(foreign_onnx(shape=(1, 28, 28), rows=7, output=None))
    flags = ["--model", tmp_path / "mine.onnx", "--model-scale", "1"]
    scored = call(capfd, "score", tmp_path / "a.csv", "-o", tmp_path / "out", *flags, "--probabilities")
    assert scored.returncode == 0, scored.stderr
    (shown,) = _json(capfd, tmp_path / "a.csv", "--row", 17, *flags)["records"]
    found = [np.float32(value) for value in (shown["prediction"], shown["confidence"], *shown["probabilities"])]
    assert found == _written(tmp_path / "out/predictions/a.csv")[17]


def test_the_text_has_image_and_probabilities_side_by_side(tmp_path, capfd, model):
    """28 columns of half blocks, and a bar for each digit; no colours."""
    write_csv(tmp_path / "a.csv", DIGITS)
    result = call(capfd, "show", tmp_path / "a.csv", "--row", 4, "--model", model)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    (shown,) = _json(capfd, tmp_path / "a.csv", "--row", 4, "--model", model)["records"]
    verdict = "correct" if shown["prediction"] == DIGITS.labels[4] else "wrong"
    assert lines[:4] == [
        f"{tmp_path}/a.csv row 4 (from 0)",
        f"  label       {DIGITS.labels[4]}",
        f"  prediction  {shown['prediction']}, confidence {shown['confidence']:.6f}, {verdict}",
        "",
    ]
    assert len(lines) == 4 + 14 + 1
    assert [line[33:].split()[-1] for line in lines[6:16]] == [f"{each:.6f}" for each in shown["probabilities"]]
    assert "\x1b" not in result.stdout
    assert "█" in result.stdout


def test_without_a_number_it_is_the_first_record_and_without_a_model_the_image_alone(tmp_path, capfd):
    """The shortest command."""
    write_csv(tmp_path / "a.csv", DIGITS, has_labels=False)
    lines = call(capfd, "show", tmp_path / "a.csv").stdout.splitlines()
    assert lines[:3] == [f"{tmp_path}/a.csv row 0 (from 0)", "  label       none", ""]
    assert max(map(len, lines[3:])) <= 30


def test_a_terminal_without_utf_8_gets_ascii(tmp_path, model):
    """Shades for the image, hashes for the bars."""
    write_csv(tmp_path / "a.csv", DIGITS)
    result = digit_job("show", tmp_path / "a.csv", "--model", model, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert result.stdout.isascii()
    assert "#" in result.stdout


def test_rejected_records_say_why(bad, capfd, model):
    """With the line in the file; a bad label alone leaves image and prediction."""
    result = call(capfd, "show", bad, *(option for row in (1, 2, 3) for option in ("--row", row)), "--model", model)
    assert result.returncode == 0, result.stderr
    assert "  rejected    too_few_fields in line 3: " in result.stdout
    assert "  bad label   bad_label in line 4: " in result.stdout
    assert "  skipped     comment_line in line 5: " in result.stdout
    assert result.stdout.count("prediction") == 1


def test_rejected_records_as_json(bad, capfd, model):
    """No pixels and no figures."""
    few, label, comment = _json(capfd, bad, "-r", 1, "-r", 2, "-r", 3, "-m", model)["records"]
    assert (few["reject"]["reason"], few["reject"]["line"], few["pixels"]) == ("too_few_fields", 3, None)
    assert (few["prediction"], few["confidence"], few["probabilities"]) == (None, None, None)
    assert (label["reject"]["reason"], label["label"], label["prediction"] is None) == ("bad_label", None, False)
    assert comment["reject"]["reason"] == "comment_line"


def test_reading_flags(tmp_path, capfd):
    """The record is read as a run with the same flags reads it."""
    turned = 255 - DIGITS.pixels.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    labels = np.array([f"n{label}" for label in DIGITS.labels])
    text = csv_text(type(DIGITS)(turned, labels)).replace("label,", "truth,")
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "map.csv").write_text("".join(f"n{digit},{digit}\n" for digit in range(10)))
    flags = ["--transpose", "--invert", "--label-column", "truth", "--label-map", tmp_path / "map.csv"]
    (shown,) = _json(capfd, tmp_path / "a.csv", "--row", 9, "--scale", "255", *flags)["records"]
    assert base64.b64decode(shown["pixels"]) == DIGITS.pixels[9].tobytes()
    assert shown["label"] == DIGITS.labels[9]
    (shown,) = _json(capfd, tmp_path / "a.csv", "--row", 9, "--no-label")["records"]
    assert shown["label"] is None


def test_a_picture_of_each_record(tmp_path, capfd):
    """Ten pixels for one, dark on white; several side by side."""
    write_csv(tmp_path / "a.csv", DIGITS)
    result = call(capfd, "show", tmp_path / "a.csv", "--row", 3, "-o", tmp_path / "three.png")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "three.png") as picture:
        assert picture.size == (280, 280)
        assert (255 - np.asarray(picture)[::10, ::10]).reshape(784).tolist() == DIGITS.pixels[3].tolist()
    call(capfd, "show", tmp_path / "a.csv", "-r", 3, "-r", 5, "-o", tmp_path / "two.png")
    with Image.open(tmp_path / "two.png") as picture:
        assert picture.size == (580, 280)
        assert (255 - np.asarray(picture)[::10, 300::10]).reshape(784).tolist() == DIGITS.pixels[5].tolist()


def test_pictures_and_json_on_standard_output(tmp_path, capfdbinary):
    """A dash prints them alone."""
    write_csv(tmp_path / "a.csv", DIGITS)
    arguments = ["digit-job", "show", str(tmp_path / "a.csv"), "--output", "-"]
    with patch.object(sys, "argv", arguments), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    with Image.open(io.BytesIO(capfdbinary.readouterr().out)) as picture:
        assert picture.size == (280, 280)


@pytest.mark.parametrize("flag", [["--output", "a.png"], ["--json", "a.json"]])
def test_existing_files_are_replaced_only_if_asked(tmp_path, capfd, flag):
    """Not even one that the command has written itself."""
    write_csv(tmp_path / "a.csv", DIGITS)
    target = tmp_path / flag[1]
    arguments = ["show", tmp_path / "a.csv", flag[0], target]
    target.write_bytes(b"mine")
    refused = call(capfd, *arguments)
    assert refused.returncode == 73
    assert f"{target}: already exists; choose another name, or replace it with --overwrite" in refused.stderr
    assert (target.read_bytes(), refused.stdout) == (b"mine", "")
    assert call(capfd, *arguments, "--overwrite").returncode == 0
    assert target.read_bytes() != b"mine"
    assert call(capfd, *arguments).returncode == 73


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{csv}", "--row", "30"], 2, "--row 30: {csv} has 30 records, counted from 0"),
        (["{csv}", "--row", "-1"], 2, "--row -1: records are counted from 0"),
        (["{csv}", "--row", "one"], 2, "Invalid value for '--row'"),
        (["missing.csv"], 66, "found no file there"),
        (["{folder}"], 2, "{folder}: holds 2 files ({csv}, {folder}/b.csv, ..); name one of them"),
        (["{csv}", "--model", "missing"], 78, "missing"),
        (["{csv}", "--output", "{folder}/a.jpg"], 2, "expected a name that ends with .png"),
        (["{csv}", "--json", "{csv}", "--overwrite"], 2, "is the file to be shown"),
        (["{csv}", "--json", "-", "--output", "-"], 2, "name the same file"),
        (["{bad}", "--row", "1", "--output", "{folder}/x.png"], 65, "has no image to write, because it is rejected"),
        (["{csv}", "--keep", "id"], 2, "No such option"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path, capfd, bad, arguments, code, message):
    """With an exit code and one line."""
    names = {"csv": write_csv(tmp_path / "a.csv", DIGITS), "folder": tmp_path, "bad": bad}
    write_csv(tmp_path / "b.csv", DIGITS)
    result = call(capfd, "show", *(each.format(**names) for each in arguments))
    assert result.returncode == code
    assert message.format(**names) in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.slow
def test_a_late_record_takes_no_more_memory(tmp_path, model):
    """What precedes it is forgotten, and nothing of the train extra is loaded."""
    header, _, records = csv_text(make_digits(500)).partition("\n")
    with (tmp_path / "a.csv").open("w") as file:
        file.write(f"{header}\n")
        for _ in range(60):
            file.write(records)
    # The first reading compiles, if nothing is in the cache yet.
    assert digit_job("show", tmp_path / "a.csv").returncode == 0
    result = measured(tmp_path, "show", tmp_path / "a.csv", "--row", "29999", "--model", model, most_mib=250)
    assert result.returncode == 0, result.stderr
    assert "row 29999" in result.stdout
