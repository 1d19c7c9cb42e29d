"""`score --max-error` and `calibrate`: rows sent to review, and what is promised about the others."""

import csv
import html
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from support.command import invoke
from support.files import csv_lines, csv_text, write_csv, write_parquet
from support.models import change_card, write_model
from support.promises import calibrated_digits, write_promising_model
from support.runs import score, stable_files

import job
from job.documents.json_schema import schema_of
from job.errors import OutputOccupied, RunFellShort, StorageError
from job.settings import ErrorLimit, Shard

LIMIT = ErrorLimit.parse("1%")


@pytest.fixture(scope="module")
def promising(tmp_path_factory):
    """A model whose card carries promises of 1 %; treat as read-only."""
    return write_promising_model(tmp_path_factory.mktemp("max-error") / "model")


@pytest.fixture(scope="module")
def some():
    """Digits like those that the card's confidences come from."""
    return calibrated_digits(2000, seed=11)


def last(result):
    """The fields of the last line of the log."""
    return json.loads(result.stderr.splitlines()[-1])["fields"]


def test_rows_are_accepted_or_sent_to_review(tmp_path, promising, some):
    """In a column behind the label, empty for rejected rows; report, log, page and terminal have the same figures."""
    text = csv_text(some).splitlines(keepends=True)
    text[5] = "1,2,3\n"
    (tmp_path / "a.csv").write_text("".join(text))
    metrics = tmp_path / "a.prom"
    run = ["score", tmp_path / "a.csv", "-o", tmp_path / "out", "-m", promising, "--max-error", "1%"]
    result = invoke(*run, "--log-format", "json", "--metrics-file", metrics)
    assert result.returncode == 0, result.stderr
    promise = json.loads((tmp_path / "out/report.json").read_text())["promise"]
    with (tmp_path / "out/predictions/a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["prediction", "confidence", "label", "decision", "reject"]
    assert rows[4]["decision"] == ""
    scored = [each for each in rows if each["prediction"]]
    for each in scored:
        assert each["decision"] == ("accept" if float(each["confidence"]) >= promise["threshold"] else "review")
    accepted = [each for each in scored if each["decision"] == "accept"]
    wrong = sum(each["prediction"] != each["label"] for each in accepted)
    assert (promise["accepted"], promise["review"]) == (len(accepted), 1999 - len(accepted))
    assert promise["review"] > 0
    assert (promise["labelled"], promise["wrong"]) == (len(accepted), wrong)
    assert wrong <= 0.01 * len(accepted)
    fields = last(result)
    assert (fields["accepted"], fields["review"], fields["threshold"]) == (
        promise["accepted"], promise["review"], promise["threshold"],
    )  # fmt: skip
    assert fields["is_promise_withdrawn"] is promise["is_withdrawn"] is False
    assert f"Promise: {promise['text']}\n" in result.stdout
    assert f"Accepted: {promise['accepted']:,} of 1,999 records" in result.stdout
    assert promise["text"] in html.unescape((tmp_path / "out/report.html").read_text())
    assert f"digit_job_coverage_ratio {promise['coverage']}" in metrics.read_text()
    assert "digit_job_promise_withdrawn 0.0" in metrics.read_text()


def test_decisions_in_parquet_and_beside_passthrough_columns(tmp_path, promising, some):
    """Between label and reject; a run in Parquet decides as one in CSV."""
    source = write_parquet(tmp_path / "a.parquet", some)
    for format_ in ("parquet", "csv"):
        score(source, tmp_path / format_, promising, max_error=LIMIT, format=format_, has_probabilities=True)
    table = pq.read_table(tmp_path / "parquet/predictions/a.parquet")
    assert table.schema.names[:5] == ["prediction", "confidence", "label", "decision", "reject"]
    with (tmp_path / "csv/predictions/a.parquet.csv").open(newline="") as file:
        decisions = [each["decision"] for each in csv.DictReader(file)]
    assert table["decision"].to_pylist() == decisions
    results = job.open_results(tmp_path / "csv")
    assert results.predictions("a.parquet").read_all()["decision"].to_pylist() == decisions
    assert set(decisions) == {"accept", "review"}


def test_an_input_of_labels_without_decisions_stays_as_it_was(tmp_path, promising, some):
    """Without the flag there is no column, and the report's section is null."""
    report = score(write_csv(tmp_path / "a.csv", some), tmp_path / "out", promising).report
    assert report["promise"] is None
    assert (tmp_path / "out/predictions/a.csv").read_text().startswith("prediction,confidence,label,reject\n")
    assert "to review" not in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--max-error", "0.5"], 2, "for 0.5 % write 0.5%"),
        (["--max-error", "much"], 2, "expected a percentage such as 0.5%"),
        (["--max-error", "1%", "--format", "kaggle"], 2, "--max-error and --format kaggle contradict each other"),
        (["--calibration", "mine.json"], 2, "--calibration needs --max-error"),
        (["--max-error", "0.01%"], 78, "labelled rows like them"),
        (["--max-error", "1%", "--calibration", "missing.json"], 78, "missing.json: is missing"),
    ],
)
def test_what_cannot_be_promised_is_refused(tmp_path, promising, some, flags, code, words):
    """Before anything is scored or written."""
    source = write_csv(tmp_path / "a.csv", some)
    result = invoke("score", source, "-o", tmp_path / "out", "-m", promising, *flags)
    assert result.returncode == code
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_without_held_out_confidences_is_refused(tmp_path, model, digits):
    """Of an earlier version, or from elsewhere: calibrate says more."""
    source = write_csv(tmp_path / "a.csv", digits)
    result = invoke("score", source, "-o", tmp_path / "out", "-m", model, "--max-error", "1%")
    assert result.returncode == 78
    assert "digit-job calibrate" in result.stderr


