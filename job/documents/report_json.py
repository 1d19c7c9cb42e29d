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


class RiskCoveragePoint(TypedDict):
    """Rows of at least some confidence."""

    threshold: Annotated[Share, "the confidence"]
    coverage: Annotated[Share, "their share of the labelled rows"]
    error: Annotated[Share, "share wrong among them"]


class CoverageAtError(TypedDict):
    """The most rows that could be accepted within a share of errors, as measured on these rows."""

    error: Share
    coverage: Share
    threshold: Annotated[Share | None, "their lowest confidence; null if even the surest rows are wrong too often"]


class RiskCoverageFigures(TypedDict):
    """How wrong the surest rows are, for each share of them."""

    aurc: Annotated[Share, "area under the curve: mean error over all coverages"]
    coverage_at: Annotated[list[CoverageAtError], "at 0.1, 0.5 and 1 % errors"]
    points: Annotated[list[RiskCoveragePoint], "by threshold, strict to lax; at most one for each bin of confidence"]


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


class FormDocument(TypedDict):
    """What was done to each image of an input before it was classified."""

    transposed: Annotated[bool, "lines became columns"]
    inverted: Annotated[bool, "digits are stored dark on light"]
    paper: Annotated[int, "the stored value that became 0", Between(0, 255)]
    ink: Annotated[int, "the stored value that became 255", Between(0, 255)]
    centred: Annotated[bool, "brought to MNIST's form: scaled to 20x20, centred by mass"]


class FormExample(TypedDict):
    """One image: 784 bytes in base64, row by row."""

    before: Annotated[str, "as stored"]
    after: Annotated[str, "as it was classified: 0 background, 255 ink"]


class InputForm(TypedDict):
    """An input whose images were not classified as they are stored."""

    path: str
    form: FormDocument
    description: Annotated[str, "the form in words"]
    in_form: Annotated[Share | None, "of the first images that are in MNIST's form as stored; null: they are blank"]
    examples: Annotated[list[FormExample], "the first images, at most eight; of the first 20 such inputs"]


class NormalizationSection(TypedDict):
    """How images were brought to MNIST's form. Inputs that are not listed were classified as they are stored."""

    choice: Annotated[Literal["auto", "mnist", "none"], "`--normalize`"]
    inputs: list[InputForm]


class PromiseDrift(TypedDict):
    """Population stability indices against the rows that a promise rests on; null: nothing to compare."""

    confidence: float | None
    predicted: float | None
    ink: float | None
    intensity: float | None


class PromiseCalibration(TypedDict):
    """The held-out rows that a promise rests on."""

    source: Annotated[str, "what they are"]
    rows: Count
    groups: Annotated[Count | None, "writers or the like; null: each row counts as independent"]
    design_effect: Annotated[float, "how many rows tell as much as one that is independent of the others"]
    accepted: Annotated[Count, "rows at or above the threshold"]
    wrong: Annotated[Count, "misclassified rows among those"]
    bound: Annotated[Share, "upper bound of the share wrong among accepted rows"]


class PromiseFigures(TypedDict):
    """What `--max-error` promises about the accepted rows, and what became of it."""

    max_error: Annotated[Share, "promised: at most this share of accepted rows is wrong"]
    certainty: Annotated[Share, "how certain that is, for data like the calibration's"]
    threshold: Annotated[Share, "rows of at least this confidence are accepted"]
    is_withdrawn: Annotated[bool, "whether nothing is promised after all"]
    reasons: Annotated[list[str], "why it is withdrawn"]
    text: Annotated[str, "the promise, or its withdrawal, in words"]
    accepted: Count
    review: Annotated[Count, "scored rows that are not accepted"]
    coverage: Annotated[Share | None, "share of scored rows that are accepted"]
    labelled: Annotated[Count, "accepted rows with a label"]
    wrong: Annotated[Count | None, "misclassified rows among those"]
    error: Annotated[Share | None, "their share"]
    error_95: Annotated[Interval | None, "Wilson's"]
    calibration: PromiseCalibration
    drift: PromiseDrift


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
        "review-rows": int,
        "review-pictures": list[str],
        "max-rejects": str,
        "max-error": str | None,
        "calibration": str | None,
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
    risk_coverage: RiskCoverageFigures | None
    confidence_histogram: Annotated[list[Count], "rows in each twentieth of confidence"]
    predicted_counts: Annotated[list[Count], "rows per predicted digit"]
    mean_confidence: Share | None


class EstimateFigures(TypedDict):
    """The accuracy of all scored rows, estimated from their confidences, or why there is no estimate."""

    estimated_accuracy: Annotated[Share | None, "average thresholded confidence; null: not to be trusted here"]
    estimated_accuracy_range: Annotated[list[Share] | None, "lowest and highest accuracy that is likely"]
    estimated_accuracy_withheld: Annotated[str | None, "why it is not to be trusted"]


class Report(Figures, EstimateFigures):
    """The content of report.json. Byte-stable: the same rows and settings give the same bytes."""

    accuracy_withheld: Annotated[str | None, "why labels give no accuracy; null: they do, or there are none"]
    first_bad_label: Annotated[str | None, "the first unreadable label, shortened"]
    inputs: list[InputFigures]
    warnings: Annotated[list[ReportWarning], "everything that the page calls to be looked into"]
    model: ModelIdentity
    examples: ExampleSection
    reject_examples: list[RejectExample]
    normalization: NormalizationSection
    drift: Annotated[DriftSection | None, "null if the model's card has no distribution of its training data"]
    promise: Annotated[PromiseFigures | None, "null without `--max-error`"]
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
