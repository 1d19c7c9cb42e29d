"""What the user asked for, checked and frozen; read once, at the edge, and passed along from there."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from job.errors import UsageError

MIB: Final = 1 << 20
DEFAULT_PART_BYTES: Final = 32 * MIB

OutputFormat = Literal["auto", "csv", "parquet", "kaggle"]
Scale = Literal["auto", "255", "1"]
Recipe = Literal["accurate", "baseline"]
Architecture = Literal["dense", "cnn"]
Optimizer = Literal["adamw", "adam", "sgd", "rmsprop"]
Activation = Literal["relu", "leaky_relu", "elu", "silu", "tanh"]
ClassWeights = Literal["none", "balanced"]
Quantization = Literal["int8"]
SearchMethod = Literal["hyperband", "random", "bayesian"]
ExportFormat = Literal["tflite", "onnx", "saved-model"]
Order = Literal["first", "surest"]


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many records may be rejected before a run counts as failed: a number, or a share of the records read."""

    amount: Decimal
    is_percent: bool

    @classmethod
    def parse(cls, text: str) -> "RejectLimit":
        """`100` or `2.5%`. Raises UsageError."""
        is_percent = text.strip().endswith("%")
        try:
            amount = Decimal(text.strip().removesuffix("%"))
        except InvalidOperation:
            amount = Decimal(-1)
        is_sane = amount.is_finite() and amount >= 0 and (amount <= 100 if is_percent else amount % 1 == 0)  # noqa: PLR2004
        if not is_sane:
            raise UsageError(f"--max-rejects {text}: expected a number such as 100, or a share such as 1%")
        return cls(amount, is_percent)

    def is_exceeded(self, rejected: int, read: int) -> bool:
        """Whether `rejected` of `read` records are too many."""
        return rejected * 100 > self.amount * read if self.is_percent else rejected > self.amount

    def __str__(self) -> str:
        """As the user would write it."""
        return f"{self.amount:f}%" if self.is_percent else f"{self.amount:.0f}"


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What the user said of the input, where looking at it does not settle the matter.

    label_column: the label's name, or its number from 1 where there is no header. is_label_ignored: there is none.
    scale: the value of full ink, 255 or 1; `auto`: whichever the first records show. is_transposed: images are stored
    column by column, as in EMNIST. keep: names of columns to carry through to the predictions.
    """

    label_column: str | None = None
    is_label_ignored: bool = False
    scale: Scale = "auto"
    is_transposed: bool = False
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError where settings contradict each other."""
        if self.label_column is not None and self.is_label_ignored:
            raise UsageError("--label-column and --no-label contradict each other; give one of them")
        twice = [name for name in self.keep if self.keep.count(name) > 1]
        if twice:
            raise UsageError(f"--keep {twice[0]}: given twice; a column can be kept once")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` processes that score one run together; index: which, from 0."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Raises UsageError for an index that is not among so many shards."""
        if not 0 <= self.index < self.count:
            raise UsageError(
                f"--shard-index {self.index}: expected 0 to {self.count - 1} with --shard-count {self.count}"
            )

    def __str__(self) -> str:
        """As it is told to people."""
        return f"shard {self.index} of {self.count}"


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """One run of the scoring stage.

    inputs: locations as given. part_bytes: size of a part. block_rows: how many rows are in flight per thread;
    it changes neither parts nor output. allows_unblessed: also a model that its gate did not let pass may score.
    shard: which share of the parts to score, where other processes score the others; None: all of them.
    model_name: what the user called the model, where it had to be converted first.
    """

    inputs: tuple[str, ...]
    output: str
    model: str
    read: ReadSettings = ReadSettings()
    format: OutputFormat = "auto"
    has_probabilities: bool = False
    max_rejects: RejectLimit = RejectLimit(Decimal(1), is_percent=True)
    threads: int = 1
    part_bytes: int = DEFAULT_PART_BYTES
    block_rows: int = 2048
    is_overwriting: bool = False
    allows_unblessed: bool = False
    shard: Shard | None = None
    model_name: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where settings contradict each other."""
        if self.format == "kaggle" and self.read.keep:
            raise UsageError("--keep and --format kaggle contradict each other; a submission has two columns")
        if self.shard and self.is_overwriting:
            # One shard would remove what another has committed just now and will not commit again.
            raise UsageError("--overwrite and --shard-count contradict each other; empty the output folder beforehand")


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is told of a scoring run, and to whom; none of it changes the output.

    metrics_file, openlineage: files to write, or None. pushgateway: the URL of a Pushgateway, or None. is_json: log
    lines are for machines. is_quiet: nothing but warnings and errors.
    """

    metrics_file: str | None = None
    pushgateway: str | None = None
    openlineage: str | None = None
    is_json: bool = False
    is_quiet: bool = False


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
    recipe: Recipe = "accurate"
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
            raise UsageError(f"--min-accuracy {self.min_accuracy}: expected a share of at most 1, such as 0.99")
        if self.quantize and self.activation == "elu":
            # Better said before training than found after it.
            raise UsageError(f"--quantize {self.quantize}: TFLite knows no elu in integers; take another --activation")


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
    recipe: Recipe = "accurate"
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
            raise UsageError(f"--quantize {self.quantize}: is for --to tflite; --to {self.to} is in float32")
        if self.read != ReadSettings() and self.data is None:
            raise UsageError("--label-column, --scale and --transpose are for the files that --data names")
        if self.quantize and self.data is None and self.model.endswith(".keras"):
            raise UsageError(
                f"--quantize {self.quantize}: a .keras file brings no images to measure its values on; name some like "
                "those it was trained on with --data"
            )


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise UsageError(f"--validation-split {share}: expected a share between 0 and 1, such as 0.1")


def parse_widths(text: str) -> tuple[int, ...]:
    """Widths of hidden layers: `128,128,128`. Raises UsageError."""
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError as error:
        raise UsageError(f"--hidden {text}: expected widths of layers, such as 128,128,128") from error
