"""--max-rejects as a number ends a run once it is passed, and what is listed of rejects is bounded."""

import json

import pytest
from support.files import csv_text, make_digits
from support.runs import SilentObserver, files_below, score

from job.contract import MAX_RAW, MAX_TEXT, Reason, Reject
from job.errors import TooManyRejects
from job.score.reject_count import RejectCount
from job.settings import RejectLimit
from job.write.predictions import reject_line

FIVE = RejectLimit.parse("5")
BAD = [Reject(row, Reason.TOO_FEW_FIELDS, f"detail {row}", byte_offset=row) for row in range(10)]


def test_a_count_is_passed_between_parts():
    """No further part is started; a part under way is finished."""
    count = RejectCount(FIVE)
    count.add("a.csv", 5, BAD[:5])
    count.check()
    count.add("a.csv", 1, BAD[5:6])
    with pytest.raises(TooManyRejects, match=r"^6 records .* first: a\.csv at byte 0: detail 0; .*2$"):
        count.check()


def test_a_part_with_far_too_many_rejects_ends():
    """A file may be one part."""
    count = RejectCount(FIVE)
    count.add("a.csv", 1005, BAD)
    with pytest.raises(TooManyRejects, match="1,006 records"):
        count.add("a.csv", 1, BAD)


@pytest.mark.parametrize("limit", ["0.01%", "2000"])
def test_other_limits_end_no_part(limit):
    """A percentage is one of all records."""
    count = RejectCount(RejectLimit.parse(limit))
    count.add("a.csv", 2000, BAD)
    count.check()


class CountingObserver(SilentObserver):
    """An observer that counts rows."""

    rows = 0

    def advanced(self, rows, *_):
        self.rows += rows


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("part_bytes", [5_000, 1 << 25])
def test_a_run_ends_before_its_inputs(tmp_path, model, threads, part_bytes):
    """Whether of many parts or of one; with a higher limit, the same command goes on from the committed parts."""
    source, output, seen = tmp_path / "a.csv", tmp_path / "out", CountingObserver()
    source.write_text(csv_text(make_digits(4)) + "1,2,3\n" * 60_000)
    with pytest.raises(TooManyRejects, match="so far, more than --max-rejects 5"):
        score(source, output, model, max_rejects=FIVE, threads=threads, part_bytes=part_bytes, observer=seen)
    assert seen.rows < 30_000
    assert {path.partition("/")[0] for path in files_below(output)} == {"_parts"}
    rest = score(source, output, model, max_rejects=RejectLimit.parse("60000"), part_bytes=part_bytes)
    assert rest.report["rows"] == {"read": 60_004, "scored": 4, "rejected": 60_000, "skipped": 0}


@pytest.mark.parametrize("part_bytes", [200_000, 1 << 25])
def test_reject_files_are_bounded(tmp_path, model, monkeypatch, part_bytes):
    """The report has the right counts, and says that not all are listed."""
    for module in ("part", "join", "documents"):
        monkeypatch.setattr(f"job.score.{module}.MAX_LISTED", 1_000)
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(4)) + "1,2,3\n" * 50_000)
    report = score(source, tmp_path / "out", model, part_bytes=part_bytes).report
    lines = (tmp_path / "out/rejects/a.csv.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == list(range(4, 1_004))
    assert report["rows"]["rejected"] == 50_000
    assert (tmp_path / "out/predictions/a.csv").read_text().count("too_few_fields") == 50_000
    assert "rejects/a.csv.jsonl lists only the first 1,000 of 50,000 rejects" in [
        each["message"] for each in report["warnings"]
    ]


def test_texts_of_rejects_are_bounded(tmp_path, model):
    """A value may be as long as a record."""
    source = tmp_path / "a.csv"
    source.write_text(csv_text(make_digits(4)) + f"5,{'0,' * 783}{'z' * 20_000}\n{'y' * 20_000},{'0,' * 783}0\n" * 5)
    score(source, tmp_path / "out", model)
    lines = (tmp_path / "out/rejects/a.csv.jsonl").read_bytes().splitlines()
    assert len(lines) == 10
    assert max(map(len, lines)) < 2 * MAX_TEXT + MAX_RAW + 500


def test_short_rejects_are_left_as_they_are():
    """Which are all but a few."""
    assert BAD[0].shortened() is BAD[0]
    long = Reject(0, Reason.NOT_A_NUMBER, "d" * 5_000, "c" * 5_000, "r" * 5_000).shortened()
    assert (len(long.detail), len(long.column), len(long.raw)) == (MAX_TEXT, MAX_TEXT, MAX_RAW)


@pytest.mark.parametrize("text", ["\x9b31m", "\u202egnp.exe", "a\u2028b", "\x7f", "\udc80", "\U000e0041", "é世界"])
def test_characters_that_cannot_be_seen_are_spelled_out(text):
    """They control terminals, or show one name as another; the JSON means the same."""
    line = reject_line(f"{text}.csv", Reject(0, Reason.TOO_FEW_FIELDS, text, raw=text))
    assert line[:-1].decode().isprintable()
    assert json.loads(line)["raw"] == json.loads(line)["detail"] == text
