import pytest
from support.files import make_digits

from job.errors import InternalError
from job.report.examples import Examples
from job.score.input_parts import InputParts
from job.write.part_file import PartSummary, PartWriter, open_part

REJECTED = (3, 25)


@pytest.mark.parametrize("scored_parts", [REJECTED], indirect=True)
def test_rejects_count_from_the_start_of_the_input(scored_parts):
    """Rows from 0, lines from 1, whatever part they are in."""
    rejects = [reject for _, batch in scored_parts.parts.batches() for reject in batch]
    assert [(each.row, each.line) for each in rejects] == [(row, row + 1) for row in REJECTED]
    assert scored_parts.parts.has_rejects


def test_rows_come_in_order(scored_parts, storage):
    """All of them, as the parts hold them."""
    expected = []
    for path in scored_parts.parts.paths:
        with open_part(storage, path) as part:
            expected += [rows for rows, _ in part.batches()]
    assert [rows for rows, _ in scored_parts.parts.batches()] == expected
    assert sum(rows.num_rows for rows in expected) == scored_parts.parts.rows == 30
    assert not scored_parts.parts.has_rejects


@pytest.mark.parametrize("scored_parts", [REJECTED], indirect=True)
def test_counts_are_summed(scored_parts):
    """Over all parts; rejected records have no appearance."""
    tally = scored_parts.parts.tally
    assert (tally.read, tally.scored, tally.rejected) == (30, 28, 2)
    assert scored_parts.parts.appearance.images == 28


def test_examples_count_rows_from_the_start_of_the_input(scored_parts):
    """Each shows the pixels of its row."""
    pixels = make_digits(30).pixels
    records = scored_parts.parts.examples.records
    assert records["row"].max() > scored_parts.parts.summaries[0].rows
    for each in records:
        assert (each["pixels"] == pixels[each["row"]]).all()


def test_warnings_are_those_of_the_first_part(scored_parts, storage, tmp_path):
    """Only the first part has any."""
    assert scored_parts.parts.warnings == []
    summary = scored_parts.parts.summaries[0]
    with storage.commit(str(tmp_path / "first.arrow")) as file:
        warned = PartSummary(0, 0, summary.tally, summary.appearance, ["odd"])
        PartWriter(file, scored_parts.target.schema).finish(warned, Examples.none().to_bytes())
    paths = [str(tmp_path / "first.arrow"), *scored_parts.parts.paths]
    assert InputParts.read(storage, paths).warnings == ["odd"]


def test_damaged_examples_are_named(scored_parts, storage, tmp_path):
    """With what to do."""
    with storage.commit(str(tmp_path / "p.arrow")) as file:
        PartWriter(file, scored_parts.target.schema).finish(scored_parts.parts.summaries[0], b"damaged")
    with pytest.raises(InternalError, match=r"p\.arrow: is damaged or incomplete \(.*\); delete it and run again"):
        InputParts.read(storage, [str(tmp_path / "p.arrow")])
