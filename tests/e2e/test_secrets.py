"""What is secret in a URL is shown nowhere, whatever option it is given to."""

import pytest
from support.command import invoke
from support.files import make_digits, write_csv

URL = "https://user:SECRET@host.invalid/x?token=SECRET"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "flag",
    ["--input", "--output", "--model", "--metrics-file", "--openlineage", "--label-map", "--pushgateway", "--threads"],
)
def test_no_option_shows_the_secrets_of_a_url(tmp_path, model, flag, log_format):
    """Neither in the log nor in a file."""
    write_csv(tmp_path / "a.csv", make_digits(5))
    given = {"--input": tmp_path / "a.csv", "--output": tmp_path / "out", "--model": model, flag: URL}
    result = invoke("score", *[word for pair in given.items() for word in pair], "-v", "--log-format", log_format)
    assert (result.returncode == 0) == (flag == "--pushgateway")
    shown = [result.stdout, result.stderr, *(path.read_text() for path in tmp_path.rglob("*.*") if path.is_file())]
    assert not any("SECRET" in text for text in shown)


def test_a_user_in_a_file_url_is_in_no_document(tmp_path, model):
    """Report, manifest, lineage; the command that repeats the run still works."""
    path = write_csv(tmp_path / "a.csv", make_digits(5))
    locations = ["--input", f"file://user:SECRET@host{path}", "--output", f"file://user:SECRET@host{tmp_path}/out"]
    lineage = tmp_path / "lineage.json"
    result = invoke("score", *locations, "--model", model, "--openlineage", lineage, "--log-format", "json", "-v")
    assert result.returncode == 0, result.stderr
    written = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert lineage in written
    assert not any(b"SECRET" in each.read_bytes() for each in written)
    assert "SECRET" not in result.stdout + result.stderr
    assert f"file://***@host{path}" in (tmp_path / "out/report.json").read_text()
