import pytest

from job.errors import DigitJobError
from job.redaction import redacted, redacted_values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:SECRET@host:9091/path", "https://***@host:9091/path"),
        ("https://SECRET@host", "https://***@host"),
        ("https://host/x?token=SECRET&y=1", "https://host/x?***"),
        ("https://host/#SECRET", "https://host/#***"),
        ("https://user:SEC/RET?#@host/x", "https://***@host/x"),
        ("S3://key:SECRET@bucket/x: is not supported", "S3://***@bucket/x: is not supported"),
        ("abfss://name:SECRET@account.dfs/x?sig=SECRET", "abfss://***@account.dfs/x?***"),
        ("postgresql+psycopg://user:SECRET@host/db", "postgresql+psycopg://***@host/db"),
        ("see https://host/a, https://u:SECRET@host/b?x=SECRET: no", "see https://host/a, https://***@host/b?***: no"),
        ("('https://host/x?token=SECRET', 3)", "('https://host/x?***', 3)"),
        ("/in/https:/user:SECRET@host/x", "/in/https:/***@host/x"),
        ("file://user:SECRET@host/in/a@b.csv", "file://***@host/in/a@b.csv"),
    ],
)
def test_secrets_in_urls_are_hidden(text, shown):
    """Users, passwords, queries and fragments, in any text and of any scheme."""
    assert redacted(text) == shown


@pytest.mark.parametrize("text", ["in/a@b.csv", "http://host:9091/a", "file:///in/a@b?.csv", "12:30 a@b", "C:/a@b", ""])
def test_other_text_stays(text):
    """Names of files hold the same characters."""
    assert redacted(text) == text


def test_text_in_values_is_redacted():
    """At any depth; other values stay."""
    assert redacted_values({"a": ["https://u:SECRET@h"], "b": {"c": ("https://h?SECRET", 1, None)}}) == {
        "a": ["https://***@h"],
        "b": {"c": ["https://h?***", 1, None]},
    }


def test_errors_are_redacted():
    """Also for callers of the Python API."""
    assert str(DigitJobError("https://user:SECRET@host: no")) == "https://***@host: no"
