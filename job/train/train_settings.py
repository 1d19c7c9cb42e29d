"""The user's settings of training, tuning and exporting, checked and frozen.

The commands make them from flags. A field of TrainSettings that is None is the recipe's own, see `fit.recipe`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from job.errors import UsageError
from job.flag_names import Flag
from job.settings import ModelScale, ReadSettings

RecipeName = Literal["accurate", "baseline"]
Architecture = Literal["dense", "cnn"]
Optimizer = Literal["adamw", "adam", "sgd", "rmsprop"]
Activation = Literal["relu", "leaky_relu", "elu", "silu", "tanh"]
ClassWeights = Literal["none", "balanced"]
Quantization = Literal["int8"]
SearchMethod = Literal["hyperband", "random", "bayesian", "grid"]
ExportFormat = Literal["tflite", "onnx", "saved-model"]

# Three as scikit-learn's users choose for networks, not its default of five: each fold is a whole training.
_GRID_FOLDS: Final = 3
_TRIALS: Final = 20


@dataclass(frozen=True, slots=True)
class DataSettings:
    """The images of a training or a search, and what is held out of them.

    sources: where they are, see `data.origin`; at least one. read: how their files are read. test_sources: likewise,
    where the images to test with are; empty: they come with the others or are held out of them. test_share,
    validation_share: what is held out where the images come without such ones of their own, in (0, 1), of all and of
    those that are left; None: a fifth and a tenth. added: where there are further labelled images, see
    `data.added_images`. add_weight: how often each of them is trained on; None: 10 times.
    """

    sources: tuple[str, ...] = ("auto",)
    read: ReadSettings = ReadSettings()
    test_sources: tuple[str, ...] = ()
    test_share: float | None = None
    validation_share: float | None = None
    added: tuple[str, ...] = ()
    add_weight: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range, or that contradict each other."""
        if self.add_weight is not None and (self.add_weight < 1 or not self.added):
            problem = "expected at least 1" if self.added else f"there is nothing to add; name it with {Flag.ADD}"
            raise UsageError(f"{Flag.ADD_WEIGHT} {self.add_weight}: {problem}")
        _check_share(Flag.VALIDATION_SPLIT, self.validation_share)
        _check_share(Flag.TEST_SPLIT, self.test_share)
        if self.test_sources and self.test_share is not None:
            raise UsageError(f"{Flag.TEST_DATA} and {Flag.TEST_SPLIT} contradict each other; give one of them")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One run of the train stage.

    data: the images. model: the folder to write. min_accuracy: the gate's required accuracy on the test split, in 0-1.
    compare_to: a model folder that the new model must not be significantly worse than. quantize: number format of an
    additional export, or None. is_resuming: continue an earlier run that was stopped. is_overwriting: also replace a
    model of other data or of another recipe. tensorboard: the parent of the folder for events, or None. digits_dir: a
    folder that may hold QMNIST's table of the writers of MNIST's test images, or None. is_augmented: whether images are
    deformed. The other fields are those of a recipe.
    """

    data: DataSettings
    model: str
    recipe: RecipeName = "accurate"
    arch: Architecture = "dense"
    epochs: int | None = None
    batch_size: int | None = None
    seed: int = 1
    is_augmented: bool | None = None
    learning_rate: float | None = None
    optimizer: Optimizer | None = None
    weight_decay: float | None = None
    hidden: tuple[int, ...] | None = None
    activation: Activation | None = None
    dropout: float | None = None
    early_stopping: int | None = None
    class_weights: ClassWeights | None = None
    min_accuracy: float | None = None
    compare_to: str | None = None
    quantize: Quantization | None = None
    is_resuming: bool = False
    is_overwriting: bool = False
    tensorboard: str | None = None
    digits_dir: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range."""
        if self.min_accuracy is not None and not 0 < self.min_accuracy <= 1:
            raise UsageError(
                f"{Flag.MIN_ACCURACY} {self.min_accuracy}: expected more than 0 and at most 1, such as 0.99"
            )
        if self.quantize and self.activation == "elu":
            # The export would fail in the same way, but only after training.
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: TFLite has no integer operator for elu; "
                f"choose another {Flag.ACTIVATION}"
            )


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from `low` to `high`; `is_log`: as many of them between 0.001 and 0.01 as between 0.01 and 0.1."""

    low: float
    high: float
    is_log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole ones."""
        return isinstance(self.low, int) and isinstance(self.high, int)


