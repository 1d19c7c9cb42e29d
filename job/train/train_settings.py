"""The user's settings of training, tuning and exporting, checked and frozen.

The commands make them from flags. A field of TrainSettings that is None is the recipe's own, see `fit.recipe`.
"""

from dataclasses import dataclass
from typing import Literal

from job.errors import UsageError
from job.flag_names import Flag
from job.settings import ModelScale, ReadSettings

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

    data: source of the images, see `data.origin`. read: how its files are read. model: the folder to write.
    validation_share: of the training images, in (0, 1). min_accuracy: the gate's required accuracy on the test split,
    in 0-1. compare_to: a model folder that the new model must not be significantly worse than. quantize: number format
    of an additional export, or None. is_resuming: continue an earlier run that was stopped. tensorboard: the parent of
    the folder for events, or None. is_augmented: whether images are deformed. The other fields are those of a recipe.
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
class TuneSettings:
    """One search for better settings.

    data, read, recipe, validation_share, seed: as for training. output: the search's folder. trials: number of settings
    to try. epochs: maximum length of each training.
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

    model: a model folder, a Keras file or a SavedModel. output: where to write; None: beside the model. quantize: the
    number format, or None for floats. data: images to compare on and to quantize by; None: those that come with the
    model. read: how the files of `data` are read. allows_unblessed: also export a model that failed its gate.
    model_scale: the range that a network from elsewhere expects its pixels in.
    """

    model: str
    to: ExportFormat
    output: str | None = None
    quantize: Quantization | None = None
    data: str | None = None
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
        if self.read != ReadSettings() and self.data is None:
            raise UsageError(
                f"{Flag.LABEL_COLUMN}, {Flag.LABEL_MAP}, {Flag.SCALE}, {Flag.TRANSPOSE} and {Flag.INVERT} need files "
                f"named by {Flag.DATA}"
            )
        if self.model.endswith((".keras", ".h5", ".hdf5")):
            self.check_data_to_quantize_by()

    def check_data_to_quantize_by(self) -> None:
        """Raise UsageError where a network from elsewhere is to be quantized without images."""
        if self.quantize and self.data is None:
            raise UsageError(
                f"{Flag.QUANTIZE} {self.quantize}: {self.model} comes without images to measure its value ranges on; "
                f"give some like its training images with {Flag.DATA}"
            )


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers: `128,128,128`. Raises UsageError."""
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError as error:
        raise UsageError(f"{Flag.HIDDEN} {text}: expected widths of layers, such as 128,128,128") from error


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise UsageError(f"{Flag.VALIDATION_SPLIT} {share}: expected a share between 0 and 1, such as 0.1")
