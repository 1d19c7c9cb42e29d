import json

import pytest

from job.cli.space_file import space_in
from job.errors import SettingsInvalid, UsageError
from job.train.train_settings import Range


@pytest.fixture
def space_file(tmp_path):
    """Writes a file of a search space, and returns its path."""

    def write(content, name="space.json"):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return str(tmp_path / name)

    return write


def test_a_space_is_json_or_toml(space_file):
    """As the settings of `train`."""
    rate = {"min": 0.0001, "max": 0.01, "scale": "log"}
    toml = 'hidden = [[128, 128], "64"]\n[learning-rate]\nmin = 0.0001\nmax = 0.01\nscale = "log"\n'
    expected = {"hidden": ((128, 128), (64,)), "learning-rate": Range(0.0001, 0.01, is_log=True)}
    assert space_in(space_file({"hidden": [[128, 128], [64]], "learning-rate": rate}), []) == expected
    assert space_in(space_file(toml, "space.toml"), []) == expected


def test_flags_replace_what_the_file_has(space_file):
    """And alone are the whole space; neither is none."""
    file = space_file({"hidden": [[64]], "dropout": [0.1, 0.2]})
    assert space_in(file, ["dropout=0,0.5"]) == {"hidden": ((64,),), "dropout": (0.0, 0.5)}
    assert space_in(None, ["batch-size=32,64", "hidden=128-128,256,none", "augment=true"]) == {
        "batch-size": (32, 64),
        "hidden": ((128, 128), (256,), ()),
        "augment": (True,),
    }
    assert space_in(None, []) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", r"is \[\], expected names and values"),
        ({"learning_rate": [0.1]}, "no such setting: 'learning_rate'; did you mean 'learning-rate'"),
        ({"early-stopping": [5]}, "no such setting: 'early-stopping'; expected one of activation, augment"),
        ({"dropout": []}, "dropout is an empty list, expected a list of choices or a range"),
        ({"dropout": None}, "dropout is None"),
        ({}, "names no setting to vary"),
    ],
)
def test_a_file_that_is_no_space_is_refused(space_file, content, message):
    """With 78 and the file's name, as other files of settings."""
    with pytest.raises(SettingsInvalid, match=f"space.json: {message}"):
        space_in(space_file(content), [])


def test_a_missing_file_is_refused(tmp_path):
    """It does not count as an empty space."""
    with pytest.raises(SettingsInvalid, match="no such file"):
        space_in(str(tmp_path / "space.json"), ["dropout=0.1"])


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        (["batch-size"], "--vary batch-size: expected a flag of train and its choices, such as batch-size=32,64"),
        (["batch-size="], "--vary batch-size=: expected"),
        (["batch-size=32,"], "--vary: batch-size has '', expected a whole number"),
        (["batch-size=32", "batch-size=64"], "--vary batch-size is given twice; list all of its choices in one"),
        (["batch_size=32"], "--vary: 'batch_size' is not a setting that can vary, expected one of .*batch-size"),
        (["hidden=128,128"], "hidden has 128 twice; widths of one network are joined by dashes: hidden=128-128,256"),
        (["optimizer=adam,lion"], "optimizer has 'lion', expected one of adamw"),
    ],
)
def test_a_flag_that_is_no_space_is_refused(varied, message):
    """With 2, as other flags."""
    with pytest.raises(UsageError, match=message):
        space_in(None, varied)
