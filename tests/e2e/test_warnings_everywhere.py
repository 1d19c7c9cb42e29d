"""What the page calls to be looked into is a warning in the terminal, the log and report.json, and bounded in each."""

import csv
import html
import json

import numpy as np
import pytest
from support.command import invoke
from support.files import Digits, make_digits, write_csv
from support.log_lines import log_lines
from support.models import change_card, write_model
from support.runs import score


@pytest.fixture(scope="module")
def sure(tmp_path_factory):
    """A model whose card promises an accuracy of 99 %, and images that it classifies correctly."""
    folder = tmp_path_factory.mktemp("sure")
    model = write_model(folder / "model")
    change_card(model, lambda card: card.update(metrics={"test": {"accuracy": 0.99}}))
    digits = make_digits(300)
    score(write_csv(folder / "a.csv", digits), folder / "out", model)
    rows = csv.DictReader((folder / "out/predictions/a.csv").read_text().splitlines())
    return model, Digits(digits.pixels, np.array([int(row["prediction"]) for row in rows], np.int8))


def scored(folder, source, model, *flags):
    """Score into `out`; returns the finished command and the report."""
    flags = ["--output", folder / "out", "--model", model, "--log-format", "json", *flags]
    result = invoke("score", "--input", source, *flags)
    return result, json.loads((folder / "out/report.json").read_text())


def flipped(digits):
    """Upside-down images, in C order."""
    turned = digits.pixels.reshape(-1, 28, 28)[:, ::-1].reshape(-1, 784)
    return Digits(np.ascontiguousarray(turned), digits.labels)


def warnings_of(result):
    return [line["fields"]["warning"] for line in log_lines(result.stderr) if line["event"] == "input_warning"]


@pytest.mark.parametrize(
    ("has_labels", "words"), [(True, "Less accurate ("), (False, "Less sure (")], ids=["labels", "no labels"]
)
def test_foreign_images_are_told_everywhere(tmp_path, sure, has_labels, words):
    """Exit code 0 stays, unless a gate is set."""
    model, digits = sure
    source = write_csv(tmp_path / "a.csv", flipped(digits), has_labels=has_labels)
    result, report = scored(tmp_path, source, model)
    assert result.returncode == 0
    (found,) = [each["message"] for each in report["warnings"] if each["message"].startswith(words)]
    assert found in warnings_of(result)
    assert f"Warning: {found}" in result.stdout
    assert found in html.unescape((tmp_path / "out/report.html").read_text())
    last = log_lines(result.stderr)[-1]
    assert last["message"] == f"scored: {last['fields']['outcome']}"
    assert last["fields"]["outcome"].startswith("ok with ")
    assert last["fields"]["warnings"] == len(report["warnings"])
    assert invoke(*result.args[1:], "--max-warnings", "0").returncode == 3


def test_images_like_the_models_own_give_no_warning(tmp_path, sure):
    """A run without findings is `ok`."""
    model, digits = sure
    result, report = scored(tmp_path, write_csv(tmp_path / "a.csv", digits), model, "--max-warnings", "0")
    assert (result.returncode, report["warnings"], warnings_of(result)) == (0, [], [])
    assert log_lines(result.stderr)[-1]["message"] == "scored: ok"
    assert result.stdout.splitlines()[-1] == "Result:      ok"


def test_every_finding_of_the_page_is_in_the_report(tmp_path, sure):
    """But those that count what the report lists one by one: warnings of inputs, and of the model."""
    model, digits = sure
    (tmp_path / "in").mkdir()
    source = write_csv(tmp_path / "in/a.csv", flipped(digits))
    source.write_text(source.read_text() + "1,2,3\nten," + "0," * 783 + "0\n")
    write_csv(tmp_path / "in/b.csv", Digits(np.zeros_like(digits.pixels), digits.labels))
    _, report = scored(tmp_path, tmp_path / "in", model)
    page = html.unescape((tmp_path / "out/report.html").read_text())
    attention = [text.partition("</a>")[0] for text in page.split("Needs attention: </span>")[1:]]
    messages = [each["message"] for each in report["warnings"]]
    assert len(attention) == 4
    assert [each for each in attention if each not in messages] == ["1 warning about the input"]
    assert [each["path"] for each in report["warnings"]] == [None, None, None, "b.csv"]


def test_the_same_warning_about_many_files_is_one(tmp_path, sure):
    """In the report, on the page and in the terminal; the log has the first two at once."""
    model, digits = sure
    (tmp_path / "in").mkdir()
    for number in range(40):
        blank = Digits(np.zeros((20 + number, 784), np.uint8), digits.labels[: 20 + number])
        write_csv(tmp_path / f"in/{number:02}.csv", blank)
    result, report = scored(tmp_path, tmp_path / "in", model, "--threads", "1")
    (found,) = [each for each in report["warnings"] if each["path"]]
    text = "all of the first 20 images are blank; is it the right file, with pixels of 0-255?"
    assert found == {"path": "00.csv", "others": ["01.csv", "02.csv"], "inputs": 40, "message": text}
    logged = [line for line in log_lines(result.stderr) if "blank" in line["message"]]
    assert [line["fields"]["inputs"] for line in logged] == [1, 1, 40]
    line = f"00.csv, 01.csv, 02.csv and 37 more: {text}"
    assert logged[-1]["message"] == line
    assert result.stdout.count("Warning: ") == len(report["warnings"])
    assert f"Warning: {line}" in result.stdout
    assert (tmp_path / "out/report.html").read_text().count("are blank") == 1


def test_a_resumed_run_tells_the_warnings_of_parts_that_are_there(tmp_path, sure):
    """Its log has all of them, whoever scored the parts."""
    model, digits = sure
    source = write_csv(tmp_path / "a.csv", Digits(np.zeros_like(digits.pixels), digits.labels))
    first, _ = scored(tmp_path, source, model, "--min-accuracy", "1")
    assert first.returncode == 3
    resumed, report = scored(tmp_path, source, model, "--min-accuracy", "0")
    assert "resumed" in [line["event"] for line in log_lines(resumed.stderr)]
    assert sorted(warnings_of(resumed)) == sorted(each["message"] for each in report["warnings"])
