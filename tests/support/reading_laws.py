"""The laws of reading: what must hold for any CSV file, by counting its lines and by Python's own csv module.

A broken law raises AssertionError. Used by `fuzz` and by the property tests.
"""

import csv
import re
import zlib
from unittest.mock import patch

from job.errors import DigitJobError
from job.settings import ReadSettings
from support.batches import assert_same, joined
from support.memory_storage import source_in_memory

# The scale is stated, because the first records might otherwise make 0 and 1 become 0 and 255.
SETTINGS = ReadSettings(scale="255")
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK")
BLOCK_ROWS = (1, 3, 1000)
MAX_PARTS = 12
MARK = b"\xef\xbb\xbf"


def check_any_bytes(content):
    """Any bytes are refused with one of our errors, or become a source that is read or says why not.

    Plain text that becomes a source is read to its end, with a row for each record.
    """
    try:
        batch, source = _read(content)
    except DigitJobError:
        if not content.startswith(PACKED):
            _check_refused_by_looking(content)
        return
    if source.format == "csv" and not content.startswith(PACKED):
        # What stands above the first record: a header, and perhaps comments and titles.
        above = b"\n".join(content.split(b"\n")[: source.header_lines])
        assert len(batch.pixels) == len(records(content)) - len(records(above))
        check_cuts(content, batch)


def check_messy(messy):
    """A file that begins well has a row for each record, as Python's csv module reads it, however it is cut."""
    batch, source = _read(messy.content)
    found = records(messy.content)[messy.has_header :]
    assert source.format == "csv"
    assert source.has_labels == (messy.label_field is not None)
    assert len(batch.pixels) == len(found)
    rejected = {reject.row for reject in batch.rejects if reject.reason.is_fatal}
    for row, record in enumerate(found):
        _check_record(messy, record, batch, row, is_rejected=row in rejected)
    check_cuts(messy.content, batch)


def check_cuts(content, expected):
    """Rows, labels, rejects and lines are the same for parts and blocks of any size and for both scanners.

    Each scanner is tried with one combination, which the content determines, so that many files try them all.
    """
    draw = zlib.crc32(content)
    for is_compiled in (False, True):
        draw, parts = divmod(draw, MAX_PARTS)
        draw, blocks = divmod(draw, len(BLOCK_ROWS))
        part_bytes = len(content) // (parts + 1) + 1
        batch, _ = _read(content, part_bytes, BLOCK_ROWS[blocks], is_compiled=is_compiled)
        assert_same(batch, expected)


def records(content):
    """The lines that are not blank, without their ends, header included."""
    lines = content.removeprefix(MARK).split(b"\n")
    return [line for each in lines if (line := each.removesuffix(b"\r"))]


def _read(content, part_bytes=1 << 40, block_rows=1000, *, is_compiled=False):
    with patch("job.read.source._COMPILED_PAYS_FROM_BYTES", 0 if is_compiled else 1 << 60):
        storage, source = source_in_memory(content, SETTINGS)
    spans = source.split(part_bytes)
    return joined(batch for span in spans for batch in source.read(storage, span, block_rows)), source


def _check_refused_by_looking(content):
    """Text is refused by `look` or not at all; Parquet and IDX may be found damaged later."""
    try:
        _, source = source_in_memory(content, SETTINGS)
    except DigitJobError:
        return
    assert source.format != "csv", "a text was refused after it had become a source"


def _check_record(messy, record, batch, row, *, is_rejected):
    """One record's row, as far as Python's csv module tells what it should be."""
    fields = _fields(record)
    if fields is None:
        return
    # Empty fields behind the last column are no values.
    while len(fields) > messy.fields and not fields[-1].strip():
        fields.pop()
    if len(fields) != messy.fields:
        assert is_rejected
    elif _are_plain(fields, messy.label_field):
        assert not is_rejected
        assert batch.pixels[row].tolist() == [int(field) for field in fields[-784:]]
        if messy.label_field is not None:
            assert batch.labels[row] == int(fields[messy.label_field])
    if is_rejected:
        assert not batch.pixels[row].any()


def _fields(record):
    try:
        return next(csv.reader([record.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None


def _are_plain(fields, label_field):
    """Whether label and pixels are valid and in their simplest form."""
    are_pixels = all(re.fullmatch("[0-9]{1,3}", field) and int(field) <= 255 for field in fields[-784:])
    return are_pixels and (label_field is None or bool(re.fullmatch("[0-9]", fields[label_field])))
