from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest

from job.errors import UsageError
from job.settings import ErrorLimit, ReadSettings, RejectLimit, ScoreSettings


@pytest.mark.parametrize(
    ("text", "amount", "is_percent"),
    [
        ("0", 0, False),
        ("100", 100, False),
        (" 7 ", 7, False),
        ("1e3", 1000, False),
        ("0%", 0, True),
        ("2.5%", 2.5, True),
        ("100%", 100, True),
        (" 1 % ", 1, True),
    ],
)
def test_reject_limit_is_a_count_or_a_percentage(text, amount, is_percent):
    """A limit is a whole number of records, or a percentage of the records read."""
    assert RejectLimit.parse(text) == RejectLimit(amount, is_percent=is_percent)


@pytest.mark.parametrize(
    "text", ["", "%", "many", "-1", "-1%", "1.5", "100.1%", "inf", "nan", "nan%", "inf%", "1%%", "1%2", "0x10"]
)
def test_any_other_reject_limit_is_refused(text):
    """The message has the text that was given, and examples of what is expected."""
    with pytest.raises(UsageError) as error:
        RejectLimit.parse(text)
    assert str(error.value) == f"--max-rejects {text}: expected a count such as 100 or a percentage such as 1%"


@pytest.mark.parametrize("text", ["0", "100", "1000000", "0%", "1%", "2.5%", "0.01%", "99.99999%", "100%"])
def test_reject_limit_is_printed_as_it_was_given(text):
    """A message shows the limit as the user wrote it."""
    assert str(RejectLimit.parse(text)) == text


@pytest.mark.parametrize(
    ("limit", "rejected", "read", "is_exceeded"),
    [
        ("0", 0, 100, False),
        ("0", 1, 100, True),
        ("3", 3, 3, False),
        ("3", 4, 1000, True),
        ("0%", 0, 0, False),
        ("0%", 1, 1_000_000, True),
        ("1%", 1, 100, False),
        ("1%", 2, 100, True),
        ("1%", 1, 99, True),
        ("0.57%", 57, 10_000, False),
        ("1.13%", 791, 70_000, False),
        ("1.13%", 792, 70_000, True),
        ("100%", 5, 5, False),
    ],
)
def test_reject_limit_is_exceeded_by_one_record_more(limit, rejected, read, is_exceeded):
    """A run may reject as many records as the limit says."""
    assert RejectLimit.parse(limit).is_exceeded(rejected, read) is is_exceeded


def test_score_settings_default_to_one_percent_of_rejects():
    """By default one record in a hundred may be rejected, and a part has 32 MiB."""
    settings = ScoreSettings(("a.csv",), "out", "model")
    assert str(settings.max_rejects) == "1%"
    assert settings.part_bytes == 32 << 20


def test_label_column_and_no_label_contradict_each_other():
    """Giving both is a usage error that names both flags."""
    with pytest.raises(UsageError, match="--label-column and --no-label"):
        ReadSettings(label_column="y", is_label_ignored=True)


def test_a_column_is_kept_only_once():
    """A name given twice to --keep is a usage error."""
    with pytest.raises(UsageError, match="--keep id: given twice; a column can be kept only once"):
        ReadSettings(keep=("id", "file", "id"))


def test_the_kaggle_format_keeps_no_columns():
    """A submission has two columns; others would be lost without a message."""
    with pytest.raises(UsageError, match="--keep and --format kaggle contradict each other"):
        ScoreSettings(("a.csv",), "out", "model", ReadSettings(keep=("id",)), format="kaggle")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threads": 0}, "--threads 0: expected at least 1"),
        ({"part_bytes": -1}, "--part-bytes -1: expected at least 1"),
        ({"format": "xml"}, "--format xml: expected one of auto, csv, parquet, kaggle"),
    ],
)
def test_score_settings_are_checked_without_the_command_line_too(settings, message):
    """A Python program that passes an impossible value gets the error that the command line would give."""
    with pytest.raises(UsageError, match=message):
        ScoreSettings(("a.csv",), "out", "model", **settings)


def test_an_unknown_scale_is_refused():
    """The message lists the scales."""
    with pytest.raises(UsageError, match="--scale 2: expected one of auto, 255, 1"):
        ReadSettings(scale="2")


def test_settings_are_frozen():
    """Settings cannot change during a run."""
    settings = ScoreSettings(("a.csv",), "out", "model")
    with pytest.raises(FrozenInstanceError):
        settings.model = "another"


@pytest.mark.parametrize(
    ("text", "share", "written"),
    [
        ("0.5%", "0.005", "0.5%"), ("0.5 %", "0.005", "0.5%"), ("0.005", "0.005", "0.5%"), ("0.0050", "0.005", "0.5%"),
        (".01", "0.01", "1%"), ("20%", "0.2", "20%"), ("5e-05", "0.00005", "0.005%"), ("1.%", "0.01", "1%"),
    ],
)  # fmt: skip
def test_a_limit_of_errors_is_a_percentage_or_a_share(text, share, written):
    """Equal limits are written alike, and read again."""
    limit = ErrorLimit.parse(text)
    assert (limit.share, str(limit)) == (Decimal(share), written)
    assert ErrorLimit.parse(str(limit)).share == limit.share


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "0",
        "0%",
        "-1%",
        "+1%",
        "21%",
        "0.21",
        "1",
        "nan",
        "sNaN",
        "inf",
        "1_0%",
        "1%%",
        "1,5%",
        "\u0661%",
        "much",
    ],
)
def test_what_is_no_limit_of_errors_is_refused(text):
    """Also what Python would take for a number."""
    with pytest.raises(
        UsageError, match=r"--max-error .*expected a percentage such as 0\.5%, or a share such as 0\.005"
    ):
        ErrorLimit.parse(text)


def test_a_share_that_is_meant_as_a_percentage_gets_a_hint():
    """0.5 is 50 %, which nobody promises."""
    with pytest.raises(UsageError, match=r"at most 20%; for 0\.5 % write 0\.5%$"):
        ErrorLimit.parse("0.5")
    with pytest.raises(UsageError, match=r"at most 20%$"):
        ErrorLimit.parse("50")
