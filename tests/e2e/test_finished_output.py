"""A finished run is looked at again before it counts as done."""

import json
import os

import pytest
from support.command import invoke
from support.files import csv_text, make_digits
from support.log_lines import log_lines
from support.runs import files_below, stable_files


@pytest.fixture
def finished(tmp_path, model):
    """The folder of a finished run with rejects, and a function that runs it again with more flags."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(50)) + "1,2,3\n")
    run = ["score", "--input", source, "--output", tmp_path / "out", "--model", model, "--max-rejects", "5%"]

    def again(*flags):
        return invoke(*run, *flags, DIGIT_JOB_LOG_FORMAT="json")

    assert again().returncode == 0
    return tmp_path / "out", again


def events(result):
    return [line["event"] for line in log_lines(result.stderr)]


@pytest.mark.parametrize("path", ["predictions/a.csv", "rejects/a.csv.jsonl", "report.json", "manifest.json"])
def test_a_missing_file_is_made_again(finished, path):
    """By scoring again, which is said; the same bytes, and the next run has nothing to do."""
    folder, again = finished
    before = stable_files(folder)
    (folder / path).unlink()
    result = again()
    assert result.returncode == 0
    assert "output_damaged" in events(result)
    assert "already_done" not in events(result)
    assert "nothing to do" not in result.stdout
    assert f"{path} is missing" in result.stderr
    assert stable_files(folder) == before
    assert "already_done" in events(again())


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("edited")])
def test_a_missing_or_changed_page_is_rendered_again(finished, change):
    """Nothing is scored: report.json has all of it."""
    folder, again = finished
    before = files_below(folder)
    change(folder / "report.html")
    result = again()
    assert (result.returncode, "rendered again" in result.stderr, "nothing to do" in result.stdout) == (0, True, True)
    assert files_below(folder) == before


@pytest.mark.parametrize("path", ["predictions/a.csv", "rejects/a.csv.jsonl", "report.json", "manifest.json"])
@pytest.mark.parametrize("change", [lambda content: content[:-20], lambda content: content + b"{}\n", lambda _: b""])
def test_a_changed_file_is_refused_until_it_may_be_replaced(finished, path, change):
    """Somebody may have edited it on purpose; --overwrite scores again."""
    folder, again = finished
    before = stable_files(folder)
    content = (folder / path).read_bytes()
    (folder / path).write_bytes(change(content))
    refused = again()
    assert (refused.returncode, path in refused.stderr, "--overwrite" in refused.stderr) == (73, True, True)
    assert (folder / path).read_bytes() == change(content)
    assert again("--overwrite").returncode == 0
    assert stable_files(folder) == before


def test_a_report_edited_by_hand_is_found_by_its_digest(finished):
    """Its size may be the same."""
    folder, again = finished
    text = (folder / "report.json").read_text()
    accuracy = str(json.loads(text)["rows"]["scored"])
    (folder / "report.json").write_text(text.replace(f'"scored": {accuracy}', f'"scored": {int(accuracy) + 1}', 1))
    refused = again()
    assert (refused.returncode, "report.json has another SHA-256" in refused.stderr) == (73, True)


def test_digests_of_predictions_are_compared_on_request(finished):
    """Reading all of them takes as long as reading the input."""
    folder, again = finished
    path = folder / "predictions/a.csv"
    content = path.read_bytes()
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    assert "nothing to do" in again().stdout
    refused = again("--verify")
    assert (refused.returncode, "predictions/a.csv has another SHA-256" in refused.stderr) == (73, True)
    path.write_bytes(content)
    assert again("--verify").returncode == 0


def test_a_shard_repairs_nothing(finished):
    """It would remove what another shard commits at the same time."""
    folder, again = finished
    os.remove(folder / "predictions/a.csv")
    refused = again("--shard-index", 0, "--shard-count", 2)
    assert (refused.returncode, "leave --shard-count out" in refused.stderr) == (73, True)
    assert again().returncode == 0


def test_overwriting_whole_output_of_the_same_run_does_nothing(finished):
    """As before."""
    _, again = finished
    assert "nothing to do" in again("--overwrite").stdout


def test_a_link_that_leads_out_of_the_output_is_a_changed_file(finished):
    """The run neither counts as finished nor reads what is behind the link."""
    folder, again = finished
    path = folder / "predictions/a.csv"
    path.rename(folder.parent / "elsewhere.csv")
    path.symlink_to(folder.parent / "elsewhere.csv")
    result = again("--verify")
    assert result.returncode == 73
    assert "'predictions/a.csv' leads out of the folder" in result.stderr
    assert again("--overwrite").returncode == 0
    assert not path.is_symlink()
