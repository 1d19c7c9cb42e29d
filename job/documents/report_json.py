"""report.json: the results of a scoring run. Figures that need labels, or rows, are null without them.

Also the lines of rejects/*.jsonl.
"""

from typing import Annotated, Literal, TypedDict

from job.documents.allowed import Between, Count, Share

Digit = Annotated[int, Between(0, 9)]
Interval = Annotated[list[float], "lower and upper bound of the 95 % interval"]


class RowCounts(TypedDict):
    """How many records were read, scored and rejected, and lines skipped; `read` is the sum of the others."""

    read: Count
    scored: Count
    rejected: Count
    skipped: Annotated[Count, "lines that are no records: comments, and the header again"]


class ClassFigures(TypedDict):
    """As in scikit-learn's classification_report."""

    precision: Share
    recall: Share
    f1: Share
    support: Annotated[Count, "labelled rows"]


class Averages(TypedDict):
    """The digits' figures, averaged."""

    macro: Annotated[ClassFigures, "each digit counts the same"]
    weighted: Annotated[ClassFigures, "each digit counts in proportion to its support"]


CalibrationBin = TypedDict(
    "CalibrationBin",
    {
        "from": Annotated[Share, "lowest confidence of the bin"],
        "to": Annotated[Share, "highest confidence of the bin"],
        "count": Count,
        "confidence": Annotated[Share | None, "mean confidence; null if the bin is empty"],
        "accuracy": Annotated[Share | None, "share classified correctly; null if the bin is empty"],
    },
)
CalibrationBin.__doc__ = "The rows of one confidence bin."


class CalibrationFigures(TypedDict):
    """How far the confidences are from the accuracy."""

    ece: Annotated[float, "expected calibration error"]
    bins: list[CalibrationBin]


class InputFigures(TypedDict):
    """One input file."""

    path: Annotated[str, "relative to the deepest folder that holds all inputs"]
    rows: Count
    rejected: Count
    labelled: Annotated[Count, "scored rows with a label"]
    accuracy: Share | None


class ReportWarning(TypedDict):
    """What to look into: about an input, about several that have the same warning, or about the run as a whole."""

    path: Annotated[str | None, "the input, the first of several; null: the run as a whole"]
    others: Annotated[list[str], "the next two inputs that it is about"]
    inputs: Annotated[Count, "how many inputs it is about; 0: the run as a whole"]
    message: Annotated[str, "of several inputs: that of the first"]


class ModelIdentity(TypedDict):
    """Which model scored, from its card."""

    digest: Annotated[str, "SHA-256 over the file that the scorer runs, and its name"]
    name: str
    recipe: str | None
    architecture: str | None
    data: Annotated[str | None, "name of the training data"]
    warning: Annotated[str | None, "the card's warning about the training data"]
    test_accuracy: Share | None


class ExampleRow(TypedDict):
    """One row to inspect."""

    path: str
    row: Annotated[Count, "from 0, within its file"]
    label: Digit | None
    prediction: Digit
    confidence: Share
    pixels: Annotated[str, "784 bytes in base64: 0 background, 255 ink, row by row"]


class DigitExamples(TypedDict):
    """Rows predicted as one digit, right or wrong."""

    prediction: Digit
    examples: Annotated[list[ExampleRow], "the first of the run, at most four"]


class PairExamples(TypedDict):
    """Two digits that the model confuses."""

    label: Digit
    prediction: Digit
    count: Count
    examples: list[ExampleRow]


class ExampleSection(TypedDict):
    """Rows to inspect. The choice depends on the rows alone."""

    by_prediction: Annotated[list[DigitExamples], "for each digit that was predicted"]
    sure_mistakes: Annotated[list[ExampleRow], "wrong predictions with the highest confidence, at most 40"]
    unsure: Annotated[list[ExampleRow], "predictions with the lowest confidence, at most 40"]
    confused_pairs: Annotated[list[PairExamples], "the five most frequent"]


class RejectExample(TypedDict):
    """One of the first rejects of each reason."""

    path: str
    row: Annotated[Count, "from 0"]
    line: Annotated[Count | None, "from 1; null for binary formats"]
    reason: str
    detail: str


