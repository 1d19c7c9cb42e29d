import csv
import hashlib
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from support.command import digit_job, invoke, with_options
from support.files import csv_text, make_digits, write_csv, write_idx, write_parquet
from support.models import write_model
from support.networks import foreign_onnx
from support.runs import files_below, stable_files


@pytest.fixture
def folder(tmp_path):
    """A folder with a labelled CSV file and the same images as Parquet."""
    digits = make_digits(50)
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", digits)
    write_parquet(tmp_path / "in/b.parquet", digits)
    return tmp_path


def csv_rows(path):
    """The rows of a CSV file by column."""
    return list(csv.DictReader(path.read_text().splitlines()))


def command(folder, model, *more):
    """The arguments that score the folder `in`, with results in `out`."""
    options = ["--input", folder / "in", "--output", folder / "out", "--model", model]
    return ["score", *with_options(options, more)]


def score(folder, model, *arguments, **environment):
    """Run `digit-job score` on the folder `in`, with results in `out`."""
    return invoke(*command(folder, model, *arguments), **environment)


def test_the_output_folder_has_the_documented_files(folder, model):
    """Predictions in the input's format, review, report, manifest and _SUCCESS; no parts; no rejects without any."""
    result = digit_job(*command(folder, model))
    assert result.returncode == 0, result.stderr
    assert set(files_below(folder / "out")) == {
        "_SUCCESS",
        "manifest.json",
        "predictions/a.csv",
        "predictions/b.parquet",
        "report.html",
        "report.json",
        "review/review.csv",
    }
    assert "Scored 100 of 100 records in 2 files, 0 rejected" in result.stdout
    assert str(folder / "out/report.html") in result.stdout


def test_an_onnx_file_is_scored_with_as_it_is(folder, tmp_path):
    """Converted on the fly; the same file is the same model, and in another range another one."""
    (tmp_path / "mine.onnx").write_bytes(foreign_onnx(shape=(1, 28, 28), rows=1, output=None))
    first = digit_job(*command(folder, tmp_path / "mine.onnx"), "--log-format", "text", "--verbose")
    assert first.returncode == 0, first.stderr
    assert "mine.onnx: gets pixels / 255, and its outputs are logits; classifies " in first.stderr
    assert "nothing to do" in score(folder, tmp_path / "mine.onnx").stdout
    report = json.loads((folder / "out/report.json").read_text())
    assert (report["model"]["name"], report["model"]["recipe"]) == ("mine", "converted")
    again = score(folder, tmp_path / "mine.onnx", "--model-scale", "-1..1", "--overwrite")
    assert again.returncode == 0, again.stderr
    assert "--model-scale -1..1" in (folder / "out/report.html").read_text()


def test_a_range_is_for_models_from_elsewhere(folder, model):
    """A model folder says for itself how it is fed."""
    result = score(folder, model, "--model-scale", "1")
    assert result.returncode == 2
    assert "is a model folder, which needs none" in result.stderr


def test_the_report_agrees_with_the_prediction_files(folder, model):
    """The report's accuracy is the one counted from the prediction files."""
    score(folder, model)
    rows = csv_rows(folder / "out/predictions/a.csv")
    rows += pq.read_table(folder / "out/predictions/b.parquet").to_pylist()
    correct = sum(int(row["prediction"]) == int(row["label"]) for row in rows)
    report = json.loads((folder / "out/report.json").read_text())
    assert (report["correct"], report["labelled"]) == (correct, 100)
    assert report["accuracy"] == correct / 100
    assert [each["path"] for each in report["inputs"]] == ["a.csv", "b.parquet"]


def test_scoring_again_does_nothing(folder, model):
    """The same run on finished output changes no file and exits with 0."""
    score(folder, model)
    before = files_below(folder / "out")
    result = score(folder, model)
    assert result.returncode == 0
    assert "nothing to do" in result.stdout
    assert files_below(folder / "out") == before


def test_output_inside_the_input_folder_is_not_an_input(folder, model):
    """Scoring a folder into itself finds the same inputs every time."""
    inside = ["--output", folder / "in/results"]
    assert score(folder, model, *inside).returncode == 0
    assert "100 of 100 records in 2 files, 0 rejected; nothing to do" in score(folder, model, *inside).stdout