def test_shards_agree_and_another_promise_is_another_run(tmp_path, promising, some):
    """Two shards give the bytes of one run; with another limit the output folder is occupied."""
    source = write_csv(tmp_path / "a.csv", some)
    score(source, tmp_path / "one", promising, max_error=LIMIT, part_bytes=200_000)
    for index in (1, 0):
        score(source, tmp_path / "two", promising, max_error=LIMIT, part_bytes=200_000, shard=Shard(index, 2))
    assert stable_files(tmp_path / "one") == stable_files(tmp_path / "two")
    again = score(source, tmp_path / "one", promising, max_error=ErrorLimit.parse("0.010"), part_bytes=200_000)
    assert again.was_done
    result = invoke("score", source, "-o", tmp_path / "one", "-m", promising, "--max-error", "2%")
    assert result.returncode == 73


def test_an_interrupted_run_goes_on_with_the_same_decisions(tmp_path, promising, some):
    """The resumed run's bytes are those of an undisturbed one."""
    source = write_csv(tmp_path / "a.csv", some)
    settings = {"max_error": LIMIT, "part_bytes": 200_000}
    score(source, tmp_path / "undisturbed", promising, **settings)
    committed = []

    class Failing:
        """Fails at the second part."""

        def planned(self, plan, parts, size_bytes): ...

        def advanced(self, rows, rejected, size_bytes): ...

        def spent(self, stage, wall_s, cpu_s): ...

        def committed(self, part):
            committed.append(part)
            if len(committed) == 2:
                raise StorageError("as if the disk were gone")

    with pytest.raises(StorageError, match="as if"):
        score(source, tmp_path / "out", promising, observer=Failing(), **settings)
    assert not score(source, tmp_path / "out", promising, **settings).was_done
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "undisturbed")


