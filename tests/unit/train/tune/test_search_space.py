import re
from pathlib import Path
from typing import get_args

import pytest

from job.errors import UsageError
from job.train.train_settings import Architecture, DataSettings, Range, RecipeName, SearchMethod, TuneSettings
from job.train.tune.search_space import checked_space, default_space, max_epochs, recipe_with
from job.train.tune.space_syntax import choice_text

README = Path(__file__).parents[4] / "job/train/README.md"


def _settings(**changes):
    return TuneSettings(DataSettings(validation_share=changes.pop("validation_share", None)), "search", **changes)


@pytest.mark.parametrize("recipe", get_args(RecipeName))
@pytest.mark.parametrize("arch", get_args(Architecture))
@pytest.mark.parametrize("search", get_args(SearchMethod))
def test_the_default_spaces_fit_every_recipe(search, arch, recipe):
    """A grid's is small enough to try all of it."""
    space = checked_space(_settings(search=search, arch=arch, recipe=recipe))
    if search == "grid":
        assert 4 <= len(space["dropout"]) * len(space["learning-rate"]) * len(space.get("hidden", "1")) <= 8


@pytest.mark.parametrize(
    ("search", "arch"), [("random", "dense"), ("random", "cnn"), ("grid", "dense"), ("grid", "cnn")]
)
def test_the_documents_have_the_default_spaces(search, arch):
    """The table in the README lists every choice."""
    tables = README.read_text().partition("\n## Tune\n")[2]
    column = ["grid dense", "grid cnn", "random dense", "random cnn"].index(f"{search} {arch}") + 2
    for name, values in default_space(_settings(search=search, arch=arch)).items():
        line = next(line for line in tables.splitlines() if line.startswith(f"| `{name}` |"))
        numbers = [values.low, values.high] if isinstance(values, Range) else values
        assert list(map(choice_text, numbers)) == re.findall(r"[\w.-]*\d[\d.-]*|none", line.split("|")[column]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"search": "hyperband", "space": {"epochs": (1, 2)}}, "--search hyperband decides on the epochs itself"),
        (
            {"search": "grid", "space": {"dropout": Range(0.0, 0.5)}},
            "dropout is a range, and --search grid tries every",
        ),
        (
            {"search": "grid", "space": {"epochs": tuple(range(1, 41)), "batch-size": tuple(range(1, 41))}},
            r"1,600 combinations \(epochs 40 x batch-size 40\), expected at most 1,000",
        ),
        (
            {"search": "grid", "trials": 3},
            r"--trials 3: --search grid tries every combination, and the search space has 8 \(hidden 2 x dropout 2",
        ),
        ({"space": {"dropout": (0.1, 1.5)}}, "search space: --dropout 1.5: expected at least 0 and less than 1"),
        ({"space": {"dropout": Range(0.1, 1.5)}}, "search space: --dropout 1.5"),
        ({"space": {"learning-rate": (0.0,)}}, "search space: --learning-rate 0.0: expected more than 0"),
        ({"space": {"batch-size": (0,)}}, "search space: --batch-size 0: expected 1 or more"),
        ({"space": {"hidden": ((),)}}, "search space: --hidden : expected widths"),
        ({"space": {"hidden": ((64,), (0,))}}, "search space: --hidden 0: expected widths"),
        (
            {"recipe": "accurate", "space": {"optimizer": ("adamw", "sgd"), "weight-decay": (0.0, 0.1)}},
            "search space: --weight-decay 0.1: is for --optimizer adamw; this training has sgd",
        ),
    ],
)
def test_what_a_search_cannot_have_is_refused(changes, message):
    """Before anything is read; every value and every pair that depends on each other."""
    with pytest.raises(UsageError, match=message):
        checked_space(_settings(**changes))


def test_values_that_only_fit_together_are_accepted():
    """Weight decay with the optimizer that has it, where the recipe has another."""
    space = {"optimizer": ("adamw",), "weight-decay": (0.05, 0.1)}
    assert checked_space(_settings(search="grid", recipe="baseline", space=space)) == space
    assert checked_space(_settings(search="grid", trials=8)) == default_space(_settings(search="grid"))


def test_a_recipe_has_the_settings_of_its_trial():
    """And those of `train` otherwise: another optimizer than the recipe's has its own weight decay."""
    settings = _settings(recipe="accurate", arch="cnn", epochs=3)
    changed = recipe_with(settings, {"optimizer": "sgd", "augment": False, "hidden": (64,), "batch-size": 32})
    assert (changed.optimizer, changed.weight_decay, changed.deformations) == ("sgd", 0.0, None)
    assert (changed.arch, changed.hidden, changed.batch_size, changed.epochs) == ("cnn", (64,), 32, 3)
    assert recipe_with(settings, {"epochs": 7}).epochs == 7


def test_the_longest_training_is_known():
    """Of the space, or else the default's."""
    settings = _settings(epochs=7)
    assert max_epochs(settings, {"dropout": (0.1,)}) == 7
    assert max_epochs(settings, {"epochs": (5, 20)}) == 20
    assert max_epochs(settings, {"epochs": Range(2, 9)}) == 9
    assert max_epochs(settings, {"epochs": (5,)}) == 7


def test_a_grid_is_cross_validated():
    """In three folds; others on one validation split, whose share nothing else would use."""
    assert _settings(search="grid").fold_count == 3
    assert _settings(search="grid", folds=1, validation_share=0.3).fold_count == 1
    assert _settings().fold_count == 1
    for changes in ({"search": "grid"}, {"folds": 5}):
        with pytest.raises(UsageError, match=r"--validation-split 0.3: this search has \d folds.*add --folds 1"):
            _settings(validation_share=0.3, **changes)