def test_the_output_of_another_model_is_replaced_only_with_overwrite(folder, model, tmp_path):
    """Without the flag the run is refused, and the message says what is there."""
    score(folder, model)
    other = write_model(tmp_path / "other", seed=7)
    refused = score(folder, other)
    assert refused.returncode == 73
    assert "holds a finished run over other inputs, another model or other settings" in refused.stderr
    assert score(folder, other, "--overwrite").returncode == 0
    assert json.loads((folder / "out/report.json").read_text())["model"]["name"] == "linear-7"


def test_overwriting_keeps_foreign_files(folder, model):
    """--overwrite replaces the files that runs write and no others; without it the folder is refused."""
    (folder / "out").mkdir()
    (folder / "out/thesis.txt").write_text("do not lose")
    refused = score(folder, model)
    assert refused.returncode == 73
    assert "thesis.txt" in refused.stderr
    assert score(folder, model, "--overwrite").returncode == 0
    assert (folder / "out/thesis.txt").read_text() == "do not lose"


def test_a_changed_input_is_another_run(folder, model):
    """An input with other content is not taken for the one that was scored."""
    score(folder, model)
    write_csv(folder / "in/a.csv", make_digits(50, seed=9))
    assert score(folder, model).returncode == 73


def test_bad_records_keep_their_rows(folder, model):
    """A record that cannot be scored has no prediction but a reason, and the next record is in the next row."""
    score(folder, model, "--probabilities")
    good = csv_rows(folder / "out/predictions/a.csv")
    lines = (folder / "in/a.csv").read_text().splitlines()
    lines[3], lines[10], lines[20] = "1,2,3", "4," + ",".join(["oak"] * 784), "5," + ",".join(["300"] * 784)
    (folder / "in/a.csv").write_text("\n".join(lines))
    result = score(folder, model, "--probabilities", "--overwrite", "--max-rejects", "3")
    assert result.returncode == 0, result.stderr
    found = csv_rows(folder / "out/predictions/a.csv")
    bad = {2: "too_few_fields", 9: "not_a_number", 19: "out_of_range"}
    assert {row: found[row]["reject"] for row in bad} == bad
    assert all(found[row]["prediction"] == found[row]["p0"] == "" for row in bad)
    assert [each for row, each in enumerate(found) if row not in bad] == [
        each for row, each in enumerate(good) if row not in bad
    ]
    rejects = [json.loads(line) for line in (folder / "out/rejects/a.csv.jsonl").read_text().splitlines()]
    assert [(each["row"], each["line"], each["reason"]) for each in rejects] == [
        (2, 4, "too_few_fields"),
        (9, 11, "not_a_number"),
        (19, 21, "out_of_range"),
    ]
    content = (folder / "in/a.csv").read_bytes()
    assert all(content[each["byte_offset"] :].startswith(each["raw"].encode()) for each in rejects)


def test_too_many_rejects_fail_the_run(folder, model):
    """The message has the first three rejects; a run with a higher limit then finishes."""
    lines = (folder / "in/a.csv").read_text().splitlines()
    (folder / "in/a.csv").write_text("\n".join([*lines[:-5], *["1,2,3"] * 5]))
    result = score(folder, model)
    assert result.returncode == 65
    assert "5 of 100 records were rejected, more than --max-rejects 1%" in result.stderr
    assert result.stderr.count("3 values, expected 785 (label + 784 pixels)") == 3
    assert not (folder / "out/_SUCCESS").exists()
    assert len((folder / "out/rejects/a.csv.jsonl").read_text().splitlines()) == 5
    assert score(folder, model, "--max-rejects", "5").returncode == 0
    assert score(folder, model).returncode == 65


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--max-rejects", "many"], 2, "expected a count such as 100 or a percentage such as 1%"),
        (["--label-column", "x", "--no-label"], 2, "contradict each other"),
        (["--label-column", "nope"], 65, "has no column 'nope'"),
        (["--input", "missing.csv"], 66, "missing.csv: found no file there"),
        (["--input", "s3://bucket/a.csv"], 2, "s3:// is not supported"),
        (["--model", "nowhere"], 78, "is not a model folder"),
        (["--no-such-flag"], 2, "No such option"),
    ],
)
def test_invalid_commands_end_with_an_exit_code_and_a_message(folder, model, arguments, code, message):
    """There is no traceback, and nothing is written."""
    result = score(folder, model, *arguments, "--log-format", "text")
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "out").exists()


