from decimal import Decimal

import pytest

from job.command_line import command_for, command_line, score_flags
from job.settings import ReadSettings, RejectLimit, Review, ScoreSettings

PLAIN = ScoreSettings(("a.csv",), "out", "model")


def test_defaults_are_left_out():
    """Except for the input, the output folder and the model."""
    assert command_line(score_flags(PLAIN)) == "digit-job score --input a.csv --output results --model model"


def test_every_flag_that_changes_the_output_is_there():
    """Flags with several values are repeated, and values are quoted for a shell."""
    settings = ScoreSettings(
        ("a b.csv", "in/*.csv"), "out", "m",
        ReadSettings("7", is_transposed=True, keep=("id", "$name"), is_inverted=True), "csv",
        has_probabilities=True, max_rejects=RejectLimit(Decimal(5), is_percent=False), allows_unblessed=True,
        escapes_formulas=True, review=Review(5, ("sheet", "folders")),
    )  # fmt: skip
    assert command_line(score_flags(settings)) == (
        "digit-job score --input 'a b.csv' --input 'in/*.csv' --output results --model m --format csv "
        "--label-column 7 --transpose --invert --keep id --keep '$name' --probabilities --escape-formulas "
        "--review-rows 5 --review-pictures sheet --review-pictures folders --max-rejects 5 --allow-unblessed"
    )


@pytest.mark.parametrize("change", [{"threads": 7}, {"part_bytes": 4096}, {"is_overwriting": True}, {"output": "x"}])
def test_flags_that_do_not_change_the_output_are_left_out(change):
    """Threads, parts, overwriting and the output folder make no difference to the content of the output."""
    settings = ScoreSettings(**{"inputs": ("a.csv",), "output": "out", "model": "model", **change})
    assert score_flags(settings) == score_flags(PLAIN)


def test_a_converted_model_has_the_name_that_the_user_gave():
    """The temporary folder of the conversion has a random name."""
    settings = ScoreSettings(("a.csv",), "out", "digit-job-x7", model_name="mine.keras")
    assert score_flags(settings)["model"] == "mine.keras"


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        (ReadSettings(), ""),
        (ReadSettings(label_column="is it?"), " --label-column 'is it?'"),
        (ReadSettings(is_label_ignored=True), " --no-label"),
        (ReadSettings(scale="1", is_transposed=True, keep=("a", "b")), " --scale 1 --transpose --keep a --keep b"),
    ],
    ids=["none", "label", "no label", "others"],
)
def test_the_command_that_an_inspection_shows(settings, flags):
    """It can be pasted into a shell, and reads the input as the inspection did."""
    wanted = f"digit-job score --input 'my digits.csv' --output results --model model{flags}"
    assert command_for("my digits.csv", settings) == wanted
