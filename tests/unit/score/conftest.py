"""A run up to its committed parts, scored without a network, for the tests of what follows."""

from dataclasses import dataclass

import pytest
from support.files import csv_lines, make_digits
from support.models import IntegerPredictor
from support.runs import SilentObserver

from job.read.source import files_at, look
from job.score.input_parts import InputParts
from job.score.output import Claim, Output
from job.score.part import PartScorer
from job.score.plan import Input, make_plan
from job.settings import ReadSettings, ScoreSettings


@dataclass(frozen=True)
class ScoredParts:
    """A run over `a.csv`, whose 30 records are scored in several parts, and those parts."""

    claim: Claim
    target: Input
    parts: InputParts


@pytest.fixture
def scored_parts(storage, tmp_path, request):
    """Parametrise indirectly with the records to reject, by row."""
    lines = csv_lines(make_digits(30))
    for row in getattr(request, "param", ()):
        lines[row] = "1,2,3"
    settings = ScoreSettings(("in",), str(tmp_path / "out"), "model", part_bytes=20_000)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    plan = make_plan(look(storage, files_at(storage, [str(path)]), ReadSettings()), settings, "digest")
    claim = Output(storage, settings.output).claim(plan, settings.part_bytes, "", is_overwriting=False)
    scorer = PartScorer(storage, claim.commit, IntegerPredictor(), settings, SilentObserver())
    files = [claim.output.part_file(plan, part) for part in plan.parts]
    for part, file in zip(plan.parts, files, strict=True):
        scorer.score(part, plan.inputs[0], file)
    assert len(files) > 2
    return ScoredParts(claim, plan.inputs[0], InputParts.read(storage, files))
