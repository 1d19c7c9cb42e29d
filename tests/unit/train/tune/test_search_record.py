import csv
import io
import json

import pytest

from job.errors import OutputOccupied, StorageError
from job.storage import LocalStorage
from job.train.tune.search_record import SearchRecord, Trial, as_csv, as_text, ranked

SEARCH = {"search": "random", "seed": 1, "hidden": (128, 128)}


def _trial(number, right, *, parameters=1000, **more):
    accuracy = None if right is None else right / 200
    return Trial(number, (64, 64), 0.1, 0.00123, 32, 10, parameters, 1.5, right, accuracy, **more)


TRIALS = [_trial(0, 150), _trial(1, None, proposed={"depth": 2}), _trial(2, 190), _trial(3, 190, parameters=900)]


def test_trials_are_loaded_as_they_were_saved(storage, tmp_path):
    """To the last bit; a new search has none."""
    record = SearchRecord(storage, str(tmp_path / "search"), SEARCH)
    assert record.load() == []
    for count in (1, 4):
        record.save(TRIALS[:count])
        assert SearchRecord(storage, record.folder, SEARCH).load() == TRIALS[:count]
    assert [path.name for path in (tmp_path / "search").iterdir()] == ["search.json"]


def test_the_folder_of_another_search_is_refused(storage, tmp_path):
    """The error names the differences, and nothing in the folder changes."""
    SearchRecord(storage, str(tmp_path), SEARCH).save(TRIALS)
    before = (tmp_path / "search.json").read_bytes()
    with pytest.raises(
        OutputOccupied, match=r"belongs to another search \(seed: 1 then, 2 now\); .* --output"
    ) as error:
        SearchRecord(storage, str(tmp_path), {**SEARCH, "seed": 2}).load()
    assert error.value.exit_code == 73
    assert (tmp_path / "search.json").read_bytes() == before


def test_a_folder_of_something_else_is_refused(storage, tmp_path):
    """A file, too; an empty folder is free."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "empty").mkdir()
    for name, found in (("full", r"holds 'thesis\.tex'"), ("file", "is a file")):
        with pytest.raises(OutputOccupied, match=f"{name}: {found}, expected a search's folder"):
            SearchRecord(storage, str(tmp_path / name), SEARCH).load()
    assert SearchRecord(storage, str(tmp_path / "empty"), SEARCH).load() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"search": {}, "trials": [{}]}',
        b'{"search": {}, "trials": [{"hidden": [1], "x": 2}]}',
    ],
)
def test_a_damaged_record_is_refused(storage, tmp_path, content):
    """In one line, and it stays unchanged."""
    (tmp_path / "search.json").write_bytes(content)
    with pytest.raises(OutputOccupied, match=r"search\.json: is not the record of a search"):
        SearchRecord(storage, str(tmp_path), SEARCH).load()
    assert (tmp_path / "search.json").read_bytes() == content


def test_a_failing_disk_leaves_the_record_unchanged(storage, tmp_path):
    """It has the trials saved before."""

    class Failing(LocalStorage):
        def commit(self, path, **_named):
            raise StorageError(f"{path}: no")

    SearchRecord(storage, str(tmp_path), SEARCH).save(TRIALS[:2])
    with pytest.raises(StorageError):
        SearchRecord(Failing(), str(tmp_path), SEARCH).save(TRIALS)
    assert SearchRecord(storage, str(tmp_path), SEARCH).load() == TRIALS[:2]


def test_the_best_come_first():
    """Ties: the smaller network, then the earlier trial. Those that diverged come last."""
    assert [each.number for each in ranked([*TRIALS, _trial(4, 190, parameters=900)])] == [3, 4, 2, 0, 1]


def test_the_results_are_a_csv_table_and_the_best_settings(storage, tmp_path):
    """A trial that diverged has no accuracy."""
    record = SearchRecord(storage, str(tmp_path), SEARCH)
    assert record.save_results(TRIALS, {"hidden": [64, 64]}) == str(tmp_path / "best.json")
    content = (tmp_path / "trials.csv").read_bytes()
    assert content == as_csv(TRIALS)
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert [row["trial"] for row in rows] == ["3", "2", "0", "1"]
    assert rows[0]["accuracy"] == "0.95"
    assert (rows[0]["hidden"], rows[0]["learning_rate"]) == ("64-64", "0.00123")
    assert rows[3]["accuracy"] == rows[3]["right"] == ""
    assert json.loads((tmp_path / "best.json").read_text()) == {"hidden": [64, 64]}


def test_the_table_for_the_terminal_is_aligned():
    """Its lines have the same length, and the default is named."""
    lines = as_text(TRIALS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[-1] == "seconds"
    assert "95.00 %    190" in lines[1]
    assert "default" in lines[3]
    assert "diverged" in lines[4]
