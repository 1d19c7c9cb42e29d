"""What the user asked of training, tuning and exporting: checked and frozen."""

from dataclasses import dataclass
from typing import Literal

from job.errors import UsageError
from job.flag_names import Flag
from job.settings import ReadSettings

RecipeName = Literal["accurate", "baseline"]
Architecture = Literal["dense", "cnn"]
Optimizer = Literal["adamw", "adam", "sgd", "rmsprop"]
Activation = Literal["relu", "leaky_relu", "elu", "silu", "tanh"]
ClassWeights = Literal["none", "balanced"]
Quantization = Literal["int8"]
SearchMethod = Literal["hyperband", "random", "bayesian"]
ExportFormat = Literal["tflite", "onnx", "saved-model"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One run of the train stage.

    data: where the images come from (see `train.dataset`). read: what its files hold.
    validation_share: of the training images, in (0, 1). min_accuracy: what the gate asks of the accuracy on the test
    split, in 0-1. compare_to: a model folder that the new one must not be significantly worse than. quantize: the kind
    of numbers of a further export, or None. is_resuming: go on where an earlier run was stopped. tensorboard:
    the folder for a folder of events, or None. What can be None besides is then the recipe's own, see `train.recipe`;
    is_augmented: whether images are deformed.
    """

    data: str
    model: str
    recipe: RecipeName = "accurate"
    arch: Architecture = "dense"
    epochs: int | None = None
    batch_size: int | None = None
    validation_share: float = 0.1
    seed: int = 1
    read: ReadSettings = ReadSettings()
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
    tensorboard: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range."""
        _check_share(self.validation_share)
        if self.min_accuracy is not None and not 0 < self.min_accuracy <= 1:
            raise UsageError(f"{Flag.MIN_ACCURACY} {self.min_accuracy}: expected a share of at most 1, such as 0.99")
        if self.quantize and self.activation == "elu":
            # Better said before training than found after it.
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: TFLite knows no elu in integers; take another {Flag.ACTIVATION}"
            )


@dataclass(frozen=True, slots=True)
class TuneSettings:
    """One search for better settings.

    data, read, recipe, validation_share, seed: as for training. output: the search's folder. trials: how many settings
    are tried in all. epochs: how long each is trained for, at most.
    """

    data: str
    output: str
    trials: int = 20
    search: SearchMethod = "hyperband"
    epochs: int = 10
    recipe: RecipeName = "accurate"
    validation_share: float = 0.1
    seed: int = 1
    read: ReadSettings = ReadSettings()

    def __post_init__(self) -> None:
        """Raises UsageError for values outside their range."""
        _check_share(self.validation_share)


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """One export of a saved network.

    model: a model folder or a `.keras` file. output: where to write; None: beside the model. quantize: the kind of
    numbers, or None for floats. data: images to compare on, and to quantize by; None: what the model comes with.
    read: what the files of data hold. allows_unblessed: also a model that its gate did not let pass.
    """

    model: str
    to: ExportFormat
    output: str | None = None
    quantize: Quantization | None = None
    data: str | None = None
    read: ReadSettings = ReadSettings()
    is_overwriting: bool = False
    allows_unblessed: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError where settings contradict each other."""
        if self.quantize and self.to != "tflite":
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: is for {Flag.TO} tflite; {Flag.TO} {self.to} is in float32"
            )
        if self.read != ReadSettings() and self.data is None:
            raise UsageError(
                f"{Flag.LABEL_COLUMN}, {Flag.SCALE} and {Flag.TRANSPOSE} are for the files that {Flag.DATA} names"
            )
        if self.quantize and self.data is None and self.model.endswith(".keras"):
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: a .keras file brings no images to measure its values on; "
                "name some like "
                f"those it was trained on with {Flag.DATA}"
            )


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise UsageError(f"{Flag.VALIDATION_SPLIT} {share}: expected a share between 0 and 1, such as 0.1")


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers: `128,128,128`. Raises UsageError."""
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError as error:
        raise UsageError(f"{Flag.HIDDEN} {text}: expected widths of layers, such as 128,128,128") from error