def test_the_promise_is_withdrawn_where_data_is_unlike(tmp_path, promising):
    """In words, in report, page, log and terminal; the column stays. --max-drift makes it an error."""
    unlike = calibrated_digits(2000, seed=12, sureness=0.0)
    source = write_csv(tmp_path / "a.csv", unlike)
    run = ["score", source, "-m", promising, "--max-error", "1%", "--log-format", "json"]
    result = invoke(*run, "-o", tmp_path / "out")
    assert result.returncode == 0
    promise = json.loads((tmp_path / "out/report.json").read_text())["promise"]
    assert promise["is_withdrawn"]
    assert "large shift of confidence" in promise["reasons"][0]
    assert "Promise: withdrawn, see the warning." in result.stdout
    assert f"Warning: {promise['text']}" in result.stdout
    assert last(result)["is_promise_withdrawn"] is True
    warnings = [json.loads(line) for line in result.stderr.splitlines() if '"input_warning"' in line]
    assert promise["text"] in [each["message"] for each in warnings]
    everything = result.stdout + result.stderr + (tmp_path / "out/report.html").read_text()
    assert "certainty" not in everything
    assert "decision" in (tmp_path / "out/predictions/a.csv").read_text()
    short = invoke(*run, "-o", tmp_path / "short", "--max-drift", "0.1")
    assert short.returncode == 3
    assert "above --max-drift 0.1" in short.stderr
    with pytest.raises(RunFellShort, match=r"above --max-drift 0\.1"):
        job.score(source, tmp_path / "short", promising, max_error=0.01, max_drift=0.1)


# calibrate


def test_calibrate_makes_the_promise_for_data_of_ones_own(tmp_path, promising):
    """Which the card's would not hold for; the file says where it comes from, and score takes it."""
    mine = write_csv(tmp_path / "mine.csv", calibrated_digits(4000, seed=21, sureness=0.3))
    result = invoke("calibrate", "--data", mine, "-o", tmp_path / "mine.json", "-m", promising)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("4,000 labelled rows, ")
    assert "  5 % errors: accepts 100.00 % of rows like these\n" in result.stdout
    assert result.stdout.endswith(f"Written: {tmp_path}/mine.json\n")
    document = json.loads((tmp_path / "mine.json").read_text())
    assert (document["data"]["rows"], document["groups"]) == (4000, None)
    assert document["data"]["inputs"][0]["path"] == str(mine)
    more = write_csv(tmp_path / "more.csv", calibrated_digits(3000, seed=22, sureness=0.3))
    withdrawn = score(more, tmp_path / "by-card", promising, max_error=LIMIT).report["promise"]
    calibration = str(tmp_path / "mine.json")
    kept = score(more, tmp_path / "mine", promising, max_error=LIMIT, calibration=calibration).report["promise"]
    assert (withdrawn["is_withdrawn"], kept["is_withdrawn"]) == (True, False)
    assert kept["calibration"]["source"] == f"the 4,000 rows of {calibration}"
    assert kept["error"] <= 0.01


def test_a_calibration_of_another_model_is_refused(tmp_path, promising):
    """By its digest."""
    mine = write_csv(tmp_path / "mine.csv", calibrated_digits(2000, seed=21))
    assert invoke("calibrate", "--data", mine, "-o", tmp_path / "mine.json", "-m", promising).returncode == 0
    other = write_model(tmp_path / "other")
    flags = ["--max-error", "1%", "--calibration", tmp_path / "mine.json"]
    result = invoke("score", mine, "-o", tmp_path / "out", "-m", other, *flags)
    assert result.returncode == 78
    assert "was made for another model (blocks" in result.stderr


def test_the_functions_write_what_the_command_writes(tmp_path, promising):
    """The same confidences; and they say which promises the rows carry."""
    mine = write_csv(tmp_path / "mine.csv", calibrated_digits(2000, seed=21, sureness=0.3))
    assert invoke("calibrate", "--data", mine, "-o", tmp_path / "command.json", "-m", promising).returncode == 0
    result = job.calibrate(mine, tmp_path / "function.json", promising)
    documents = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("command", "function")]
    assert documents[1] == result.document
    assert documents[0]["held_out"] == documents[1]["held_out"]
    assert documents[0]["data"] == documents[1]["data"]
    Draft202012Validator(schema_of("calibration")).validate(documents[0])
    carried = {each.max_error: each.threshold for each in result.promises}
    assert carried[0.05].coverage > carried[0.02].coverage > 0.5
    assert carried[0.001] is None
    report = job.score(mine, tmp_path / "out", promising, max_error="2%", calibration=tmp_path / "function.json").report
    assert report["promise"]["threshold"] == (1_000_000 - carried[0.02].doubt) / 1_000_000
    Draft202012Validator(schema_of("report")).validate(report)
    with pytest.raises(OutputOccupied, match="is not a calibration"):
        job.calibrate(mine, mine, promising)


