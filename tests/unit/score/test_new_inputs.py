"""`--skip-done`: each file is scored by one finished run; what a run scores is settled when it begins."""

import json
import os

import pytest
from support.command import invoke
from support.files import make_digits, write_csv, write_idx
from support.runs import score, settings_for, stable_files

import job
from job.errors import DataError, OutputOccupied, StorageError, Terminated, UsageError
from job.settings import Shard
from job.storage import LocalStorage


@pytest.fixture
def nights(tmp_path, model):
    """Score what is new in `in/` into `out/NAME`."""
    (tmp_path / "in").mkdir()

    def night(name, **settings):
        settings = {"skip_done": (str(tmp_path / "out"),), **settings}
        return score(tmp_path / "in", tmp_path / "out" / name, model, **settings)

    return night


def put(tmp_path, name, seed, rows=20):
    """A file of a few digits among the inputs."""
    return write_csv(tmp_path / "in" / name, make_digits(rows, seed))


def scored(result):
    """The inputs of a run, as its report has them."""
    return [each["path"] for each in result.report["inputs"]]


def stop_at_first_part(output):
    """A `check_stop` that ends a run as soon as it has committed a part."""

    def check_stop():
        if [*output.glob("_parts/*.arrow")]:
            raise Terminated("stopped")

    return check_stop


def test_each_night_scores_what_came_since(nights, tmp_path):
    """Whatever the first night did is skipped; what was removed meanwhile is nobody's concern."""
    put(tmp_path, "a.csv", 1)
    put(tmp_path, "b.csv", 2)
    assert scored(nights("1")) == ["a.csv", "b.csv"]
    put(tmp_path, "c.csv", 3)
    (tmp_path / "in/a.csv").unlink()
    second = nights("2")
    assert scored(second) == ["c.csv"]
    assert nights("2").was_done
    manifest = json.loads((tmp_path / "out/2/manifest.json").read_text())
    assert manifest["settings"]["inputs"] == [str(tmp_path / "in/c.csv")]
    assert manifest["settings"]["skip_done"] == [str(tmp_path / "out")]
    assert second.report["run"]["command"].startswith(f"digit-job score --input {tmp_path}/in/c.csv --output")


def test_without_new_files_nothing_is_written(nights, tmp_path, caplog):
    """And nothing is wrong: exit code 0, one line that says so."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    with caplog.at_level("INFO"):
        result = nights("2")
    assert result.report is None
    assert (result.rows, result.missing, result.was_done) == (0, 0, True)
    assert not (tmp_path / "out/2").exists()
    assert "nothing new: all 1 inputs were scored by earlier runs" in caplog.text


def test_a_changed_file_is_scored_again_and_named(nights, tmp_path, caplog):
    """By its size, or by its time."""
    put(tmp_path, "a.csv", 1)
    path = put(tmp_path, "b.csv", 2)
    nights("1")
    os.utime(path, ns=(1, 1))
    with caplog.at_level("INFO"):
        assert scored(nights("2")) == ["b.csv"]
    assert f"{path}: changed since an earlier run scored it; scoring it again" in caplog.text
    put(tmp_path, "a.csv", 1, rows=21)
    assert scored(nights("3")) == ["a.csv"]


def test_labels_that_changed_or_came_are_a_change(nights, tmp_path):
    """They are in a file of their own, which has its own time."""
    images = write_idx(tmp_path / "in", make_digits(20), has_labels=False)
    nights("1")
    (tmp_path / "labels").mkdir()
    write_idx(tmp_path / "labels", make_digits(20))
    (tmp_path / "labels/t10k-labels-idx1-ubyte").rename(tmp_path / "in/t10k-labels-idx1-ubyte")
    assert nights("2").report["labelled"] == 20
    assert nights("3").report is None
    os.utime(tmp_path / "in/t10k-labels-idx1-ubyte", ns=(1, 1))
    assert scored(nights("3")) == [images.name]


def test_an_unfinished_run_has_done_nothing(nights, tmp_path):
    """Nor has one that did not pass its gates: nobody has taken its results."""
    put(tmp_path, "a.csv", 1)
    with pytest.raises(Terminated):
        nights("1", check_stop=stop_at_first_part(tmp_path / "out/1"), part_bytes=5000)
    assert scored(nights("2")) == ["a.csv"]
    (tmp_path / "out/2/_SUCCESS").rename(tmp_path / "out/2/_FAILED")
    assert scored(nights("3")) == ["a.csv"]


def test_a_resumed_run_keeps_its_inputs(nights, tmp_path, model):
    """Though another run has scored one meanwhile, and another file has come."""
    put(tmp_path, "a.csv", 1)
    put(tmp_path, "b.csv", 2)
    with pytest.raises(Terminated):
        nights("1", check_stop=stop_at_first_part(tmp_path / "out/1"), part_bytes=5000)
    score(tmp_path / "in/a.csv", tmp_path / "out/by-hand", model)
    put(tmp_path, "c.csv", 3)
    assert scored(nights("1", part_bytes=5000)) == ["a.csv", "b.csv"]
    assert not (tmp_path / "out/1/_parts").exists()
    assert scored(nights("2")) == ["c.csv"]
    score([tmp_path / "in/a.csv", tmp_path / "in/b.csv"], tmp_path / "once", model)
    assert (tmp_path / "out/1/predictions/a.csv").read_bytes() == (tmp_path / "once/predictions/a.csv").read_bytes()


def test_an_input_that_changed_meanwhile_is_named(nights, tmp_path):
    """The run cannot be finished, and says which file is to blame."""
    path = put(tmp_path, "a.csv", 1)
    with pytest.raises(Terminated):
        nights("1", check_stop=stop_at_first_part(tmp_path / "out/1"), part_bytes=5000)
    os.utime(path, ns=(1, 1))
    with pytest.raises(OutputOccupied, match=r"out/1: holds a run over .*a\.csv, changed or removed since"):
        nights("1", part_bytes=5000)
    assert scored(nights("2")) == ["a.csv"]


def test_a_run_that_died_before_its_claim_begins(nights, tmp_path):
    """It left its list of inputs; the next one takes it."""
    put(tmp_path, "a.csv", 1)
    with pytest.raises(StorageError):
        nights("1", check_stop=_fail_once_listed(tmp_path / "out/1/_parts/inputs.json"))
    (tmp_path / "out/1/_parts/run.json").unlink(missing_ok=True)
    put(tmp_path, "b.csv", 2)
    assert scored(nights("1")) == ["a.csv"]


def _fail_once_listed(path):
    def check_stop():
        if path.exists():
            raise StorageError("stopped")

    return check_stop


def test_newer_files_do_not_fit_a_finished_run(nights, tmp_path):
    """Of those, "already scored" would not be true."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    put(tmp_path, "b.csv", 2)
    with pytest.raises(OutputOccupied, match=r"holds a finished run, and .*b\.csv came after it; choose another --out"):
        nights("1")
    nights("2")
    assert nights("1").was_done


def test_shards_share_the_list_of_the_first(nights, tmp_path):
    """A file that comes between two shards is for another run, also where the others have finished."""
    put(tmp_path, "a.csv", 1)
    nights("0")
    put(tmp_path, "b.csv", 2)
    put(tmp_path, "c.csv", 3)
    assert nights("1", shard=Shard(0, 2)).missing == 1
    put(tmp_path, "d.csv", 4)
    assert scored(nights("1", shard=Shard(1, 2))) == ["b.csv", "c.csv"]
    assert nights("1", shard=Shard(0, 2)).was_done
    assert scored(nights("2")) == ["d.csv"]


def test_a_file_missing_in_a_finished_run_is_scored_again_with_its_inputs(nights, tmp_path):
    """Its manifest says which they were."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    before = stable_files(tmp_path / "out/1")
    put(tmp_path, "b.csv", 2)
    nights("2")
    (tmp_path / "out/1/predictions/a.csv").unlink()
    nights("1")
    assert stable_files(tmp_path / "out/1") == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda manifest: "{" + manifest,
        lambda manifest: manifest.replace('"fingerprint": "', '"fingerprint": "0'),
        lambda manifest: manifest.replace('"size": ', '"size": -'),
        lambda manifest: manifest.replace('"version"', '"Version"'),
        lambda _manifest: None,
    ],
)
def test_a_damaged_manifest_is_refused_by_name(nights, tmp_path, damage):
    """Its files would be scored again, or be skipped though they are not done."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    path = tmp_path / "out/1/manifest.json"
    content = damage(path.read_text())
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match="out/1") as error:
        nights("2")
    assert error.value.exit_code == 65
    assert not (tmp_path / "out/2").exists()


