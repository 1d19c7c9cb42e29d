"""Recipes: all that decides how a network looks and how it is trained, in one place; and the user's changes to one.

`network` builds by a recipe and `fit` trains by it; the model's card keeps all of it.

Measured (TensorFlow 2.21, Keras 3.15, two cores of a shared virtual machine with AVX-512), images of t10k named right,
mean and standard deviation over seeds 1, 2 and 3 (n = 3), and time to train:

    dense, accurate   99.49 ± 0.04 %   186 s where nothing else ran
    dense, baseline   97.65 ± 0.14 %   14 to 23 s while other work took half of the machine
    cnn, accurate     99.67 ± 0.04 %   608 to 719 s likewise; 40 times the quickest epoch are 392 s
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Final

from job.errors import UsageError
from job.flag_names import Flag
from job.train.fit.augment import Deformations, EpochPlan
from job.train.train_settings import Activation, Architecture, ClassWeights, Optimizer, TrainSettings

# Measured on 2 cores: an epoch of 54,000 images takes 1.7 s with one return to Python per 50 batches and 4.0 s with one
# per batch, for the same weights. It also sets how often progress is told: about ten times a second. XLA is not to be
# had (`jit_compile`), for Keras switches it off where operations must repeat bit for bit.
BATCHES_PER_CALL: Final = 50
# Of AdamW, where a recipe that knows none is trained with it.
_WEIGHT_DECAY: Final = 0.1


def _check(is_right: bool, name: str, value: object, expected: str) -> None:  # noqa: FBT001  # a condition
    if not is_right:
        raise UsageError(f"--{name.replace('_', '-')} {value}: {expected}")


@dataclass(frozen=True)
class Recipe:
    """How to build and train.

    epochs: passes over the images. batch_size: images per step. learning_rate: the optimizer's step size, at first; it
    falls to 0 along half a cosine if `is_annealed`. optimizer: `sgd` has Nesterov momentum of 0.9. weight_decay: the
    share that a step of `adamw` takes of each weight, times the learning rate (Loshchilov and Hutter 2019).
    deformations: of the images, anew in each epoch, or None. epoch_images: where images are deformed, fewer than these
    are shown several times in an epoch. arch, hidden, activation, dropout: see `network`; dropout is by Srivastava and
    others (2014). early_stopping: after how many epochs without a lower loss
    on the validation images training ends, with the weights of the best epoch; None: never. class_weights: `balanced`
    makes digits count alike, however many images of each there are.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    is_annealed: bool = False
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    deformations: Deformations | None = None
    epoch_images: int = 0
    arch: Architecture = "dense"
    hidden: tuple[int, ...] = (128, 128, 128)
    activation: Activation = "relu"
    dropout: float = 0.0
    early_stopping: int | None = None
    class_weights: ClassWeights = "none"

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range, by the flag that sets them."""
        for name in ("epochs", "batch_size", "early_stopping"):
            value = getattr(self, name)
            _check(value is None or value >= 1, name, value, "expected 1 or more")
        widths = ",".join(map(str, self.hidden))
        is_right = min(self.hidden, default=1) >= 1 and (self.hidden or self.arch == "cnn")
        _check(bool(is_right), "hidden", widths, "expected widths such as 128,128,128")
        _check(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "expected more than 0")
        _check(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "expected 0 or more")
        _check(0 <= self.dropout < 1, "dropout", self.dropout, "expected a share from 0 to below 1, such as 0.2")
        if self.weight_decay and self.optimizer != "adamw":
            raise UsageError(f"{Flag.WEIGHT_DECAY} is of {Flag.OPTIMIZER} adamw; leave one of them out")

    def plan(self, images: int) -> EpochPlan:
        """How a run over so many images goes; a group is what is done in one call of TensorFlow."""
        least = 0 if self.deformations is None else self.epoch_images
        batches = math.ceil(max(images, least) / self.batch_size)
        groups = math.ceil(batches / BATCHES_PER_CALL)
        return EpochPlan(self.epochs, groups, math.ceil(batches / groups), self.batch_size)


DEFORMATIONS: Final = Deformations(rotation_degrees=10, scale=0.1, shear=0.15, shift_pixels=1, elastic_pixels=0.7)
_BASELINE: Final = Recipe("baseline", epochs=10, batch_size=64, learning_rate=1e-3)
# 99.53, 99.45 and 99.48 % of t10k for seeds 1, 2 and 3; without oneDNN 99.41, 99.43 and 99.40 %. Chosen by 10,000 of
# the training images, t10k unseen, one seed each, deformations within a twentieth of these: after 150 epochs 99.44 %
# with this decay, 99.30 % with twice as much, 99.39 % with deformations a fifth stronger; after 60 epochs, with half
# the decay, 99.34 %, and 99.21 % with them almost half again as strong.
_ACCURATE: Final = Recipe(
    "accurate",
    epochs=200,
    batch_size=128,
    learning_rate=2e-3,
    is_annealed=True,
    optimizer="adamw",
    weight_decay=0.1,
    deformations=DEFORMATIONS,
    epoch_images=4000,
)
RECIPES: Final = {recipe.name: recipe for recipe in (_ACCURATE, _BASELINE)}
# Of each operation. Measured, see `backend`: a dense network is trained faster by one than by two; a network of
# convolutions takes 8.1 s an epoch with two, 10.5 s with one.
THREADS: Final[dict[Architecture, int]] = {"dense": 1, "cnn": 2}
# Fewer epochs of the same: convolutions learn more from each, and take nine times as long for it. 99.63, 99.70 and
# 99.68 % of t10k for seeds 1, 2 and 3. Chosen by 10,000 of the training images, t10k unseen, one seed each, after 20
# epochs: 99.60 % (cross-entropy 0.0125) with these convolutions; 99.67 % (0.0132) with sides of 5 and 3 instead of 6
# and 4, which leave the last three lines out; 99.61 % (0.0142) with 32, 48, 64 and 64 filters, in 1.4 times the time.
_CNN: Final[dict[str, Any]] = {"arch": "cnn", "hidden": ()}
CNN_RECIPES: Final = {
    "accurate": replace(_ACCURATE, epochs=40, **_CNN),
    "baseline": replace(_BASELINE, **_CNN),
}
# Fields that the user may set one by one; those of the settings that are None are the recipe's own.
_SETTABLE: Final = (
    "epochs", "batch_size", "learning_rate", "optimizer", "weight_decay", "hidden", "activation", "dropout",
    "early_stopping", "class_weights",
)  # fmt: skip


def recipe_of(settings: TrainSettings) -> Recipe:
    """The recipe that the user names, with the user's changes. Raises UsageError for values outside their range."""
    recipe = (RECIPES if settings.arch == "dense" else CNN_RECIPES)[settings.recipe]
    asked = {name: getattr(settings, name) for name in _SETTABLE}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    optimizer = changes.get("optimizer", recipe.optimizer)
    if "weight_decay" not in changes and optimizer != recipe.optimizer:
        changes["weight_decay"] = _WEIGHT_DECAY if optimizer == "adamw" else 0.0
    if settings.is_augmented is not None:
        changes["deformations"] = DEFORMATIONS if settings.is_augmented else None
    return replace(recipe, **changes)
