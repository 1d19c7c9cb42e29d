import pytest
from support.files import make_digits

from job.errors import PartDamaged
from job.report.appearance import Appearance
from job.report.tally import Tally
from job.score.input_parts import InputParts
from job.write.part_file import PartFile, PartSummary, PartWriter, open_part

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
    for file in scored_parts.parts.files:
        with open_part(storage, file) as part:
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
    assert records["row"].max() > scored_parts.parts.sizes[0][0]
    for each in records:
        assert (each["pixels"] == pixels[each["row"]]).all()


def _first_part(scored_parts, storage, tmp_path, *, examples=b"", **changed):
    """A part without rows, but for what is changed in its summary."""
    file = PartFile(str(tmp_path / "p.arrow"), scored_parts.target.schema, "a part")
    summary = PartSummary(0, 0, Tally.zero().to_json(), Appearance.zero().to_json(), **changed)
    with storage.commit(file.path) as content:
        PartWriter(content, file.schema, file.identity).finish(summary, examples)
    return file


def test_warnings_are_those_of_the_first_part(scored_parts, storage, tmp_path):
    """Only the first part has any."""
    assert scored_parts.parts.warnings == ()
    warned = _first_part(scored_parts, storage, tmp_path, warnings=["odd"])
    assert InputParts.read(storage, [warned, *scored_parts.parts.files]).warnings == ("odd",)


def test_damaged_examples_are_named(scored_parts, storage, tmp_path):
    """With what to do."""
    damaged = _first_part(scored_parts, storage, tmp_path, examples=b"damaged")
    with pytest.raises(PartDamaged, match=r"p\.arrow: was changed or damaged \(.*\); run the same command again"):
        InputParts.read(storage, [damaged])