def test_a_damaged_model_is_refused_before_any_input_is_read(folder, tmp_path):
    """A flipped bit in the network ends with 78, even if the input does not exist."""
    damaged = write_model(tmp_path / "damaged")
    content = bytearray((damaged / "model.onnx").read_bytes())
    content[1000] ^= 1
    (damaged / "model.onnx").write_bytes(content)
    result = score(folder, damaged, "--input", "missing.csv")
    assert result.returncode == 78
    assert "damaged/model.onnx: its SHA-256 does not match the one in model.json" in result.stderr


def test_flags_can_be_set_in_the_environment(folder, model, tmp_path):
    """Every flag has a variable; that of the inputs holds one per line, because names may contain spaces."""
    write_csv(tmp_path / "with space.csv", make_digits(5))
    result = invoke(
        "score",
        DIGIT_JOB_INPUT=f"{tmp_path}/with space.csv\n{folder}/in/a.csv",
        DIGIT_JOB_OUTPUT=str(folder / "out"),
        DIGIT_JOB_MODEL=str(model),
        DIGIT_JOB_FORMAT="parquet",
        DIGIT_JOB_LOG_FORMAT="json",
    )
    assert result.returncode == 0, result.stderr
    assert set(files_below(folder / "out/predictions")) == {"with space.csv.parquet", "in/a.csv.parquet"}


def test_kaggle_format_is_a_submission(folder, model):
    """ImageId counts from 1, and Label is the prediction."""
    score(folder, model)
    predictions = [row["prediction"] for row in csv_rows(folder / "out/predictions/a.csv")]
    score(folder, model, "--format", "kaggle", "--overwrite")
    rows = list(csv.reader((folder / "out/predictions/a.csv").read_text().splitlines()))
    assert rows == [["ImageId", "Label"], *[[str(row + 1), digit] for row, digit in enumerate(predictions)]]


def test_unlabelled_input_has_no_accuracy(tmp_path, model):
    """The figures that need labels are null, and the page says why."""
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", make_digits(20), has_labels=False)
    result = score(tmp_path, model)
    assert result.returncode == 0, result.stderr
    assert "Accuracy: unknown; an estimate is not to be trusted here, because the model's card" in result.stdout
    report = json.loads((tmp_path / "out/report.json").read_text())
    nothing = {"correct", "accuracy", "accuracy_95", "confusion_matrix", "per_class", "log_loss", "calibration"}
    assert {key for key in nothing if report[key] is None} == nothing
    assert report["mean_confidence"] is not None
    assert "No row has a label" in (tmp_path / "out/report.html").read_text()


def test_idx_images_take_their_labels_from_the_file_beside_them(tmp_path, model):
    """MNIST's own files can be scored as they are."""
    (tmp_path / "in").mkdir()
    write_idx(tmp_path / "in", make_digits(20), is_compressed=True)
    result = score(tmp_path, model)
    assert result.returncode == 0, result.stderr
    assert "of 20 labelled records" in result.stdout


def test_json_logs_have_one_object_per_line(folder, model):
    """Every line on standard error is JSON."""
    score(folder, model)
    result = score(folder, model, "--log-format", "json")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert lines
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)


def test_scoring_never_imports_the_train_extra(folder, model):
    """A scoring run imports neither TensorFlow nor other libraries of training and drawing."""
    code = f"""
import sys
sys.argv = ["digit-job", "score", "--input", {str(folder / "in")!r}, "--output", {str(folder / "out")!r},
            "--model", {str(model)!r}]
from job.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "onnx", "scipy", "numba"}}
print("imported:", sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imported: []" in result.stdout


def test_many_threads_over_many_files_change_nothing(folder, model):
    """One thread and eight write the same bytes."""
    for number in range(12):
        (folder / f"in/more-{number}.csv").write_text(csv_text(make_digits(7, seed=number)))
    score(folder, model, "--threads", "1")
    one = stable_files(folder / "out")
    score(folder, model, "--threads", "8", "--overwrite", "--part-bytes", "4096")
    assert stable_files(folder / "out") == one


def test_the_report_of_an_earlier_version_is_read(folder, model):
    """Finished output whose report has no list of warnings is still recognised as finished."""
    assert score(folder, model).returncode == 0
    path = folder / "out/report.json"
    report = json.loads(path.read_text())
    del report["warnings"]
    path.write_text(json.dumps(report))
    content = path.read_bytes()
    manifest = json.loads((folder / "out/manifest.json").read_text())
    (entry,) = (each for each in manifest["outputs"] if each["path"] == "report.json")
    entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (folder / "out/manifest.json").write_text(json.dumps(manifest))
    again = score(folder, model)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout
