import shutil

import pytest
from support.files import make_digits, write_csv, write_idx
from support.runs import score, stable_files

from job.errors import InternalError, NoInput, OutputOccupied, StorageError, Terminated


def _once(output, action):
    """A `check_stop` that does something the first time that the run is at work in its output folder."""
    done = []

    def check_stop():
        if not done and (output / "_parts/run.json").exists():
            done.append(True)
            action()

    return check_stop


def test_a_run_that_an_identical_one_overtakes_ends_as_well(tmp_path, model, digits):
    """The other finished first and tidied the parts away; what it wrote is this run's result, too."""
    source = write_csv(tmp_path / "a.csv", digits)
    score(source, tmp_path / "undisturbed", model)

    def overtake():
        assert not score(source, tmp_path / "out", model).was_done

    result = score(source, tmp_path / "out", model, check_stop=_once(tmp_path / "out", overtake))
    assert result.report["rows"]["read"] == len(digits)
    assert stable_files(tmp_path / "out") == stable_files(tmp_path / "undisturbed")
    assert not (tmp_path / "out/_parts").exists()


def test_parts_that_go_away_with_nobody_finishing_are_storage_that_fails(tmp_path, model, digits):
    """Somebody removed them: the run says so, and the same command starts over."""
    source, output = write_csv(tmp_path / "a.csv", digits), tmp_path / "out"
    with pytest.raises(StorageError, match="_parts/"):
        score(source, output, model, check_stop=_once(output, lambda: shutil.rmtree(output / "_parts")))
    assert not score(source, output, model).was_done


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_output_that_goes_away_before_the_end_is_not_declared_whole(tmp_path, model, digits, monkeypatch, change):
    """`_SUCCESS` stands beside what was written, or not at all."""
    source, output = write_csv(tmp_path / "a.csv", digits), tmp_path / "out"
    monkeypatch.setattr("job.score.gather.manifest_of", lambda *_: change(output / "predictions/a.csv") or {})
    with pytest.raises(StorageError, match=r"predictions/a\.csv: was removed or changed while the run was writing"):
        score(source, output, model)
    assert not (output / "_SUCCESS").exists()
    monkeypatch.undo()
    assert not score(source, output, model).was_done


def test_input_and_output_may_share_a_folder(tmp_path, model, digits):
    """What lies there is refused to be written beside, unless told so; and the output is never taken for input."""
    write_csv(tmp_path / "a.csv", digits)
    with pytest.raises(OutputOccupied, match=r"a\.csv"):
        score(tmp_path, tmp_path, model)
    assert not score(tmp_path, tmp_path, model, is_overwriting=True).was_done
    assert score(tmp_path, tmp_path, model, is_overwriting=True).was_done


def test_rows_that_do_not_add_up_are_a_defect(tmp_path, model):
    """A part in another's place is noticed before anything is made of it."""
    source = write_idx(tmp_path, make_digits(12), has_labels=False)

    def stop_before_the_end():
        if len(list((tmp_path / "out/_parts").glob("*.arrow"))) == 3:
            raise Terminated("enough")

    with pytest.raises(Terminated):
        score(source, tmp_path / "out", model, threads=1, part_bytes=4096, check_stop=stop_before_the_end)
    parts = sorted((tmp_path / "out/_parts").glob("*.arrow"))
    assert len(parts) == 3
    shutil.copy(parts[2], parts[1])
    with pytest.raises(InternalError, match=r"idx3-ubyte: rows do not add up: 9 in its parts, .* 12 announced"):
        score(source, tmp_path / "out", model, part_bytes=4096)
    assert not list((tmp_path / "out/predictions").rglob("*.csv"))


def test_a_run_over_its_own_output_has_nothing_to_read(tmp_path, model, digits):
    """Predictions are CSV too, but nobody's input."""
    score(write_csv(tmp_path / "a.csv", digits), tmp_path / "out", model)
    before = stable_files(tmp_path / "out")
    with pytest.raises(NoInput, match="holds nothing but this job's own output"):
        score(tmp_path / "out", tmp_path / "out", model)
    assert stable_files(tmp_path / "out") == before
