"""The documents of an unfinished run, in `_parts/`: run.json, inputs.json, and the summary inside each part file.

Only the job itself reads them, so that no JSON Schema is published.
"""

from typing import Annotated, TypedDict

from job.documents.allowed import Name
from job.documents.manifest_json import ScoredFile


class RunClaim(TypedDict):
    """The content of run.json: which run the output folder belongs to.

    arithmetic: what the bytes of its predictions depend on besides (`model.bundle.arithmetic_of`).
    """

    fingerprint: Annotated[str, Name()]
    part_bytes: int
    arithmetic: Annotated[str, Name()]


class ChosenInputs(TypedDict):
    """The content of inputs.json: what a run with `--skip-done` scores, however often it is resumed."""

    inputs: list[ScoredFile]


class TallyCounts(TypedDict):
    """A part's `report.tally.Tally`."""

    counts: list[int]
    reasons: list[int]
    confusion: list[list[int]]
    predicted: list[int]
    confidence: list[list[int]]
    twentieths: list[int]


class UnreadableLabels(TypedDict):
    """A part's `report.label_census.LabelCensus`."""

    first: str | None
    texts: dict[str, list[int]]


class AppearanceCounts(TypedDict):
    """A part's `report.appearance.Appearance`."""

    intensity: list[int]
    ink: list[int]
