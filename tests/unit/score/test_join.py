from dataclasses import replace

import pytest
from support.files import make_digits, write_csv
from support.models import IntegerPredictor
from support.runs import NobodyWatches

from job.errors import InternalError
from job.read.source import files_at, look
from job.score.join import Joiner
from job.score.output import Output
from job.score.part import PartScorer
from job.score.plan import make_plan
from job.settings import ReadSettings, ScoreSettings
from job.write.part_file import opened_part


@pytest.fixture
def scored(storage, tmp_path):
    """A joiner, the one input of its plan, and that input's committed parts with their summaries."""
    settings = ScoreSettings(("in",), str(tmp_path / "out"), "model", part_bytes=20_000)
    path = write_csv(tmp_path / "a.csv", make_digits(30))
    plan = make_plan(look(storage, files_at(storage, [str(path)]), ReadSettings()), settings, "digest")
    output = Output(storage, settings.output)
    claim = output.claim(plan, settings.part_bytes, is_overwriting=False)
    scorer = PartScorer(storage, claim.commit, IntegerPredictor(), settings, NobodyWatches())
    parts = []
    for part in plan.parts:
        scorer.score(part, plan.inputs[0], output.part(part))
        with opened_part(storage, output.part(part)) as reader:
            parts.append((output.part(part), reader.summary))
    return Joiner(storage, claim, settings.format), plan.inputs[0], parts


def test_parts_are_joined_in_order(scored, tmp_path):
    """The prediction file has a row for each record, and nothing was rejected."""
    joiner, each, parts = scored
    joined = joiner.join(each, parts)
    assert len(parts) > 1
    assert [file.path for file in joined.files] == ["predictions/a.csv"]
    assert len((tmp_path / "out/predictions/a.csv").read_text().splitlines()) == 31


@pytest.mark.parametrize("difference", [-1, 1])
def test_rows_that_were_not_counted_are_never_committed(scored, tmp_path, difference):
    """Where a part holds other rows than its summary says, the run ends as a defect, without a prediction file."""
    joiner, each, parts = scored
    path, summary = parts[1]
    parts[1] = (path, replace(summary, rows=summary.rows + difference))
    with pytest.raises(InternalError, match=rf"a\.csv: 30 rows in its parts, where {30 + difference} were counted"):
        joiner.join(each, parts)
    assert not list(tmp_path.glob("out/predictions/*"))
