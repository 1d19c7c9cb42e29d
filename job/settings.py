"""What the user asked for, checked and frozen; read once, at the edge, and passed along from there."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from job.errors import UsageError
from job.flag_names import Flag

MIB: Final = 1 << 20
DEFAULT_PART_BYTES: Final = 32 * MIB

OutputFormat = Literal["auto", "csv", "parquet", "kaggle"]
# The stored value of a fully inked pixel: 255, or 1 if pixels are fractions. Text, as in flags and documents.
PixelScale = Literal["255", "1"]
ScaleChoice = Literal["auto", PixelScale]
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
            raise UsageError(f"{Flag.MAX_REJECTS} {text}: expected a number such as 100, or a share such as 1%")
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
    scale: the stored value of a fully inked pixel; `auto`: as the first records show. is_transposed: images are stored
    column by column, as in EMNIST. keep: names of the passthrough columns, which are copied to the predictions.
    """

    label_column: str | None = None
    is_label_ignored: bool = False
    scale: ScaleChoice = "auto"
    is_transposed: bool = False
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError where settings contradict each other."""
        if self.label_column is not None and self.is_label_ignored:
            raise UsageError(f"{Flag.LABEL_COLUMN} and {Flag.NO_LABEL} contradict each other; give one of them")
        twice = [name for name in self.keep if self.keep.count(name) > 1]
        if twice:
            raise UsageError(f"{Flag.KEEP} {twice[0]}: given twice; a column can be kept once")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` processes that score one run together; index: which, from 0."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Raises UsageError for an index that is not among so many shards."""
        if not 0 <= self.index < self.count:
            raise UsageError(
                f"{Flag.SHARD_INDEX} {self.index}: expected 0 to {self.count - 1} with {Flag.SHARD_COUNT} {self.count}"
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
            raise UsageError(
                f"{Flag.KEEP} and {Flag.FORMAT} kaggle contradict each other; a submission has two columns"
            )
        if self.shard and self.is_overwriting:
            # One shard would remove what another has committed just now and will not commit again.
            raise UsageError(
                f"{Flag.OVERWRITE} and {Flag.SHARD_COUNT} contradict each other; empty the output folder beforehand"
            )


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
