"""Gates of a run that nobody watches: exit code 3, readable results, and nothing scored twice."""

import json

import pytest
from support.command import invoke
from support.files import csv_text, make_digits, write_csv
from support.models import change_card, write_model
from support.runs import files_below, score, stable_files

import job
from job.errors import RunFellShort
from job.report.appearance import INK_EDGES, INTENSITY_EDGES

RESULTS = {"manifest.json", "predictions/a.csv", "report.html", "report.json", "review/review.csv"}


@pytest.fixture
def scored(tmp_path, model, digits):
    """Score a labelled file with these flags, again and again into the same folder."""
    source = write_csv(tmp_path / "a.csv", digits)
    run = ["score", "--input", source, "--output", tmp_path / "out", "--model", model, "--log-format", "json"]
    return lambda *flags: invoke(*run, *flags)


def last(result):
    """The last line of the log."""
    return json.loads(result.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--min-accuracy", "0.9"], "the accuracy is "),
        (["--max-drift", "9"], "--max-drift 9 cannot be checked: the model's card does not describe its training data"),
        (["--no-label", "--min-accuracy", "0"], "--min-accuracy 0 cannot be checked: no scored row has a readable"),
    ],
)
def test_a_run_that_falls_short_exits_with_3_and_can_be_read(scored, tmp_path, flags, words):
    """Everything is written but `_SUCCESS`, in whose place `_FAILED` says why."""
    result = scored(*flags)
    assert result.returncode == 3
    assert words in last(result)["message"]
    assert (last(result)["event"], last(result)["fields"]["outcome"]) == ("failed", "failed")
    assert "Result:      failed" in result.stdout
    files = files_below(tmp_path / "out")
    assert {path for path in files if not path.startswith("_parts/")} == RESULTS | {"_FAILED"}
    assert words in files["_FAILED"].decode()


def test_gates_are_checked_again_and_nothing_is_scored_again(scored, tmp_path, model):
    """The same flags say 3 again; looser ones finish, with the bytes of a run without gates."""
    strict, loose = ["--min-accuracy", "0.9"], ["--min-accuracy", "0.001"]
    for _ in range(2):
        again = scored(*strict)
        assert again.returncode == 3
    assert last(again)["fields"]["bytes"] == 0
    finished = scored(*loose)
    assert (finished.returncode, last(finished)["fields"]["bytes"]) == (0, 0)
    score(tmp_path / "a.csv", tmp_path / "plain", model, max_rejects=job.settings.RejectLimit.parse("1%"))
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "plain")
    strict_again = scored(*strict)
    assert strict_again.returncode == 3
    assert (tmp_path / "out/_SUCCESS").exists()
    assert scored().returncode == 0


def test_warnings_are_counted(tmp_path, model):
    """0: any warning fails the run. A reject is one."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(200)) + "1,2,3\n")
    run = ["score", "--input", source, "--output", tmp_path / "out", "--model", model]
    failed = invoke(*run, "--max-warnings", "0")
    assert failed.returncode == 3
    assert "1 warning, more than --max-warnings 0; first: 1 record rejected (0.50 %)" in failed.stderr
    passed = invoke(*run, "--max-warnings", "1", "--log-format", "json")
    assert (passed.returncode, last(passed)["message"]) == (0, "scored: ok with 1 warning")
    assert last(passed)["fields"]["outcome"] == "ok with 1 warning"
    assert passed.stdout.splitlines()[-1] == "Result:      ok with 1 warning"


def test_drift_is_the_largest_of_the_three_indices(tmp_path, digits):
    """Of the run as a whole."""
    folder = write_model(tmp_path / "model")
    labels = {"edges": list(range(10)), "counts": [100] * 10}
    bands = {"edges": list(INTENSITY_EDGES), "counts": [10**6] + [1] * (len(INTENSITY_EDGES) - 1)}
    ink = {"edges": list(INK_EDGES), "counts": [1] * len(INK_EDGES)}
    change_card(
        folder, lambda card: card.update(data={"distribution": {"intensity": bands, "ink": ink, "labels": labels}})
    )
    run = ["score", "--input", write_csv(tmp_path / "a.csv", digits), "--output", tmp_path / "out", "--model", folder]
    failed = invoke(*run, "--max-drift", "0.25")
    drift = json.loads((tmp_path / "out/report.json").read_text())["drift"]
    worst = max(drift[name]["psi"] for name in ("predicted", "ink", "intensity"))
    assert (failed.returncode, f"is {worst:.4f}, above --max-drift 0.25" in failed.stderr) == (3, True)
    assert invoke(*run, "--max-drift", worst + 0.001).returncode == 0


def test_a_withheld_accuracy_does_not_pass(tmp_path, model, digits):
    """Whatever it would have been."""
    source = tmp_path / "a.csv"
    text = csv_text(digits).splitlines()
    source.write_text("\n".join([text[0], *("cat," + line.partition(",")[2] for line in text[1:])]) + "\n")
    run = ["score", "--input", source, "--output", tmp_path / "out", "--model", model]
    failed = invoke(*run, "--min-accuracy", "0")
    assert (failed.returncode, "--min-accuracy 0 cannot be checked" in failed.stderr) == (3, True)


@pytest.mark.parametrize("flags", [["--min-accuracy", "95"], ["--max-drift", "-1"], ["--max-warnings", "-1"]])
def test_gates_out_of_range_are_wrong_usage(scored, tmp_path, flags):
    """Nothing is written."""
    assert scored(*flags).returncode == 2
    assert not (tmp_path / "out").exists()


def test_the_last_shard_checks_the_gates(scored):
    """The others have nothing to check yet."""
    shards = [
        scored("--part-bytes", 30000, "--shard-index", index, "--shard-count", 2, "--min-accuracy", "0.9")
        for index in (0, 1)
    ]
    assert [each.returncode for each in shards] == [0, 3]
    assert last(shards[0])["message"] == "scored: ok"


def test_a_program_gets_the_result_with_the_error(tmp_path, model, digits):
    """And may look at it."""
    source = write_csv(tmp_path / "a.csv", digits)
    with pytest.raises(RunFellShort, match="below --min-accuracy") as error:
        job.score(source, tmp_path / "out", model, min_accuracy=0.9)
    assert error.value.result.report["labelled"] == 100


def test_a_run_that_fell_short_is_no_finished_run(scored, tmp_path):
    """`compare`, `report` and `open_results` say what it is."""
    scored("--min-accuracy", "0.9")
    result = invoke("report", tmp_path / "out")
    assert (result.returncode, "holds a run that fell short: the accuracy is " in result.stderr) == (66, True)


def test_overwriting_leaves_nothing_of_a_failed_run(scored, tmp_path):
    """Another run in the same folder."""
    scored("--min-accuracy", "0.9")
    assert scored("--probabilities").returncode == 73
    assert scored("--probabilities", "--overwrite").returncode == 0
    assert set(files_below(tmp_path / "out")) == RESULTS | {"_SUCCESS"}
