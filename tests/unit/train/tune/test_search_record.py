import json

import pytest

from job.errors import OutputOccupied, StorageError
from job.storage import LocalStorage
from job.train.tune.search_record import SearchRecord
from job.train.tune.search_trial import Trial, as_csv

SEARCH = {"search": "random", "seed": 1, "hidden": (128, 128)}


def _trial(number, *right, **more):
    folds = [{"right": each, "images": 200, "seconds": 1.5} for each in right]
    return Trial(number, {"hidden": [64, 64], "learning-rate": 0.00123, "epochs": 10}, 1000, folds, **more)


TRIALS = [_trial(0, 150, 160), _trial(1, None, proposed={"hidden": 2, "tuner/trial_id": "0001"}), _trial(2, 190)]


def test_trials_are_loaded_as_they_were_saved(storage, tmp_path):
    """To the last bit, also one that lacks folds; a new search has none."""
    record = SearchRecord(storage, str(tmp_path / "search"), SEARCH)
    assert record.load() == []
    for count in (1, 3):
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


def test_the_record_of_an_earlier_version_is_refused(storage, tmp_path):
    """It has no number of its format; the error says so instead of naming every setting."""
    trial = {"number": 0, "hidden": [128], "dropout": 0, "learning_rate": 0.001, "right": 9, "accuracy": 0.9}
    before = json.dumps({"search": {"search": "random"}, "trials": [trial]})
    (tmp_path / "search.json").write_text(before)
    with pytest.raises(OutputOccupied, match=r"search\.json: was written by another version of digit-job.* --output"):
        SearchRecord(storage, str(tmp_path), SEARCH).load()
    assert (tmp_path / "search.json").read_text() == before


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


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"search": {}, "trials": 3}'])
def test_what_is_no_record_is_refused(storage, tmp_path, content):
    """In one line, and it stays unchanged."""
    (tmp_path / "search.json").write_bytes(content)
    with pytest.raises(OutputOccupied, match=r"search\.json: is not the record of a search"):
        SearchRecord(storage, str(tmp_path), SEARCH).load()
    assert (tmp_path / "search.json").read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        {"x": 1},
        {"number": 1},
        {"number": "0"},
        {"settings": {"hidden": [64]}},
        {"settings": {"hidden": {}}},
        {"folds": []},
        {"folds": [{"right": 1, "images": 2}]},
        {"folds": [{"right": 3, "images": 2, "seconds": 1}]},
        {"folds": [{"right": 0, "images": 0, "seconds": 1}]},
        {"folds": [[]]},
        {"folds": None},
        {"parameters": None},
    ],
)
def test_a_trial_with_other_content_is_refused(storage, tmp_path, change):
    """Somebody may have edited it: nothing of it reaches the table."""
    record = SearchRecord(storage, str(tmp_path), SEARCH)
    record.save(TRIALS)
    content = json.loads((tmp_path / "search.json").read_text())
    content["trials"][0 if "number" in change else 1] |= change
    (tmp_path / "search.json").write_text(json.dumps(content))
    with pytest.raises(OutputOccupied, match=r"search\.json: is not the record of a search"):
        record.load()


def test_a_failing_disk_leaves_the_record_unchanged(storage, tmp_path):
    """It has the trials saved before."""

    class Failing(LocalStorage):
        def commit(self, path, **_named):
            raise StorageError(f"{path}: no")

    SearchRecord(storage, str(tmp_path), SEARCH).save(TRIALS[:2])
    with pytest.raises(StorageError):
        SearchRecord(Failing(), str(tmp_path), SEARCH).save(TRIALS)
    assert SearchRecord(storage, str(tmp_path), SEARCH).load() == TRIALS[:2]


def test_the_results_are_a_table_the_best_settings_and_a_page(storage, tmp_path):
    """A path that is not UTF-8 does not keep the page from being written."""
    record = SearchRecord(storage, str(tmp_path), SEARCH)
    record.save_results(TRIALS[:2], {"hidden": [64, 64]}, "<p>\udcff</p>")
    assert record.best_path == str(tmp_path / "best.json")
    assert (tmp_path / "trials.csv").read_bytes() == as_csv(TRIALS[:2])
    assert json.loads((tmp_path / "best.json").read_text()) == {"hidden": [64, 64]}
    assert (tmp_path / "search.html").read_bytes() == rb"<p>\udcff</p>"
