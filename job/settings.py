"""The settings of a scoring run: frozen, checked when they are made, read once at the edge and passed down from there.

The settings of training, tuning and exporting are in `train.train_settings`.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final, Literal, get_args

from job.errors import UsageError
from job.flag_names import Flag

MIB: Final = 1 << 20
DEFAULT_PART_BYTES: Final = 32 * MIB

_ALL_PERCENT: Final = 100
# As people write it, or as Python writes a small float.
_NUMBER_OR_PERCENT: Final = re.compile(r"((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e-[0-9]{1,2})?)( ?%)?")
# Each row takes 800 bytes of each part.
_MAX_REVIEW_ROWS: Final = 10_000

OutputFormat = Literal["auto", "csv", "parquet", "kaggle"]
# The stored value of a fully inked pixel: 255, or 1 if pixels are fractions. Text, as in flags and documents.
PixelScale = Literal["255", "1"]
ScaleChoice = Literal["auto", PixelScale]
# The names of `job.model.input_range.InputRange`.
ModelScale = Literal["auto", "255", "1", "-1..1", "standard"]
Order = Literal["first", "surest"]
ReviewPictures = Literal["sheet", "label-studio", "folders"]
# How images are brought to MNIST's form, see `job.normalize`: as their file shows, in any case, or not at all.
NormalizeChoice = Literal["auto", "mnist", "none"]


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """How many records may be rejected before a run fails: a count, or a percentage of the records read."""

    amount: Decimal
    is_percent: bool

    @classmethod
    def parse(cls, text: str) -> "RejectLimit":
        """Parse `100` or `2.5%`. Raises UsageError."""
        is_percent = text.strip().endswith("%")
        try:
            amount = Decimal(text.strip().removesuffix("%"))
        except InvalidOperation:
            amount = Decimal(-1)
        is_valid = amount.is_finite() and amount >= 0 and (amount <= _ALL_PERCENT if is_percent else amount % 1 == 0)
        if not is_valid:
            raise UsageError(f"{Flag.MAX_REJECTS} {text}: expected a count such as 100 or a percentage such as 1%")
        return cls(amount, is_percent)

    def is_exceeded(self, rejected: int, read: int) -> bool:
        """Whether `rejected` records are more than the limit allows of `read` records."""
        return rejected * _ALL_PERCENT > self.amount * read if self.is_percent else rejected > self.amount

    def __str__(self) -> str:
        """As `parse` takes it."""
        return f"{self.amount:f}%" if self.is_percent else f"{self.amount:.0f}"


@dataclass(frozen=True, slots=True)
class ErrorLimit:
    """The largest share of wrong answers among those that are given. share: more than 0, at most MOST."""

    MOST: ClassVar[Decimal] = Decimal("0.2")

    share: Decimal

    @classmethod
    def parse(cls, text: str) -> "ErrorLimit":
        """Parse `0.5%` or `0.005`. Raises UsageError, also for shares that are probably meant as percentages."""
        found = _NUMBER_OR_PERCENT.fullmatch(text)
        amount, is_percent = (Decimal(found[1]), bool(found[2])) if found else (Decimal(0), False)
        share = amount / _ALL_PERCENT if is_percent else amount
        if not 0 < share <= cls.MOST:
            is_meant_as_percent = not is_percent and cls.MOST < amount <= _ALL_PERCENT * cls.MOST
            hint = f"; for {amount:f} % write {amount:f}%" if is_meant_as_percent else ""
            raise UsageError(
                f"{Flag.MAX_ERROR} {text}: expected a percentage such as 0.5%, or a share such as 0.005, above 0 and "
                f"at most {cls(cls.MOST)}{hint}"
            )
        return cls(share)

    def __str__(self) -> str:
        """As a percentage, which `parse` takes; equal limits give equal text."""
        return f"{(self.share * _ALL_PERCENT).normalize():f}%"


def _check_choice(flag: Flag, value: str, choices: Any) -> None:
    """Raise UsageError unless the value is one of a Literal type's."""
    if value not in get_args(choices):
        raise UsageError(f"{flag} {value}: expected one of {', '.join(get_args(choices))}")


