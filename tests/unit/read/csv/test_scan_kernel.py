"""The compiled scanner, with `run_kernel` and `vector`: it must agree with the slow parser on every text."""

import itertools
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from support.batches import assert_same
from support.files import PIXEL_NAMES, csv_lines, make_digits
from support.guarded_memory import SIDES, guarded_allocations, guarded_bytes

from job.errors import InternalError
from job.read.csv.block import SPARE_BYTES, Records, TextSlice, find_records, parse_block
from job.read.csv.record import MAX_RECORD_BYTES
from job.read.csv.scan import scan_records
from job.read.layout.names import from_names, without_names
from job.settings import ReadSettings

LABELLED = without_names(785, ReadSettings(), "")
UNLABELLED = without_names(785, ReadSettings(is_label_ignored=True), "")
MIXED = from_names(["note", *PIXEL_NAMES[:400], "label", *PIXEL_NAMES[:399:-1], "source"], ReadSettings(), "")
PASSTHROUGH = from_names(["note", *PIXEL_NAMES, "label", "source"], ReadSettings(keep=("source", "note")), "")
FRACTIONS = replace(LABELLED, pixel_scale="1")
COMMAS = replace(FRACTIONS, delimiter=";", decimal=",")
DIGITS = make_digits(4, seed=7)


def _content(layout):
    """Four records as bytes, in the order of a layout's columns."""
    lines = []
    for pixels, label in zip(DIGITS.pixels, DIGITS.labels, strict=True):
        fields = ["text"] * layout.field_count
        for value, field in zip(pixels, layout.pixel_fields, strict=True):
            number = str(value) if layout.pixel_scale == "255" else repr(int(value) / 255)
            fields[field] = number.replace(".", layout.decimal)
        if layout.label_field is not None:
            fields[layout.label_field] = str(label)
        lines.append(layout.delimiter.join(fields))
    return "\r\n".join(lines).encode() + b"\n"


LAYOUTS = {
    "labelled": LABELLED, "unlabelled": UNLABELLED, "mixed": MIXED, "passthrough": PASSTHROUGH, "fractions": FRACTIONS,
    "decimal commas": COMMAS,
}  # fmt: skip
CONTENTS = {layout: _content(layout) for layout in LAYOUTS.values()}


def _packing(text, layout, records):
    """The scanner for processors that can pack bytes; on others it computes the same, slowly."""
    with patch("job.read.csv.scan.can_pack", return_value=True):
        return scan_records(text, layout, records)


def _walking(text, layout, records):
    """The scanner for processors that cannot."""
    with patch("job.read.csv.scan.can_pack", return_value=False):
        return scan_records(text, layout, records)


def _text(content, side="end", *, limit=10**9, is_final=True):
    """A text in guarded memory, of which no byte but SPARE_BYTES behind it may be read."""
    return TextSlice(guarded_bytes(content, side, SPARE_BYTES), 0, len(content), limit, is_final)


def _assert_agreement(content, layout, *, is_final=True, limit=10**9, rows=10, what=None):
    """Fail unless all scanners give the same batch; `what` is shown with the failure.

    No compiled scanner may touch a byte around the text or around its results.
    """
    text = TextSlice(bytearray(content), 0, len(content), limit, is_final)
    plain, plain_position = parse_block(text, 0, layout, find_records, rows)
    side = SIDES[len(content) % 2]
    for scan in (_packing, _walking):
        guarded = _text(content, side, limit=limit, is_final=is_final)
        with guarded_allocations(side):
            compiled, compiled_position = parse_block(guarded, 0, layout, scan, rows)
        assert compiled_position == plain_position, what
        assert_same(compiled, plain, what)


@pytest.mark.parametrize("scan", [_packing, _walking])
@pytest.mark.parametrize("layout", CONTENTS, ids=LAYOUTS.keys())
def test_plain_records_do_without_the_slow_parser(layout, scan):
    """Records of small numbers are parsed to their pixels and labels by the kernel alone."""
    content = CONTENTS[layout]
    records = Records.allocate(10, len(layout.passthrough_fields))
    scanned = scan(_text(content), layout, records)
    assert scanned.rows == 4
    assert not records.needs_slow_parser.any()
    np.testing.assert_array_equal(records.pixels[:4], DIGITS.pixels)
    if layout.label_field is not None:
        np.testing.assert_array_equal(records.labels[:4], DIGITS.labels)