# By flag of `train` without its dashes: the values to choose from. See `tune.search_space`.
SearchSpace = Mapping[str, tuple[Any, ...] | Range]


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """One search for better settings.

    data, recipe, arch, seed: as for training; images to test with are not read. output: the search's folder. trials:
    number of settings to try; None: 20, of a grid all. epochs: maximum length of each training. folds: each trial is
    trained this many times and rated on another part of the training images each time; 1: trained once and rated on
    the validation images; None: 3 for a grid, otherwise 1. space: the settings to choose from; None: the default for
    `search` and `arch`.
    """

    data: DataSettings
    output: str
    trials: int | None = None
    search: SearchMethod = "hyperband"
    epochs: int = 10
    recipe: RecipeName = "accurate"
    seed: int = 1
    arch: Architecture = "dense"
    folds: int | None = None
    space: SearchSpace | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for a validation share that nothing would use."""
        share = self.data.validation_share
        if share is not None and self.fold_count > 1:
            raise UsageError(
                f"{Flag.VALIDATION_SPLIT} {share}: this search has {self.fold_count} folds, which validate in turn; "
                f"add {Flag.FOLDS} 1 for one validation split, or leave {Flag.VALIDATION_SPLIT} out"
            )

    @property
    def fold_count(self) -> int:
        """The number of trainings per trial."""
        return self.folds or (_GRID_FOLDS if self.search == "grid" else 1)

    @property
    def max_trials(self) -> int:
        """The number of settings to try, besides the recipe's own, by any search but a grid."""
        return _TRIALS if self.trials is None else self.trials


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """One export of a saved network.

    model: a model folder, a Keras file or a SavedModel. output: where to write; None: beside the model. quantize: the
    number format, or None for floats. data: sources of images to compare on and to quantize by; empty: those that come
    with the model. read: how the files of `data` are read. allows_unblessed: also export a model that failed its gate.
    model_scale: the range that a network from elsewhere expects its pixels in.
    """

    model: str
    to: ExportFormat
    output: str | None = None
    quantize: Quantization | None = None
    data: tuple[str, ...] = ()
    read: ReadSettings = ReadSettings()
    is_overwriting: bool = False
    allows_unblessed: bool = False
    model_scale: ModelScale = "auto"

    def __post_init__(self) -> None:
        """Raises UsageError for settings that contradict each other."""
        if self.quantize and self.to != "tflite":
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: needs {Flag.TO} tflite; {Flag.TO} {self.to} is always float32"
            )
        if self.read != ReadSettings() and not self.data:
            raise UsageError(
                f"{Flag.LABEL_COLUMN}, {Flag.LABEL_MAP}, {Flag.SCALE}, {Flag.TRANSPOSE} and {Flag.INVERT} need files "
                f"named by {Flag.DATA}"
            )
        if self.model.endswith((".keras", ".h5", ".hdf5")):
            self.check_data_to_quantize_by()

    def check_data_to_quantize_by(self) -> None:
        """Raise UsageError where a network from elsewhere is to be quantized without images."""
        if self.quantize and not self.data:
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: {self.model} comes without images to measure its value ranges on; "
                f"give some like its training images with {Flag.DATA}"
            )


@dataclass(frozen=True, slots=True)
class EvaluateSettings:
    """One evaluation of a model.

    model: a model folder, or what else `score` takes. data: sources of labelled images; empty: those that come with the
    model. read: how the files of `data` are read. group_column: the column of `data` that tells each image's group.
    sample: how many of the images are corrupted at most. seed: of the corruptions and of the sample. mnist_dir,
    digits_dir: folders that may hold MNIST's IDX files, and QMNIST's table of its writers.
    """

    model: str
    data: tuple[str, ...] = ()
    read: ReadSettings = ReadSettings()
    group_column: str | None = None
    sample: int = 10_000
    seed: int = 1
    allows_unblessed: bool = False
    mnist_dir: str | None = None
    digits_dir: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for settings that contradict each other."""
        if replace(self.read, normalize="auto") != ReadSettings() and not self.data:
            raise UsageError(
                f"{Flag.LABEL_COLUMN}, {Flag.LABEL_MAP}, {Flag.SCALE}, {Flag.TRANSPOSE}, {Flag.INVERT} and "
                f"{Flag.GROUP_COLUMN} need files named by {Flag.DATA}"
            )


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers: `128,128,128`, `128-128-128`, or `none`. Raises UsageError."""
    if text == "none":
        return ()
    try:
        return tuple(int(width) for width in re.split("[,-]", text))
    except ValueError as error:
        raise UsageError(f"{Flag.HIDDEN} {text}: expected widths of layers, such as 128,128,128") from error


def widths_text(widths: tuple[int, ...]) -> str:
    """Widths of hidden layers as tables show them: `128-128-128`, or `none`; `parse_widths` reads it."""
    return "-".join(map(str, widths)) or "none"


def _check_share(flag: Flag, share: float | None) -> None:
    if share is not None and not 0 < share < 1:
        raise UsageError(f"{flag} {share}: expected a share between 0 and 1, such as 0.1")
