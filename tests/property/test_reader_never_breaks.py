"""The laws of reading, which `make fuzz` checks for longer."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.files import csv_text, make_digits
from support.messy_csv import KINDS, TOKENS, messy_csv, with_token
from support.reading_laws import check_any_bytes, check_messy


def tokens_at(place, tokens):
    """Choices that make a file with a label, in which field `place` of each record is one of the tokens."""
    low, high = place % 256, place // 256
    records = [[KINDS.index(with_token), 7, low, high, token] for token in tokens]
    return bytes([1, 0, 0, 0, *[number for record in records for number in record]])


WHOLE = csv_text(make_digits(3)).encode()


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=60))
@example(tokens_at(0, range(20)))
@example(tokens_at(0, range(20, len(TOKENS))))
@example(tokens_at(500, range(20)))
@example(tokens_at(500, range(20, len(TOKENS))))
def test_messy_files_are_read_as_the_csv_module_reads_them(data):
    """They have a row for each record, the same in any parts, and as Python's csv module reads it where it can."""
    check_messy(messy_csv(data))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60))
@example(b"")
@example(b"\n")
@example(b'"')
@example(b"\xef\xbb\xbf")
@example(b"PAR1")
@example(b"\x1f\x8b")
@example(b"\0\0\x08\x03")
def test_any_bytes_are_read_or_refused(data):
    """If they are refused, it is with one of our errors."""
    check_any_bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE)), st.binary(max_size=8), st.integers(0, 8))
def test_a_damaged_file_is_read_or_refused(place, piece, lost):
    """Wherever bytes are lost or inserted, the header included."""
    check_any_bytes(WHOLE[:place] + piece + WHOLE[place + lost :])