FIELDS = [
    "", " ", "0", "00", "000", "0000", "9", "10", "255", "256", "999", "1000", "007", "7.0", "7.", ".5", "1e2", "+5",
    "-0", "-1", "nan", "inf", "1_0", '"7"', '"', '""', "7\r", "\r", "\0", "\t7", "7\t", "ä", "٣", "x", "/", ":", ",",
    "7.00", "00255.000", "255.0000000000000000000000000000001", "256.0", "2.55e2", "2.55E+02", "2.551e2", "25500e-2",
    "1e-400", "1e400", "1e", "1e+", "e5", "1.2.3", "1,5", "0.5", "0,5", "0.00392156862745098", "0.0039215688593685627",
    "1.0", "1.000000000000000000000001", "0.99999999999999999999", "0.001960784313725490196", "9.9607843137254902e-01",
    "3.9215686274509803e-3", "000000000000000000000000000001", "100000000000000000000000e-23", "0e99999", "-0.0",
    "0x1p3", "7,7", "\x7f", "\x80", '"a,b"', '"a', "/1", ":1",
]  # fmt: skip


@pytest.mark.parametrize("layout", CONTENTS, ids=LAYOUTS.keys())
def test_every_kind_of_field_means_the_same(layout):
    """Whatever a field holds, and wherever it is, all scanners give the same batch."""
    first, second, *rest = CONTENTS[layout].split(b"\r\n")
    delimiter = layout.delimiter.encode()
    fields = second.split(delimiter)
    for field in FIELDS:
        text = field.encode("latin-1" if field == "\x80" else "utf-8")
        changed = []
        for place in (0, 1, 401, 784, -1):
            changed.append(list(fields))
            changed[-1][place] = text
        _assert_agreement(b"\r\n".join([first, *map(delimiter.join, changed), *rest]), layout, what=field)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    layout=some.sampled_from([LABELLED, FRACTIONS, COMMAS]),
    value=some.one_of(some.integers(0, 300), some.integers(0, 512).map(lambda n: n / 510), some.floats(0, 300)),
    form=some.sampled_from(
        ["{}", "{:.0f}", "{:.4f}", "{:.16g}", "{:.17g}", "{:.18e}", "{:.25f}", "{:.7e}", "{:09.3f}"]
    ),
    place=some.integers(0, 784),
)
def test_numbers_in_any_form_mean_the_same(layout, value, form, place):
    """However a number is written and rounded, all scanners read the same."""
    lines = CONTENTS[layout].split(b"\r\n")
    fields = lines[1].decode().split(layout.delimiter)
    fields[place] = form.format(value).replace(".", layout.decimal)
    _assert_agreement(b"\r\n".join([lines[0], layout.delimiter.join(fields).encode(), *lines[2:]]), layout)


@pytest.mark.parametrize(
    ("layout", "form"),
    [
        (LABELLED, "{}.0"), (LABELLED, "{:.18e}"), (FRACTIONS, "{!r}"), (FRACTIONS, "{:.4f}"), (FRACTIONS, "{:.18e}"),
        (COMMAS, "{:.15g}"),
    ],
)  # fmt: skip
def test_common_forms_of_numbers_do_without_the_slow_parser(layout, form):
    """What pandas, NumPy and R write is parsed by the kernel alone."""
    values = DIGITS.pixels.astype(int) / (255 if layout.pixel_scale == "1" else 1)
    if form == "{}.0":
        values = DIGITS.pixels
    lines = [
        layout.delimiter.join(["3", *(form.format(value).replace(".", layout.decimal) for value in row.tolist())])
        for row in values
    ]
    records = Records.allocate(10)
    assert scan_records(_text("\n".join(lines).encode()), layout, records).rows == 4
    assert not records.needs_slow_parser[:4].any()
    np.testing.assert_array_equal(records.pixels[:4], DIGITS.pixels)
    assert records.labels[:4].tolist() == [3] * 4


