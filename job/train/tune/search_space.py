"""The search space: which settings of `train` a search varies, and the values that it chooses from.

The defaults, and the checks of the user's own against the search and the recipe; `space_syntax` reads and writes them,
`oracle` proposes settings from them.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any, Final

from job.errors import UsageError
from job.flag_names import Flag
from job.train.fit.recipe import Recipe, recipe_of
from job.train.train_settings import (
    Architecture,
    Range,
    SearchSpace,
    TrainSettings,
    TuneSettings,
)

# Of a grid; more take weeks, and are mostly a slip.
MAX_COMBINATIONS: Final = 1000

_WIDTHS: Final = (32, 64, 128, 256, 512)
_MAX_DEPTH: Final = 4
_SAMPLED: Final[SearchSpace] = {
    "dropout": Range(0.0, 0.5),
    "learning-rate": Range(1e-4, 1e-2, is_log=True),
    "batch-size": (32, 64, 128, 256),
}
# By whether the search is a grid, and the architecture. A grid is small, because all of it is tried.
_DEFAULTS: Final[Mapping[tuple[bool, Architecture], SearchSpace]] = {
    (False, "dense"): {
        "hidden": tuple((width,) * depth for depth in range(1, _MAX_DEPTH + 1) for width in _WIDTHS),
        **_SAMPLED,
    },
    (False, "cnn"): {"hidden": ((), (64,), (128,), (256,)), **_SAMPLED},
    (True, "dense"): {
        "hidden": ((128, 128, 128), (256, 256, 256)),
        "dropout": (0.0, 0.2),
        "learning-rate": (0.001, 0.002),
    },
    (True, "cnn"): {"dropout": (0.0, 0.2), "learning-rate": (0.001, 0.002)},
}
# The settings whose field in TrainSettings has another name.
_FIELDS: Final = {"augment": "is_augmented"}


def default_space(settings: TuneSettings) -> SearchSpace:
    """The space of a search for which the user gives none."""
    return _DEFAULTS[settings.search == "grid", settings.arch]


def combination_count(space: SearchSpace) -> int:
    """The number of combinations of a space without ranges."""
    return math.prod(len(values) for values in space.values() if not isinstance(values, Range))


def max_epochs(settings: TuneSettings, space: SearchSpace) -> int:
    """The length of the longest training of a search."""
    values = space.get("epochs", ())
    varied = [values.high] if isinstance(values, Range) else values
    return max([settings.epochs, *map(int, varied)])


def recipe_with(settings: TuneSettings, changes: Mapping[str, Any]) -> Recipe:
    """The recipe of a trial. changes: settings by flag. Raises UsageError for a value outside its range."""
    fields = {"epochs": settings.epochs} | {
        _FIELDS.get(name, name.replace("-", "_")): changes[name] for name in changes
    }
    return recipe_of(TrainSettings(settings.data, "", settings.recipe, settings.arch, **fields))


def checked_space(settings: TuneSettings) -> SearchSpace:
    """The space of a search. Raises UsageError where a search of this kind, or a training, cannot have some of it."""
    space = default_space(settings) if settings.space is None else settings.space
    if settings.search == "hyperband" and "epochs" in space:
        raise UsageError(f"search space: {Flag.SEARCH} hyperband decides on the epochs itself; leave epochs out")
    if settings.search == "grid":
        _check_grid(settings, space)
    _check_recipes(settings, space)
    return space


def _check_grid(settings: TuneSettings, space: SearchSpace) -> None:
    for name, values in space.items():
        if isinstance(values, Range):
            raise UsageError(
                f"search space: {name} is a range, and {Flag.SEARCH} grid tries every combination; list its choices, "
                f"or use {Flag.SEARCH} random"
            )
    count = combination_count(space)
    sizes = " x ".join(f"{name} {len(values)}" for name, values in space.items() if not isinstance(values, Range))
    if count > MAX_COMBINATIONS:
        raise UsageError(
            f"search space: {count:,} combinations ({sizes}), expected at most {MAX_COMBINATIONS:,} for {Flag.SEARCH} "
            f"grid; list fewer choices, or use {Flag.SEARCH} random"
        )
    if settings.trials is not None and settings.trials < count:
        raise UsageError(
            f"{Flag.TRIALS} {settings.trials}: {Flag.SEARCH} grid tries every combination, and the search space has "
            f"{count:,} ({sizes}); leave {Flag.TRIALS} out, list fewer choices, or use {Flag.SEARCH} random"
        )


def _check_recipes(settings: TuneSettings, space: SearchSpace) -> None:
    """Build the recipe of every value; of optimizer and weight decay, which depend on each other, of every pair."""
    ends = {name: (values.low, values.high) if isinstance(values, Range) else values for name, values in space.items()}
    linked = [name for name in ("optimizer", "weight-decay") if name in ends]
    pairs = [dict(zip(linked, pair, strict=True)) for pair in itertools.product(*(ends[name] for name in linked))]
    singles = [{**pairs[0], name: each} for name, values in ends.items() if name not in linked for each in values]
    for changes in (*pairs, *singles):
        try:
            recipe_with(settings, changes)
        except UsageError as error:
            raise UsageError(f"search space: {error}") from error
