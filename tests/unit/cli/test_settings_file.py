import json

import pytest

from job.cli.settings_file import read_settings
from job.errors import SettingsInvalid

NAMES = ["epochs", "batch-size", "learning-rate", "hidden", "augment", "data"]


@pytest.fixture
def read(storage, tmp_path):
    """What a file of some name and content says."""

    def run(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_settings(storage, str(path), NAMES)

    return run


SAID = {"epochs": "20", "learning-rate": "0.001", "hidden": "128,64", "augment": "false", "data": "my digits.csv"}


def test_json_says_what_would_follow_each_flag(read):
    """Numbers, lists, truth and text as they would be typed; null says nothing."""
    content = {
        "epochs": 20, "learning-rate": 0.001, "hidden": [128, 64], "augment": False, "data": "my digits.csv",
        "batch-size": None,
    }  # fmt: skip
    assert read("settings.json", json.dumps(content)) == SAID
    assert read("settings", "\ufeff" + json.dumps(content)) == SAID


def test_toml_says_the_same(read):
    """By its ending."""
    text = 'epochs = 20\nlearning-rate = 0.001\nhidden = [128, 64]\naugment = false\ndata = "my digits.csv"\n'
    assert read("settings.toml", text) == SAID


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"epoch": 3}', r"there is no setting 'epoch'; did you mean 'epochs'\?"),
        ("a.json", '{"learning_rate": 3}', r"'learning_rate'; did you mean 'learning-rate'\?"),
        ("a.json", '{"--hidden": 3}', r"'--hidden'; did you mean 'hidden'\?"),
        ("a.toml", "wurst = 3", r"'wurst'; expected one of augment, batch-size, data, epochs, hidden, learning-rate"),
        ("a.json", '{"epochs": {"a": 1}}', r"epochs is \{'a': 1\}, expected a number, a text"),
        ("a.json", '{"hidden": [128, {}]}', r"hidden is \{\}, expected a number"),
        ("a.json", "[1, 2]", r"holds \[1, 2\], expected names and values"),
        ("a.json", '{"epochs": ', r"is no JSON: "),
        ("a.json", "[" * 100_000, r"is no JSON: "),
        ("a.json", b"\xff\xfe", r"is no JSON: "),
        ("a.json", b"", r"is no JSON: "),
        ("a.toml", "epochs = [1", r"is no TOML: "),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(read, name, content, message):
    """With the file's name, what was found and what was meant."""
    with pytest.raises(SettingsInvalid, match=message) as error:
        read(name, content)
    assert f"/{name}: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(storage, tmp_path):
    """And what was expected of it."""
    with pytest.raises(SettingsInvalid, match=r"nothing\.json: there is no such file; expected a JSON or TOML file"):
        read_settings(storage, str(tmp_path / "nothing.json"), NAMES)
