"""manifest.json: the inputs and outputs of a scoring run, with digests, settings and times."""

from typing import Annotated, NotRequired, TypedDict

from job.documents.allowed import Count, RelativePath
from job.documents.report_json import FormDocument, ModelIdentity


class FileVersion(TypedDict):
    """One version of a file."""

    path: str
    size: Annotated[Count, "bytes"]
    version: Annotated[str, "distinguishes contents of the same size; for local files the modification time in ns"]


class ScoredFile(FileVersion):
    """One version of an input, and of the file of its labels."""

    label_file: NotRequired[Annotated[FileVersion | None, "of IDX and NumPy images; null if there is none"]]


class ManifestInput(ScoredFile):
    """One input file."""

    relative_path: Annotated[str, "relative to the folder of all inputs", RelativePath()]
    format: Annotated[str, "`csv`, `parquet`, `arrow`, `idx` or `numpy`"]
    form: Annotated[FormDocument, "what was done to each image before it was classified"]
    parts: Count
    rows: Count
    scored: Count
    rejected: Count
    predictions: Annotated[str, "relative to the output folder", RelativePath()]
    rejects: Annotated[str | None, "relative to the output folder; null if there are none", RelativePath()]


class ManifestOutput(TypedDict):
    """One file of the output."""

    path: Annotated[str, "relative to the output folder", RelativePath()]
    bytes: Count
    sha256: str


class ManifestModel(ModelIdentity):
    """The model, and where it was read from."""

    path: str


class LabelMapSettings(TypedDict):
    """The digits of labels that are not digits."""

    location: str
    digits: Annotated[list[list[str | int]], "pairs of a label and its digit"]


class ReadingSettings(TypedDict):
    """How the input was read."""

    label_column: str | None
    is_label_ignored: bool
    scale: str
    is_transposed: bool
    keep: list[str]
    label_map: LabelMapSettings | None
    is_inverted: bool
    normalize: str


class ReviewSettings(TypedDict):
    """What people were given to look at."""

    rows: Count
    pictures: list[str]


class ShardSettings(TypedDict):
    """Which shard of the parts the process scored."""

    index: int
    count: int


class GateSettings(TypedDict):
    """What the run had to reach."""

    min_accuracy: float | None
    max_drift: float | None
    max_warnings: int | None


class ManifestSettings(TypedDict):
    """The settings of the process that wrote the final output."""

    inputs: list[str]
    output: str
    model: str
    read: ReadingSettings
    format: str
    has_probabilities: bool
    max_rejects: str
    threads: int
    part_bytes: int
    block_rows: int
    is_overwriting: bool
    allows_unblessed: bool
    shard: ShardSettings | None
    model_name: str | None
    gates: GateSettings
    is_verifying: bool
    model_scale: str
    escapes_formulas: bool
    skip_done: list[str]
    max_error: str | None
    calibration: str | None
    review: ReviewSettings


class Timings(TypedDict):
    """When the run began and how long it took: all that differs between two runs with equal settings."""

    started: Annotated[str, "ISO 8601"]
    score_seconds: float
    scored_rows: Annotated[int, "by the process that wrote the final output"]
    gather_seconds: NotRequired[float]


class Manifest(TypedDict):
    """The content of manifest.json."""

    digit_job: Annotated[str, "version"]
    python: str
    fingerprint: str
    inputs: list[ManifestInput]
    outputs: list[ManifestOutput]
    settings: ManifestSettings
    model: ManifestModel
    timings: Timings