@dataclass(frozen=True, slots=True)
class LabelMap:
    """What labels mean that are not digits. location: its file. digits: (label, digit), see `read.label_map`."""

    location: str
    digits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How to read the inputs, where the files leave it open.

    label_column: the label column's name, or its number from 1 if there is no header. is_label_ignored: treat no
    column as the label. scale: the highest pixel value, 255 or 1; `auto`: taken from the first records. is_transposed:
    images are stored column by column, as in EMNIST. is_inverted: digits are dark on white, so that a pixel is 255
    minus its stored value. keep: names of passthrough columns, copied to the predictions. label_map: the digits of
    labels that are not digits; None: there are none. normalize: whether images are brought to MNIST's form, see
    `job.normalize.decision`.
    """

    label_column: str | None = None
    is_label_ignored: bool = False
    scale: ScaleChoice = "auto"
    is_transposed: bool = False
    keep: tuple[str, ...] = ()
    label_map: LabelMap | None = None
    is_inverted: bool = False
    normalize: NormalizeChoice = "auto"

    def __post_init__(self) -> None:
        """Raises UsageError for an unknown scale or normalization, and for settings that contradict each other."""
        _check_choice(Flag.SCALE, self.scale, ScaleChoice)
        _check_choice(Flag.NORMALIZE, self.normalize, NormalizeChoice)
        if self.label_column is not None and self.is_label_ignored:
            raise UsageError(f"{Flag.LABEL_COLUMN} and {Flag.NO_LABEL} contradict each other; give one of them")
        if self.label_map is not None and self.is_label_ignored:
            raise UsageError(f"{Flag.LABEL_MAP} and {Flag.NO_LABEL} contradict each other; give one of them")
        twice = [name for name in self.keep if self.keep.count(name) > 1]
        if twice:
            raise UsageError(f"{Flag.KEEP} {twice[0]}: given twice; a column can be kept only once")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` processes that score one run together. index: 0 to count - 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Raises UsageError for an index out of range."""
        if not 0 <= self.index < self.count:
            raise UsageError(
                f"{Flag.SHARD_INDEX} {self.index}: expected 0 to {self.count - 1} with {Flag.SHARD_COUNT} {self.count}"
            )

    def __str__(self) -> str:
        """As messages show it."""
        return f"shard {self.index} of {self.count}"