def test_rows_that_the_model_may_have_been_trained_on_are_warned_of(tmp_path, promising):
    """It is much better on them than on its own test images."""
    model = shutil.copytree(promising, tmp_path / "model")
    change_card(model, lambda card: card.update(metrics={"test": {"accuracy": 0.9}}))
    mine = write_csv(tmp_path / "mine.csv", calibrated_digits(2000, seed=21))
    result = invoke("calibrate", "--data", mine, "-o", tmp_path / "mine.json", "-m", model)
    assert result.returncode == 0
    assert "more than of the model's own test images (90.00 %)" in result.stderr
    assert (
        "own test images"
        not in invoke("calibrate", "--data", mine, "-o", tmp_path / "mine.json", "-m", promising).stderr
    )


def _with_writers(path, digits, writers):
    """A CSV file with a column of writers."""
    header, *lines = csv_text(digits).splitlines()
    rows = [f"{writer},{line}" for writer, line in zip(writers, lines, strict=True)]
    path.write_text("\n".join([f"writer,{header}", *rows]) + "\n")
    return path


def test_rows_of_one_writer_count_for_less(tmp_path, promising):
    """It says how many writers there are, and promises less."""
    digits = calibrated_digits(1500, seed=31)
    repeated = type(digits)(np.repeat(digits.pixels, 4, axis=0), np.repeat(digits.labels, 4))
    source = _with_writers(tmp_path / "w.csv", repeated, np.repeat(np.arange(1500), 4))
    documents, texts = [], []
    for flags in ([], ["--group-column", "writer"]):
        command = ["calibrate", "--data", source, "-o", tmp_path / "c.json", "-m", promising, *flags]
        result = invoke(*command)
        assert result.returncode == 0, result.stderr
        texts.append(result.stdout)
        documents.append(json.loads((tmp_path / "c.json").read_text()))
    assert documents[1]["groups"]["groups"] == 1500
    assert documents[1]["groups"]["design_effect"] == pytest.approx(4, rel=0.05)
    assert documents[0]["held_out"] == documents[1]["held_out"]
    assert "1,500 groups of column writer and tell as much as 1," in texts[1]
    assert "groups" not in texts[0]


@pytest.mark.parametrize(
    ("content", "flags", "code", "words"),
    [
        ("unlabelled", [], 65, "no scored row has a readable label; name the column with --label-column"),
        ("few", [], 78, "40 labelled rows, 0 of them wrong, carry no promise. 0.1 % errors: takes about 5,519"),
        ("labelled", ["--group-column", "writer"], 65, "no column 'writer'"),
        ("empty", ["--group-column", "writer"], 65, "--group-column writer: 1 labelled row has no value"),
        ("labelled", ["--output", "DATA"], 73, "already exists and is not a calibration"),
    ],
)
def test_data_that_cannot_calibrate_is_refused(tmp_path, promising, some, content, flags, code, words):
    """With the flag or the number of rows that helps; nothing is written."""
    source = tmp_path / "a.csv"
    if content == "unlabelled":
        write_csv(source, some, has_labels=False)
    elif content == "few":
        write_csv(source, calibrated_digits(40, sureness=0.99))
    elif content == "empty":
        _with_writers(source, some, ["", *range(len(csv_lines(some)) - 1)])
    else:
        write_csv(source, some)
    before = source.read_bytes()
    flags = [source if each == "DATA" else each for each in flags]
    output = [] if "--output" in flags else ["-o", tmp_path / "c.json"]
    result = invoke("calibrate", "--data", source, "-m", promising, *output, *flags)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert not (tmp_path / "c.json").exists()
    assert source.read_bytes() == before
