from dataclasses import FrozenInstanceError

import pytest

from job.errors import UsageError
from job.settings import ReadSettings, RejectLimit, ScoreSettings
from job.train.train_settings import TrainSettings, parse_widths


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
def test_reject_limit_is_a_number_or_a_share(text, amount, is_percent):
    """A limit is a whole number of records, or a percentage of them."""
    assert RejectLimit.parse(text) == RejectLimit(amount, is_percent=is_percent)


@pytest.mark.parametrize(
    "text", ["", "%", "many", "-1", "-1%", "1.5", "100.1%", "inf", "nan", "nan%", "inf%", "1%%", "1%2", "0x10"]
)
def test_reject_limit_that_is_neither(text):
    """Anything else is refused with what was given and what would do."""
    with pytest.raises(UsageError) as error:
        RejectLimit.parse(text)
    assert str(error.value) == f"--max-rejects {text}: expected a number such as 100, or a share such as 1%"


@pytest.mark.parametrize("text", ["0", "100", "1000000", "0%", "1%", "2.5%", "0.01%", "99.99999%", "100%"])
def test_reject_limit_prints_as_the_user_would_write_it(text):
    """A limit in a message is the limit that was given."""
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
def test_reject_limit_is_exceeded_by_more_than_it(limit, rejected, read, is_exceeded):
    """A run may reject exactly as much as the limit says, and not one record more."""
    assert RejectLimit.parse(limit).is_exceeded(rejected, read) is is_exceeded


def test_score_settings_default_to_one_percent_of_rejects():
    """Without a word from the user one record in a hundred may be rejected, in parts of 32 MiB."""
    settings = ScoreSettings(("a.csv",), "out", "model")
    assert str(settings.max_rejects) == "1%"
    assert settings.part_bytes == 32 << 20


def test_label_column_and_no_label_contradict_each_other():
    """To name a label column and to say that there is none is a usage error that names both flags."""
    with pytest.raises(UsageError, match="--label-column and --no-label"):
        ReadSettings(label_column="y", is_label_ignored=True)


def test_a_column_is_kept_once():
    """A name given twice to --keep is a usage error."""
    with pytest.raises(UsageError, match="--keep id: given twice; a column can be kept once"):
        ReadSettings(keep=("id", "file", "id"))


def test_a_submission_keeps_nothing():
    """Kaggle's format has no room for other columns, which would be lost without a word."""
    with pytest.raises(UsageError, match="--keep and --format kaggle contradict each other"):
        ScoreSettings(("a.csv",), "out", "model", ReadSettings(keep=("id",)), format="kaggle")


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_validation_share_lies_between_0_and_1(share):
    """A validation split that leaves nothing to train or to validate on is refused."""
    with pytest.raises(UsageError, match=r"--validation-split .*expected a share between 0 and 1"):
        TrainSettings("auto", "model", validation_share=share)


@pytest.mark.parametrize("settings", [ScoreSettings(("a.csv",), "out", "model"), TrainSettings("auto", "model")])
def test_settings_are_frozen(settings):
    """Settings are read once and cannot change under a running job."""
    with pytest.raises(FrozenInstanceError):
        settings.model = "another"


def test_widths_are_numbers_between_commas():
    """As many as there are hidden layers."""
    assert parse_widths("128") == (128,)
    assert parse_widths("128, 64,32") == (128, 64, 32)


@pytest.mark.parametrize("text", ["", "128,", "wide", "12.5", "128;64"])
def test_widths_that_are_none_are_refused(text):
    """With an example."""
    with pytest.raises(UsageError, match="expected widths of layers, such as 128,128,128"):
        parse_widths(text)


def test_an_activation_without_integers_is_refused_before_training():
    """TFLite has no operator for it, and training takes minutes."""
    with pytest.raises(UsageError, match="--quantize int8: TFLite has no integer operator for elu"):
        TrainSettings("digits", "model", activation="elu", quantize="int8")
    assert TrainSettings("digits", "model", activation="elu").quantize is None
    assert TrainSettings("digits", "model", activation="silu", quantize="int8").activation == "silu"