_piece = some.one_of(
    some.binary(min_size=1, max_size=3),
    some.sampled_from([field.encode() for field in FIELDS] + [b"\n", b"\r\n", b"\r", b"\n\n", b",,", b",\n"]),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    layout=some.sampled_from(list(CONTENTS)),
    changes=some.lists(some.tuples(some.floats(0, 1), some.integers(0, 3), _piece), min_size=1, max_size=4),
    end=some.floats(0, 1),
    is_final=some.booleans(),
    limit=some.integers(0, 10_000),
    rows=some.integers(1, 5),
)
def test_mutated_bytes_mean_the_same(layout, changes, end, is_final, limit, rows):
    """However a text is damaged, and wherever it is cut, all scanners find and reject the same."""
    content = bytearray(CONTENTS[layout])
    for place, removed, piece in changes:
        start = int(place * len(content))
        content[start : start + removed] = piece
    content = content[: int(end * len(content)) + 1]
    _assert_agreement(content, layout, is_final=is_final, limit=limit, rows=rows)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(some.lists(some.sampled_from([b"1", b",", b"\n", b"\r", b'"', b"x", b"\xff"]), max_size=30).map(b"".join))
def test_short_garbage_means_the_same(content):
    """Text that is nothing like a record is cut into the same lines and rejected alike."""
    _assert_agreement(content, LABELLED)


@pytest.mark.parametrize("size", [MAX_RECORD_BYTES, MAX_RECORD_BYTES + 1])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["no end", "LF", "CRLF"])
def test_longest_record_means_the_same(size, end):
    """All scanners reject an over-long record from the same size on."""
    layout = from_names(["note", *PIXEL_NAMES], ReadSettings(), "")
    pixels = csv_lines(DIGITS[:1], has_labels=False)[0].encode()
    content = b"x" * (size - len(pixels) - 1) + b"," + pixels + end
    text = TextSlice(bytearray(content), 0, len(content), 10**9, is_final=True)
    plain, _ = parse_block(text, 0, layout, find_records, 10)
    assert len(plain.rejects) == (size > MAX_RECORD_BYTES)
    _assert_agreement(content, layout)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
@pytest.mark.parametrize("has_labels", [True, False])
def test_any_delimiter_means_the_same(delimiter, has_labels):
    """Files with another delimiter are parsed by the kernel, too; a line with a comma is left to the slow parser."""
    layout = replace(without_names(784 + has_labels, ReadSettings(), ""), delimiter=delimiter)
    digits = make_digits(40, seed=11)
    lines = [line.replace(",", delimiter) for line in csv_lines(digits, has_labels=has_labels)]
    lines[7] = lines[7].replace(delimiter, ",", 1)
    records = Records.allocate(50)
    assert scan_records(_text("\r\n".join(lines).encode()), layout, records).rows == 40
    assert np.flatnonzero(records.needs_slow_parser[:40]).tolist() == [7]
    good = np.arange(40) != 7
    np.testing.assert_array_equal(records.pixels[:40][good], digits.pixels[good])


@pytest.mark.parametrize("scan", [_packing, _walking])
@pytest.mark.parametrize("tail", [b"7,7,", b"7,17,", b"7,,7,", b"7,7,,", b"7,7,255", b"7,7,7"])
def test_no_byte_around_a_text_is_read(scan, tail):
    """Nor one around its results is written, wherever the text ends in the 64 bytes that are looked at together."""
    layout = without_names(784, ReadSettings(), "")
    # A record before it, because bytes before the pixels decide which kernel parses them.
    for before, head, fields, side in itertools.product((b"", b"1,2\n"), (b"", b"17,"), range(26, 36), SIDES):
        content = before + head + b"7," * fields + tail
        with guarded_allocations(side):
            records = Records.allocate(4)
            rows = scan(_text(content, side), layout, records).rows
            assert rows == content.count(b"\n") + 1
            assert records.needs_slow_parser[:rows].all()


def test_a_text_without_bytes_to_spare_is_refused():
    """Before any of it is read."""
    content = bytearray(CONTENTS[LABELLED])
    with pytest.raises(InternalError, match="without 3 to spare"):
        scan_records(TextSlice(content, 0, len(content), len(content), is_final=True), LABELLED, Records.allocate(5))
