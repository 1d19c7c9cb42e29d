import os
from dataclasses import replace

import numpy as np
import pytest
from support.files import csv_lines, csv_text, make_digits, write_csv
from support.models import IntegerPredictor
from support.runs import SilentObserver

from job.contract import PixelBatch, Reason, Reject
from job.errors import InputChanged, InternalError, Terminated
from job.read.source import files_at, look
from job.report.tally import Tally
from job.score.part import PartScorer, predict
from job.score.plan import make_plan
from job.settings import ReadSettings, ScoreSettings
from job.storage import never_stop
from job.write.part_file import PartFile, open_part

SETTINGS = ScoreSettings(inputs=("in",), output="out", model="model", part_bytes=20_000, block_rows=4)


def planned(storage, path):
    """The plan for one file."""
    return make_plan(look(storage, files_at(storage, [str(path)]), ReadSettings()), SETTINGS, "digest")


def file_of(plan, path):
    """The file of a part at a path."""
    return PartFile(str(path), plan.inputs[0].schema, "a part")


def scorer(storage, predictor, check_stop=never_stop):
    """A PartScorer without an observer."""
    return PartScorer(storage.stopping(check_stop), storage.commit, predictor, SETTINGS, SilentObserver())


def test_parts_hold_every_record_once(tmp_path, storage):
    """Scoring all parts reads, predicts and commits each record exactly once."""
    digits = make_digits(50)
    plan = planned(storage, write_csv(tmp_path / "a.csv", digits))
    predictor = IntegerPredictor()
    tally, predictions = Tally.zero(), []
    for part in plan.parts:
        file = file_of(plan, tmp_path / f"{part.index}.arrow")
        scorer(storage, predictor).score(part, plan.inputs[0], file)
        with open_part(storage, file) as reader:
            tally += Tally.from_json(reader.summary.tally)
            predictions += [value for rows, _ in reader.batches() for value in rows["prediction"].to_pylist()]
    expected = predictor.predict(digits.pixels).argmax(axis=1)
    assert len(plan.parts) > 2
    assert predictions == expected.tolist()
    assert (tally.read, tally.scored, tally.correct) == (50, 50, int((expected == digits.labels).sum()))


def test_rejects_count_from_the_start_of_the_part(tmp_path, storage):
    """Whatever block they are in."""
    lines = csv_lines(make_digits(9))
    lines[6] = "1,2"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    plan = planned(storage, tmp_path / "a.csv")
    scorer(storage, IntegerPredictor()).score(plan.parts[0], plan.inputs[0], file_of(plan, tmp_path / "p"))
    with open_part(storage, file_of(plan, tmp_path / "p")) as reader:
        found = [reject for _, rejects in reader.batches() for reject in rejects]
    assert [(each.row, each.line, each.reason) for each in found] == [(6, 7, Reason.TOO_FEW_FIELDS)]


def test_a_stopped_part_leaves_no_file(tmp_path, storage):
    """Neither under its name nor a temporary one."""
    plan = planned(storage, write_csv(tmp_path / "a.csv", make_digits(20)))

    def stop():
        raise Terminated("enough")

    (tmp_path / "parts").mkdir()
    with pytest.raises(Terminated):
        scorer(storage, IntegerPredictor(), stop).score(
            plan.parts[0], plan.inputs[0], file_of(plan, tmp_path / "parts/0.arrow")
        )
    assert list((tmp_path / "parts").iterdir()) == []


def test_a_tally_that_does_not_add_up_is_a_defect(tmp_path, storage, monkeypatch):
    """No part is committed that has lost a row."""
    plan = planned(storage, write_csv(tmp_path / "a.csv", make_digits(20)))
    count = Tally.of

    def lose_one(batch):
        tally = count(batch)
        return replace(tally, counts=tally.counts - np.arange(len(tally.counts)).clip(max=1))

    monkeypatch.setattr(Tally, "of", lose_one)
    with pytest.raises(InternalError, match=r"records read, \d+ scored, 0 rejected"):
        scorer(storage, IntegerPredictor()).score(plan.parts[0], plan.inputs[0], file_of(plan, tmp_path / "p"))
    assert not (tmp_path / "p").exists()


def test_an_input_that_grows_while_it_is_read_is_refused(tmp_path, storage):
    """Changed data is never committed."""
    source = write_csv(tmp_path / "a.csv", make_digits(20))
    plan = planned(storage, source)
    with source.open("a") as file:
        file.write(csv_text(make_digits(1), has_header=False))
    with pytest.raises(InputChanged, match=r"a\.csv: was changed while it was being read"):
        scorer(storage, IntegerPredictor()).score(plan.parts[0], plan.inputs[0], file_of(plan, tmp_path / "p"))
    assert not (tmp_path / "p").exists()


def test_an_input_replaced_by_one_of_the_same_size_is_refused(tmp_path, storage):
    """By its modification time."""
    source = write_csv(tmp_path / "a.csv", make_digits(20))
    plan = planned(storage, source)
    os.utime(source, ns=(1, 1))
    with pytest.raises(InputChanged):
        scorer(storage, IntegerPredictor()).score(plan.parts[0], plan.inputs[0], file_of(plan, tmp_path / "p"))


def test_rejected_records_get_no_prediction_but_bad_labels_do():
    """A bad label only excludes the row from the accuracy."""
    rejects = (Reject(0, Reason.NOT_A_NUMBER, "wrong"), Reject(1, Reason.BAD_LABEL, "wrong"))
    batch = PixelBatch(make_digits(3).pixels, np.array([1, -1, 3], np.int8), rejects)
    scored = predict(batch, IntegerPredictor())
    assert scored.predictions[0] == -1
    assert not scored.probabilities[0].any()
    assert (scored.predictions[1:] >= 0).all()
    tally = Tally.of(scored)
    assert (tally.read, tally.scored, tally.rejected, tally.labelled) == (3, 2, 1, 1)
