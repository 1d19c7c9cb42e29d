import json
from dataclasses import replace

import pytest

from job.errors import InternalError
from job.score.join import RowIds, first_of_each_reason, join
from job.score.output_files import OutputFiles
from job.settings import ScoreSettings

SETTINGS = ScoreSettings(("a.csv",), "out", "model")


@pytest.fixture
def files(scored_parts):
    return OutputFiles(scored_parts.claim)


def test_parts_are_joined_in_order(scored_parts, files, tmp_path):
    """The prediction file has a row for each record; without rejects there is no reject file."""
    assert join(scored_parts.target, scored_parts.parts, files, SETTINGS, RowIds(scored_parts.target, [])) == []
    assert [each["path"] for each in files.committed] == ["predictions/a.csv"]
    assert len((tmp_path / "out/predictions/a.csv").read_text().splitlines()) == 31


@pytest.mark.parametrize("scored_parts", [(3, 12, 20, 25)], indirect=True)
def test_rejects_are_written_and_the_first_three_returned(scored_parts, files, tmp_path):
    """The reject file is committed after the predictions."""
    examples = join(scored_parts.target, scored_parts.parts, files, SETTINGS, RowIds(scored_parts.target, []))
    assert [each["path"] for each in files.committed] == ["predictions/a.csv", "rejects/a.csv.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "out/rejects/a.csv.jsonl").read_text().splitlines()]
    assert [(each["file"], each["row"], each["line"]) for each in lines] == [
        ("a.csv", row, row + 1) for row in (3, 12, 20, 25)
    ]
    assert [(each["path"], each["row"], each["reason"]) for each in examples] == [
        ("a.csv", row, "too_few_fields") for row in (3, 12, 20)
    ]


@pytest.mark.parametrize("difference", [-1, 1])
def test_rows_that_no_summary_counts_are_never_committed(scored_parts, files, tmp_path, difference):
    """If a part holds another number of rows than its summary says, that is a defect, and no file is written."""
    sizes = list(scored_parts.parts.sizes)
    sizes[1] = (sizes[1][0] + difference, sizes[1][1])
    parts = replace(scored_parts.parts, sizes=tuple(sizes))
    with pytest.raises(
        InternalError, match=rf"a\.csv: 30 rows in its parts, but their summaries say {30 + difference}"
    ):
        join(scored_parts.target, parts, files, SETTINGS, RowIds(scored_parts.target, []))
    assert not list(tmp_path.glob("out/predictions/*"))


def test_the_first_three_of_each_reason():
    """In the given order."""
    rejects = [{"reason": reason, "row": row} for row, reason in enumerate("aababbab")]
    assert [each["row"] for each in first_of_each_reason(rejects)] == [0, 1, 2, 3, 4, 5]
