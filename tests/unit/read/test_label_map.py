import pytest

from job.errors import SettingsInvalid
from job.read.label_map import read_label_map


@pytest.fixture
def read(tmp_path, storage):
    """Read a label map with this content."""

    def reading(content):
        (tmp_path / "map").write_text(content, encoding="utf-8")
        return dict(read_label_map(storage, str(tmp_path / "map")).digits)

    return reading


@pytest.mark.parametrize(
    "content",
    [
        '{"Ten": 0, "eins": 1, "7.0": 2}',
        '\ufeff{"Ten": "0", "eins": 1, "07": 2}',
        "label,digit\nTen,0\neins,1\n7,2\n",
        "Ten,0\r\neins,1\r\n\r\n' 7 ',2\r\n",
    ],
)
def test_json_and_csv_say_the_same(read, content):
    """Case, space and the form of numbers do not matter, nor does a header."""
    assert read(content) == {"ten": 0, "eins": 1, "7": 2}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "names no label"),
        ("{}", "names no label"),
        ("[1, 2]", "is not a JSON object"),
        ('{"a": 1', "Expecting"),
        ('{"a": 10}', "the value 10, which is not a digit"),
        ('{"a": true}', "the value True, which is not a digit"),
        ('{"a": 1.0}', "the value 1.0"),
        ('{"a": 1, "A ": 2}', "two digits, 1 and 2"),
        ('{"": 1}', "an empty label"),
        ("a,1,2\n", "3 columns in the line 'a,1,2'"),
        ("label,digit\na,1\nb,ten\n", "'b' the value 'ten'"),
    ],
)
def test_a_broken_map_is_refused_by_name(read, content, problem):
    """The message names the flag, the file, what is wrong, and what a map looks like."""
    with pytest.raises(SettingsInvalid) as error:
        read(content)
    assert problem in str(error.value)
    assert str(error.value).startswith("--label-map /")
    assert str(error.value).endswith('expected {"ten": 0} in JSON, or lines such as ten,0 in CSV')


def test_a_map_that_is_not_there(tmp_path, storage):
    """It is a wrong setting, not a missing input."""
    with pytest.raises(SettingsInvalid, match="no such file"):
        read_label_map(storage, str(tmp_path / "none.json"))
