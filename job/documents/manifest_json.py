"""manifest.json: what went into a scoring run and what came out, with digests, settings and times."""

from typing import Annotated, NotRequired, TypedDict

from job.documents.report_json import ModelIdentity


class ManifestInput(TypedDict):
    """One input file."""

    path: str
    size: Annotated[int, "bytes"]
    version: Annotated[str, "what the storage knows to tell two contents of the same size apart"]
    relative_path: str
    format: Annotated[str, "`csv`, `parquet` or `idx`"]
    parts: int
    rows: int
    scored: int
    rejected: int
    predictions: Annotated[str, "relative to the output folder"]
    rejects: Annotated[str | None, "relative to the output folder; null if there are none"]


class ManifestOutput(TypedDict):
    """One file of the output."""

    path: Annotated[str, "relative to the output folder"]
    bytes: int
    sha256: str


class ManifestModel(ModelIdentity):
    """The model, and where it was read from."""

    path: str


class ReadingSettings(TypedDict):
    """How the input was read."""

    label_column: str | None
    is_label_ignored: bool
    scale: str
    is_transposed: bool
    keep: list[str]


class ShardSettings(TypedDict):
    """Which share of the parts a process scored."""

    index: int
    count: int


class ManifestSettings(TypedDict):
    """The settings of the process that gathered."""

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


class Timings(TypedDict):
    """When, and for how long. They alone differ between two runs with equal settings."""

    started: Annotated[str, "ISO 8601"]
    score_seconds: float
    scored_rows: Annotated[int, "by the process that gathered"]
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