@dataclass(frozen=True, slots=True)
class Gates:
    """What a run must reach to count as a success; None: anything will do.

    min_accuracy: in 0-1. max_drift: the highest of the report's three population stability indices. max_warnings: how
    many warnings the report may have.
    """

    min_accuracy: float | None = None
    max_drift: float | None = None
    max_warnings: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for values out of range."""
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise UsageError(f"{Flag.MIN_ACCURACY} {self.min_accuracy}: expected a share between 0 and 1, such as 0.95")
        if self.max_drift is not None and not 0 <= self.max_drift < math.inf:
            raise UsageError(f"{Flag.MAX_DRIFT} {self.max_drift}: expected an index from 0 up, such as 0.25")
        if self.max_warnings is not None and self.max_warnings < 0:
            raise UsageError(f"{Flag.MAX_WARNINGS} {self.max_warnings}: expected a number from 0 up")


@dataclass(frozen=True, slots=True)
class Review:
    """What people are to look at. rows: at most so many; 0: nothing. pictures: in which forms, besides a table."""

    rows: int = 200
    pictures: tuple[ReviewPictures, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for values out of range, and for pictures of no rows."""
        if not 0 <= self.rows <= _MAX_REVIEW_ROWS:
            raise UsageError(f"{Flag.REVIEW_ROWS} {self.rows}: expected 0 to {_MAX_REVIEW_ROWS:,}")
        for each in self.pictures:
            _check_choice(Flag.REVIEW_PICTURES, each, ReviewPictures)
            if self.pictures.count(each) > 1:
                raise UsageError(f"{Flag.REVIEW_PICTURES} {each}: given twice; give it once")
        if self.pictures and not self.rows:
            raise UsageError(
                f"{Flag.REVIEW_PICTURES} {self.pictures[0]} and {Flag.REVIEW_ROWS} 0 contradict each other; give one "
                "of them"
            )


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """One run of the scoring stage.

    inputs: files, folders or patterns, as given. output, model: folders. part_bytes: size of a part, the unit of
    scoring and resuming. block_rows: rows that a thread holds at once; changes neither parts nor output.
    is_overwriting: replace another run's output. allows_unblessed: accept a model that failed its quality gate. shard:
    the share of the parts to score; None: all of them. model_name: the location that the user gave, if `model` is a
    temporary conversion of it. gates: what the run must reach. is_verifying: compare the digests of a finished run's
    files. model_scale: the range that a network from elsewhere expects its pixels in. escapes_formulas: in CSV, mark
    text that a spreadsheet would take for a formula. skip_done: folders of earlier results, whose inputs are skipped.
    review: the rows for people to look at. max_error: send rows to review so that at most this share of the others is
    wrong; None: answer all. calibration: the file of `calibrate` by which that is promised; None: by the model's card.
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
    gates: Gates = Gates()
    is_verifying: bool = False
    model_scale: ModelScale = "auto"
    escapes_formulas: bool = False
    skip_done: tuple[str, ...] = ()
    max_error: ErrorLimit | None = None
    calibration: str | None = None
    review: Review = Review()

    def __post_init__(self) -> None:
        """Raises UsageError for values out of range, and for settings that contradict each other."""
        _check_choice(Flag.FORMAT, self.format, OutputFormat)
        _check_choice(Flag.MODEL_SCALE, self.model_scale, ModelScale)
        for flag, value in ((Flag.THREADS, self.threads), (Flag.PART_BYTES, self.part_bytes)):
            if value < 1:
                raise UsageError(f"{flag} {value}: expected at least 1")
        if self.format == "kaggle" and self.read.keep:
            raise UsageError(
                f"{Flag.KEEP} and {Flag.FORMAT} kaggle contradict each other; a submission has two columns"
            )
        if self.format == "kaggle" and self.max_error:
            raise UsageError(
                f"{Flag.MAX_ERROR} and {Flag.FORMAT} kaggle contradict each other; a submission answers every row"
            )
        if self.calibration is not None and not self.max_error:
            raise UsageError(f"{Flag.CALIBRATION} needs {Flag.MAX_ERROR}, the promise that it is for")
        if self.shard and self.is_overwriting:
            # One shard would delete parts that another has already committed and will not commit again.
            raise UsageError(
                f"{Flag.OVERWRITE} and {Flag.SHARD_COUNT} contradict each other; empty the output folder beforehand"
            )
        if self.skip_done and self.is_overwriting:
            # What the folder holds may be the only record of what is done.
            raise UsageError(
                f"{Flag.OVERWRITE} and {Flag.SKIP_DONE} contradict each other; choose another {Flag.OUTPUT}"
            )


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where a scoring run reports its progress and figures; changes nothing in the output.

    metrics_file, openlineage: files to write, or None. pushgateway: the URL of a Prometheus Pushgateway, or None.
    is_json: log lines are JSON. is_quiet: log only warnings and errors. is_required: a run fails if one of these cannot
    be written. job_name: of the job among others, for the Pushgateway and OpenLineage; None: their defaults.
    """

    metrics_file: str | None = None
    pushgateway: str | None = None
    openlineage: str | None = None
    is_json: bool = False
    is_quiet: bool = False
    is_required: bool = False
    job_name: str | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for a job name that cannot be one."""
        if self.job_name is not None and (not self.job_name.strip() or not self.job_name.isprintable()):
            raise UsageError(f"{Flag.JOB_NAME} {self.job_name!r}: expected a name such as digits-nightly")
