import io

import pyarrow as pa
import pytest

from job.write.formulas import escape_formulas, escaped_schema
from job.write.predictions import CsvPredictions


def escaped(texts, kind=None):
    rows = pa.record_batch({"text": pa.array(texts, kind or pa.string())})
    return escape_formulas(rows, escaped_schema(rows.schema))["text"].cast(pa.large_binary()).to_pylist()


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", " =1", "\u00a0=1", "\ufeff=1",
        "\u200b=1", "\x00=1",
        "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)", "-", "--1", "-1x", "+49 170 1234567", "-1\n=1", "=", "-1e",
    ],
)  # fmt: skip
def test_what_begins_like_a_formula_gets_an_apostrophe(text):
    """Also behind what some programs trim, and in full width."""
    assert escaped([text]) == [f"'{text}".encode()]


@pytest.mark.parametrize(
    "text",
    ["", "a=b", "1+1", "-1", "-1.5", "+3", "-1,5", "-.5", "+1e-5", "-1E+5", "'=1", "x-1", "7", "scan 7.png", "ü"],
)
def test_numbers_and_other_text_stay(text):
    """A sign makes no formula of a number."""
    assert escaped([text]) == [text.encode()]


def test_nulls_stay_null():
    """Among others."""
    assert escaped([None, "=1", None, "x"]) == [None, b"'=1", None, b"x"]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (pa.large_string(), ["=1", "x"]),
        (pa.binary(), [b"=\xff", b"\xff=1", "\uff1d1".encode()]),
        (pa.large_binary(), [b"=1"]),
        (pa.binary(2), [b"=1", b"xx"]),
    ],
)
def test_text_and_bytes_of_any_type_are_escaped(kind, texts):
    """Bytes need not be UTF-8."""
    expected = [each if isinstance(each, bytes) else each.encode() for each in texts]
    assert escaped(texts, kind) == [b"'" * each.startswith((b"=", "\uff1d".encode())) + each for each in expected]


def test_a_csv_file_has_escaped_names_and_text_and_plain_numbers():
    """Only if it is asked for."""
    rows = pa.record_batch({"=name": ["=1,2", None, ""], "number": [-1, -2, -3]})
    files = {}
    for escapes_formulas in (False, True):
        files[escapes_formulas] = file = io.BytesIO()
        writer = CsvPredictions(file, rows.schema, escapes_formulas=escapes_formulas)
        writer.write(rows)
        writer.close()
    assert files[False].getvalue() == b'=name,number\n"=1,2",-1\n,-2\n"",-3\n'
    assert files[True].getvalue() == b'\'=name,number\n"\'=1,2",-1\n,-2\n"",-3\n'
