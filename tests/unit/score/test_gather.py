import shutil

import pytest
from support.files import csv_text, make_digits, write_csv, write_idx
from support.runs import score, stable_files

from job.errors import InternalError, StorageError, Terminated, TooManyRejects
from job.score.plan import Plan
from job.settings import RejectLimit


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_output_that_disappears_before_the_end_is_not_declared_whole(tmp_path, model, digits, monkeypatch, change):
    """There is no `_SUCCESS` without all other files; the same command completes the output."""
    source, output = write_csv(tmp_path / "a.csv", digits), tmp_path / "out"
    monkeypatch.setattr("job.score.gather.render", lambda *_: change(output / "predictions/a.csv") or "")
    with pytest.raises(StorageError, match=r"predictions/a\.csv: was removed or changed while the run was writing"):
        score(source, output, model)
    assert not (output / "_SUCCESS").exists()
    monkeypatch.undo()
    assert not score(source, output, model).was_done


def test_rows_that_do_not_add_up_are_a_defect(tmp_path, model, monkeypatch):
    """A part file in another's place, whose digest does not tell, is noticed before any output is written."""
    monkeypatch.setattr(Plan, "identity_of", lambda _self, _part: "any part")
    source = write_idx(tmp_path, make_digits(12), has_labels=False)

    def stop_before_the_last_part():
        if len(list((tmp_path / "out/_parts").glob("*.arrow"))) == 3:
            raise Terminated("enough")

    with pytest.raises(Terminated):
        score(source, tmp_path / "out", model, threads=1, part_bytes=4096, check_stop=stop_before_the_last_part)
    parts = sorted((tmp_path / "out/_parts").glob("*.arrow"))
    assert len(parts) == 3
    shutil.copy(parts[2], parts[1])
    with pytest.raises(InternalError, match=r"idx3-ubyte: rows do not add up: 9 in its parts, .* 12 announced"):
        score(source, tmp_path / "out", model, part_bytes=4096)
    assert not list((tmp_path / "out/predictions").rglob("*.csv"))


def test_too_many_rejects_leave_the_files_to_inspect_and_no_report(tmp_path, model):
    """The message shows the first rejects; with a higher limit the same parts are gathered."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(4)) + "1,2,3\n" * 5)
    with pytest.raises(TooManyRejects) as error:
        score(source, tmp_path / "out", model, max_rejects=RejectLimit.parse("4"))
    assert str(error.value).startswith(
        f"5 of 9 records were rejected, more than --max-rejects 4; they are listed in {tmp_path}/out/rejects; "
        "first: a.csv line 6: 3 values"
    )
    assert str(error.value).count("a.csv line") == 3
    assert len((tmp_path / "out/rejects/a.csv.jsonl").read_text().splitlines()) == 5
    assert not (tmp_path / "out/report.json").exists()
    assert score(source, tmp_path / "out", model, max_rejects=RejectLimit.parse("5")).rows == 0


def test_the_limit_holds_for_finished_output_too(tmp_path, model):
    """A run over finished output fails if today's limit is lower than the run's was; nothing is changed."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(4)) + "1,2,3\n")
    score(source, tmp_path / "out", model)
    before = stable_files(tmp_path / "out")
    with pytest.raises(TooManyRejects, match="1 of 5 records were rejected, more than --max-rejects 0"):
        score(source, tmp_path / "out", model, max_rejects=RejectLimit.parse("0"))
    assert stable_files(tmp_path / "out") == before