class DriftFigures(TypedDict):
    """One distribution, in the training data and in the input."""

    edges: Annotated[list[int], "lowest value of each bin"]
    training: Annotated[list[Share], "each bin's share"]
    input: Annotated[list[Share], "each bin's share"]
    psi: Annotated[float | None, "population stability index: below 0.1 little has changed, from 0.25 much"]


class InputDriftFigures(TypedDict):
    """The population stability indices of one input."""

    path: str
    intensity: float | None
    ink: float | None
    predicted: float | None


class DriftSection(TypedDict):
    """How far the input differs from the training data."""

    intensity: Annotated[DriftFigures, "pixels by value"]
    ink: Annotated[DriftFigures, "images by mean value"]
    predicted: Annotated[DriftFigures, "rows by digit, against the training labels"]
    inputs: list[InputDriftFigures]


RunSettings = TypedDict(
    "RunSettings",
    {
        "input": list[str],
        "model": str,
        "format": str,
        "label-column": str | None,
        "label-map": str | None,
        "no-label": bool,
        "scale": str,
        "transpose": bool,
        "invert": bool,
        "normalize": str,
        "keep": list[str],
        "probabilities": bool,
        "escape-formulas": bool,
        "max-rejects": str,
        "allow-unblessed": bool,
        "model-scale": str,
    },
)
RunSettings.__doc__ = "The settings that determine the output, by flag name."


class RunSection(TypedDict):
    """What it takes to reproduce the run."""

    settings: RunSettings
    command: Annotated[str, "the command line that repeats the run"]
    fingerprint: Annotated[str, "SHA-256 over everything that can change the output"]
    versions: dict[str, str]


class Figures(TypedDict):
    """The figures computed from the counts of a run's rows."""

    rows: RowCounts
    rejected_by_reason: dict[str, Count]
    skipped_by_reason: Annotated[dict[str, Count], "lines that are no records, and keep their row"]
    bad_labels: Annotated[Count, "scored rows whose label is unreadable"]
    labelled: Annotated[Count, "scored rows with a label"]
    correct: Count | None
    accuracy: Share | None
    accuracy_95: Annotated[Interval | None, "Wilson's"]
    classes: list[str]
    confusion_matrix: Annotated[list[list[Count]] | None, "true digits in rows, predictions in columns"]
    per_class: dict[str, ClassFigures] | None
    averages: Averages | None
    macro_f1: float | None
    log_loss: Annotated[float | None, "of probabilities rounded to six decimals"]
    top2_accuracy: Share | None
    calibration: CalibrationFigures | None
    confidence_histogram: Annotated[list[Count], "rows in each twentieth of confidence"]
    predicted_counts: Annotated[list[Count], "rows per predicted digit"]
    estimated_accuracy: Annotated[Share | None, "mean confidence"]


class Report(Figures):
    """The content of report.json. Byte-stable: the same rows and settings give the same bytes."""

    accuracy_withheld: Annotated[str | None, "why labels give no accuracy; null: they do, or there are none"]
    first_bad_label: Annotated[str | None, "the first unreadable label, shortened"]
    inputs: list[InputFigures]
    warnings: Annotated[list[ReportWarning], "everything that the page calls to be looked into"]
    model: ModelIdentity
    examples: ExampleSection
    reject_examples: list[RejectExample]
    drift: Annotated[DriftSection | None, "null if the model's card has no distribution of its training data"]
    run: RunSection


# The values of job.contract.Reason, which mypy compares where a RejectLine is made.
RejectCode = Literal[
    "too_few_fields",
    "too_many_fields",
    "missing_value",
    "not_a_number",
    "out_of_range",
    "not_an_integer",
    "malformed_quotes",
    "undecodable_text",
    "over_long_record",
    "bad_image",
    "bad_label",
    "repeated_header",
    "comment_line",
]


class RejectLine(TypedDict):
    """One line of `rejects/*.jsonl`: a record that could not be scored, or whose label is unreadable."""

    file: Annotated[str, "relative path of the input"]
    row: Annotated[int, "from 0"]
    byte_offset: Annotated[int | None, "of the record's first byte in the uncompressed file"]
    line: Annotated[int | None, "from 1"]
    column: str | None
    reason: RejectCode
    detail: str
    raw: Annotated[str | None, "the record as it stands in the file, shortened"]
