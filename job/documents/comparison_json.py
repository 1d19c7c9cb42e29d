"""The comparison of two finished runs, or of two models on the same data, as `digit-job compare --json` writes it."""

from typing import Annotated, Literal, TypedDict

Outcome = Literal["no_rows", "same", "no_labels", "no_difference", "a_better", "b_better"]


class SharePair(TypedDict):
    """One share for each run."""

    a: float | None
    b: float | None


class IntervalPair(TypedDict):
    """One 95 % interval for each run."""

    a: list[float] | None
    b: list[float] | None


class ComparedModel(TypedDict):
    """The model of one run."""

    path: Annotated[str | None, "of a model that was compared on data; null if two runs were compared"]
    name: str
    architecture: str | None
    digest: str


class ComparedRun(TypedDict):
    """One of the two runs."""

    output: Annotated[str | None, "the output folder; null if two models were compared on data"]
    fingerprint: str
    model: ComparedModel


class ComparedRows(TypedDict):
    """Rows by whether each run scored them, and whether the predictions agree."""

    read: int
    compared: Annotated[int, "scored by both"]
    same: int
    changed: int
    rejected_by_both: int
    rejected_by_a: int
    rejected_by_b: int


class CorrectRows(TypedDict):
    """Labelled rows by who classified them correctly."""

    both: int
    only_a: int
    only_b: int
    neither: int


class McNemarFigures(TypedDict):
    """McNemar's test."""

    only_a: int
    only_b: int
    method: str
    statistic: float | None
    p_value: float


Change = TypedDict("Change", {"from": int, "to": int, "count": int})
Change.__doc__ = "Rows that A classifies as one digit and B as another."


class ComparisonVerdict(TypedDict):
    """Which run is better, as far as the data shows."""

    outcome: Outcome
    text: str


class ComparedInput(TypedDict):
    """One input file."""

    path: str
    rows: int
    compared: int
    changed: int
    agreement: float | None
    labelled: int
    accuracy: SharePair


class ChangedRow(TypedDict):
    """A row that the two runs classify differently."""

    path: str
    row: Annotated[int, "from 0"]
    label: int | None
    prediction_a: int
    prediction_b: int
    confidence_a: float
    confidence_b: float


class ComparisonFigures(TypedDict):
    """The figures computed from the counts of the compared rows."""

    rows: ComparedRows
    agreement: float | None
    labelled: int
    right: CorrectRows | None
    accuracy: SharePair
    accuracy_95: IntervalPair
    difference: Annotated[float | None, "accuracy of B minus accuracy of A"]
    difference_95: Annotated[list[float] | None, "Bonett and Price 2012"]
    mcnemar: McNemarFigures | None
    changes: Annotated[list[Change], "most frequent first"]
    verdict: ComparisonVerdict


class Comparison(ComparisonFigures):
    """The content of the file that `compare --json` writes."""

    digit_job: Annotated[str, "the version that compared"]
    a: ComparedRun
    b: ComparedRun
    inputs: list[ComparedInput]
    order: Literal["first", "surest"]
    changed_rows: list[ChangedRow]
    notes: list[str]