def test_other_programs_folders_are_no_runs(nights, tmp_path, caplog):
    """Spark leaves an empty _SUCCESS. On the first night the folder does not exist yet."""
    put(tmp_path, "a.csv", 1)
    assert scored(nights("1")) == ["a.csv"]
    assert "out: holds no finished run" in caplog.text
    (tmp_path / "out/spark").mkdir()
    (tmp_path / "out/spark/_SUCCESS").touch()
    assert nights("2").report is None


def test_a_single_folder_of_results_can_be_named(nights, tmp_path):
    """As well as the folder that holds them; a file cannot."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    put(tmp_path, "b.csv", 2)
    assert scored(nights("2", skip_done=(str(tmp_path / "out/1"),))) == ["b.csv"]
    with pytest.raises(UsageError, match=r"--skip-done .*a\.csv: is a file"):
        nights("3", skip_done=(str(tmp_path / "in/a.csv"),))


def test_overwriting_contradicts_it():
    """It would remove the record of what is done."""
    with pytest.raises(UsageError, match="--overwrite and --skip-done contradict each other"):
        settings_for("in", "out", "model", skip_done=("out",), is_overwriting=True)


def test_python_has_it_too(tmp_path, model):
    """One folder, or several."""
    (tmp_path / "in").mkdir()
    put(tmp_path, "a.csv", 1)
    job.score(tmp_path / "in", tmp_path / "1", model, skip_done=tmp_path)
    assert job.score(tmp_path / "in", tmp_path / "2", model, skip_done=[tmp_path / "1"]).report is None


def test_the_command_line_says_that_nothing_is_new(tmp_path, model):
    """With exit code 0; also to whoever reads metrics or lineage, and whatever the gates."""
    (tmp_path / "in").mkdir()
    put(tmp_path, "a.csv", 1)
    options = ["--model", model, "--max-rejects", "100%", "--skip-done", tmp_path / "out", "--log-format", "json"]
    first = invoke("score", tmp_path / "in", "--output", tmp_path / "out/1", *options)
    assert first.returncode == 0, first.stderr
    options += [
        "--metrics-file",
        tmp_path / "metrics.prom",
        "--openlineage",
        tmp_path / "lineage",
        "--max-warnings",
        "0",
    ]
    second = invoke("score", tmp_path / "in", "--output", tmp_path / "out/2", *options, "--min-accuracy", "1")
    assert second.returncode == 0, second.stderr
    assert second.stdout == "Nothing new: earlier runs have scored all inputs; nothing is written.\nResult: ok\n"
    events = {each["event"]: each["fields"] for each in map(json.loads, second.stderr.splitlines())}
    assert events["nothing_new"] == {"inputs": 1, "skip_done": [str(tmp_path / "out")]}
    assert (events["finished"]["exit_code"], events["finished"]["rows"]) == (0, 0)
    assert "digit_job_exit_code 0.0" in (tmp_path / "metrics.prom").read_text()
    assert [json.loads(line)["eventType"] for line in (tmp_path / "lineage").read_text().splitlines()] == [
        "START", "COMPLETE",
    ]  # fmt: skip


def test_of_two_runs_that_choose_at_once_one_decides(nights, tmp_path, monkeypatch):
    """The other takes its list."""
    put(tmp_path, "a.csv", 1)
    path = put(tmp_path, "b.csv", 2)
    create = LocalStorage.create

    def overtaken(storage, name, content):
        if name.endswith("inputs.json"):
            inputs = [each for each in json.loads(content)["inputs"] if each["path"] == str(path)]
            create(storage, name, json.dumps({"inputs": inputs}).encode())
        return create(storage, name, content)

    monkeypatch.setattr(LocalStorage, "create", overtaken)
    assert scored(nights("1")) == ["b.csv"]


def test_a_folder_that_is_in_use_is_left_alone(nights, tmp_path):
    """Not even a list of inputs is written beside other files, or into an unfinished run over other inputs."""
    put(tmp_path, "a.csv", 1)
    mine = tmp_path / "out/1/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    with pytest.raises(OutputOccupied, match=r"out/1: is not empty \(mine\.txt\)"):
        nights("1")
    assert [*mine.parent.iterdir()] == [mine]


def test_a_finished_run_without_its_manifest_is_refused(nights, tmp_path):
    """Nothing says which inputs were its own."""
    put(tmp_path, "a.csv", 1)
    nights("1")
    (tmp_path / "out/1/manifest.json").unlink()
    with pytest.raises(DataError, match=r"out/1/manifest\.json: is missing, though the run finished"):
        nights("1")
