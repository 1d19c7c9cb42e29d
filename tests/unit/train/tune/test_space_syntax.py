import json
from typing import get_args

import pytest

from job.train.train_settings import Architecture, DataSettings, Range, SearchMethod, TuneSettings
from job.train.tune.search_space import default_space
from job.train.tune.space_syntax import choice_text, parse_space, space_json

EVERYTHING = {
    "hidden": [[128, 128], [64], []],
    "activation": ["relu", "tanh"],
    "dropout": {"min": 0, "max": 0.5},
    "epochs": [5, 10],
    "batch-size": {"min": 16, "max": 256, "scale": "log"},
    "optimizer": ["adam", "sgd"],
    "learning-rate": [0.001, 1],
    "weight-decay": [0],
    "class-weights": ["none", "balanced"],
    "augment": [True, False],
}


def test_every_setting_has_choices_or_a_range():
    """As values that the recipe takes: widths are tuples, rates floats; sizes stay whole."""
    space = parse_space(EVERYTHING)
    assert space["hidden"] == ((128, 128), (64,), ())
    assert space["dropout"] == Range(0.0, 0.5)
    assert space["batch-size"] == Range(16, 256, is_log=True)
    assert space["batch-size"].is_whole
    assert not space["dropout"].is_whole
    assert space["augment"] == (True, False)
    assert [type(each) for each in space["learning-rate"]] == [float, float]


def test_choices_are_also_read_from_the_texts_of_flags():
    """As `--vary` has them."""
    texts = {
        "hidden": ["128-128", "64", "none"],
        "dropout": ["0.1", "0"],
        "epochs": ["5"],
        "augment": ["true", "false"],
        "optimizer": ["adam"],
    }
    assert parse_space(texts) == {
        "hidden": ((128, 128), (64,), ()),
        "dropout": (0.1, 0.0),
        "epochs": (5,),
        "augment": (True, False),
        "optimizer": ("adam",),
    }


@pytest.mark.parametrize("arch", get_args(Architecture))
@pytest.mark.parametrize("search", get_args(SearchMethod))
def test_a_printed_space_is_read_as_the_same(search, arch):
    """Users begin with the default one."""
    space = default_space(TuneSettings(DataSettings(), "search", search=search, arch=arch))
    assert parse_space(json.loads(json.dumps(space_json(space)))) == space


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "names no setting to vary, expected some of hidden, activation"),
        ({"learning_rate": [0.1]}, "'learning_rate' is not a setting that can vary, expected one of .*learning-rate"),
        ({"seed": [1, 2]}, "'seed' is not a setting that can vary"),
        ({"dropout": []}, "dropout is an empty list, expected a list of choices or a range"),
        ({"dropout": 0.2}, "dropout is 0.2, expected a list of choices"),
        ({"dropout": None}, "dropout is None, expected a list"),
        ({"dropout": ["a"]}, "dropout has 'a', expected a number"),
        ({"dropout": [True]}, "dropout has True, expected a number"),
        ({"dropout": [0.1, "0.10"]}, "dropout has 0.1 twice"),
        ({"learning-rate": [10**400]}, "learning-rate has 1000.*, expected a number"),
        ({"batch-size": [32.5]}, "batch-size has 32.5, expected a whole number"),
        ({"batch-size": [[32]]}, r"batch-size has \[32\], expected a whole number"),
        ({"hidden": [128, 128]}, r"hidden has 128, expected the widths of a network's hidden layers, such as \[128"),
        ({"hidden": [[128.0]]}, "hidden has"),
        ({"hidden": [["128"]]}, "hidden has"),
        ({"optimizer": ["lion"]}, "optimizer has 'lion', expected one of adamw, adam, sgd, rmsprop"),
        ({"activation": [None]}, "activation has None, expected one of relu"),
        ({"augment": ["yes"]}, "augment has 'yes', expected true or false"),
        ({"augment": [[]]}, "augment has"),
        ({"hidden": {"min": 1, "max": 3}}, "hidden is a range, expected a list of choices; ranges are for dropout"),
        ({"dropout": {"min": 0.1}}, "dropout: its range lacks max, expected"),
        ({"dropout": {"min": 0, "max": 1, "step": 0.1}}, "dropout: its range has 'step'"),
        ({"dropout": {"min": 0.5, "max": 0.1}}, "min is 0.5 and max 0.1, expected min to be the lower one"),
        ({"dropout": {"min": 0, "max": 0.1, "scale": "log"}}, "min is 0, expected more than 0 on a log scale"),
        ({"dropout": {"min": 0, "max": 0.1, "scale": "ln"}}, "scale is 'ln', expected log or linear"),
        ({"epochs": {"min": 1.5, "max": 3}}, "epochs has 1.5, expected a whole number"),
    ],
)
def test_what_is_no_space_is_refused(content, message):
    """With the setting, what is there and what is expected."""
    with pytest.raises(ValueError, match=message):
        parse_space(content)


def test_choices_are_shown_as_flags_take_them():
    """Widths with dashes, numbers without needless digits."""
    values = ((128, 64), [32], (), 0.0010, 1e-05, True, 64, "adam")
    assert list(map(choice_text, values)) == ["128-64", "32", "none", "0.001", "1e-05", "true", "64", "adam"]
