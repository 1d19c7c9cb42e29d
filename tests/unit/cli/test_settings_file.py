import json

import pytest

from job.cli.settings_file import read_settings
from job.errors import SettingsInvalid

NAMES = ["epochs", "batch-size", "learning-rate", "hidden", "augment", "data"]


@pytest.fixture
def read(storage, tmp_path):
    """A function: the settings in a file of this name and content."""

    def run(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_settings(storage, str(path), NAMES)

    return run


SETTINGS = {"epochs": "20", "learning-rate": "0.001", "hidden": "128,64", "augment": "false", "data": "my digits.csv"}


def test_json_values_become_the_text_behind_each_flag(read):
    """Numbers, lists, booleans and strings as they would be typed; null is left out."""
    content = {
        "epochs": 20, "learning-rate": 0.001, "hidden": [128, 64], "augment": False, "data": "my digits.csv",
        "batch-size": None,
    }  # fmt: skip
    assert read("settings.json", json.dumps(content)) == SETTINGS
    assert read("settings", "\ufeff" + json.dumps(content)) == SETTINGS


def test_a_toml_file_gives_the_same_settings(read):
    """A file is TOML if its name ends in .toml."""
    text = 'epochs = 20\nlearning-rate = 0.001\nhidden = [128, 64]\naugment = false\ndata = "my digits.csv"\n'
    assert read("settings.toml", text) == SETTINGS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"epoch": 3}', r"no such setting: 'epoch'; did you mean 'epochs'\?"),
        ("a.json", '{"learning_rate": 3}', r"'learning_rate'; did you mean 'learning-rate'\?"),
        ("a.json", '{"--hidden": 3}', r"'--hidden'; did you mean 'hidden'\?"),
        ("a.toml", "wurst = 3", r"'wurst'; expected one of augment, batch-size, data, epochs, hidden, learning-rate"),
        ("a.json", '{"epochs": {"a": 1}}', r"epochs is \{'a': 1\}, expected a number, a string"),
        ("a.json", '{"hidden": [128, {}]}', r"hidden is \{\}, expected a number"),
        ("a.json", "[1, 2]", r"is \[1, 2\], expected names and values"),
        ("a.json", '{"epochs": ', r"is not valid JSON: "),
        ("a.json", "[" * 100_000, r"is not valid JSON: "),
        ("a.json", b"\xff\xfe", r"is not valid JSON: "),
        ("a.json", b"", r"is not valid JSON: "),
        ("a.toml", "epochs = [1", r"is not valid TOML: "),
    ],
)
def test_an_invalid_file_is_refused_in_one_line(read, name, content, message):
    """The message names the file, what was found and what was expected."""
    with pytest.raises(SettingsInvalid, match=message) as error:
        read(name, content)
    assert f"/{name}: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(storage, tmp_path):
    """The message also says what kind of file was expected."""
    with pytest.raises(SettingsInvalid, match=r"nothing\.json: no such file; expected a JSON or TOML file"):
        read_settings(storage, str(tmp_path / "nothing.json"), NAMES)
