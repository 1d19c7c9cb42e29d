from dataclasses import replace

import pytest

from job.errors import UsageError
from job.train.fit.recipe import DEFORMATIONS, RECIPES, recipe_of
from job.train.train_settings import DataSettings, TrainSettings


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recipe": "accurate"}, {}),
        ({"recipe": "accurate", "batch_size": 32}, {"batch_size": 32}),
        ({"recipe": "accurate", "is_augmented": True}, {}),
        ({"recipe": "accurate", "is_augmented": False}, {"deformations": None}),
        ({"recipe": "accurate", "optimizer": "adamw"}, {}),
        ({"recipe": "accurate", "optimizer": "sgd"}, {"optimizer": "sgd", "weight_decay": 0.0}),
        ({"recipe": "accurate", "weight_decay": 0.5}, {"weight_decay": 0.5}),
        ({"recipe": "baseline"}, {}),
        ({"recipe": "baseline", "is_augmented": True}, {"deformations": DEFORMATIONS}),
        ({"recipe": "baseline", "optimizer": "adamw"}, {"optimizer": "adamw", "weight_decay": 0.1}),
        (
            {"recipe": "baseline", "optimizer": "adamw", "weight_decay": 0.0},
            {"optimizer": "adamw", "weight_decay": 0.0},
        ),
        *(
            ({"recipe": "baseline", name: value}, {name: value})
            for name, value in {
                "epochs": 3, "learning_rate": 0.5, "hidden": (64, 32), "activation": "tanh", "dropout": 0.3,
                "early_stopping": 4, "class_weights": "balanced",
            }.items()
        ),
    ],
)  # fmt: skip
def test_settings_override_the_recipe(change, expected):
    """Everything else is the recipe's; weight decay depends on the optimizer."""
    settings = TrainSettings(DataSettings(("digits",)), "model", **change)
    assert recipe_of(settings) == replace(RECIPES[change["recipe"]], **expected)


def test_convolutions_have_their_own_recipes():
    """Without hidden layers, unless the settings name some."""
    accurate, baseline = (
        recipe_of(TrainSettings(DataSettings(("digits",)), "model", recipe=each, arch="cnn")) for each in RECIPES
    )
    assert accurate == replace(RECIPES["accurate"], arch="cnn", hidden=(), epochs=40)
    assert baseline == replace(RECIPES["baseline"], arch="cnn", hidden=())
    assert recipe_of(TrainSettings(DataSettings(("digits",)), "model", arch="cnn", hidden=(64,))).hidden == (64,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"--epochs 0: expected 1 or more"),
        ({"batch_size": -1}, r"--batch-size -1: expected 1 or more"),
        ({"early_stopping": 0}, r"--early-stopping 0: expected 1 or more"),
        ({"hidden": ()}, r"--hidden : expected widths such as 128,128,128"),
        ({"hidden": (128, 0)}, r"--hidden 128,0: expected widths"),
        ({"learning_rate": 0.0}, r"--learning-rate 0\.0: expected more than 0"),
        ({"learning_rate": float("nan")}, r"--learning-rate nan"),
        ({"learning_rate": float("inf")}, r"--learning-rate inf"),
        ({"weight_decay": -0.1}, r"--weight-decay -0\.1: expected 0 or more"),
        ({"dropout": 1.0}, r"--dropout 1\.0: expected at least 0 and less than 1"),
        ({"dropout": -0.1}, r"--dropout -0\.1"),
        (
            {"optimizer": "sgd", "weight_decay": 0.1},
            r"--weight-decay 0\.1: is for --optimizer adamw; this training has sgd; add",
        ),
        ({"recipe": "baseline", "weight_decay": 0.1}, r"this training has adam; add --optimizer adamw, or leave --w"),
    ],
)
def test_invalid_settings_are_refused(change, message):
    """The error names the flag."""
    with pytest.raises(UsageError, match=message):
        recipe_of(TrainSettings(DataSettings(("digits",)), "model", **change))
