"""The file of `digit-job calibrate`: a model's confidences on labelled data of one's own, for `score --calibration`."""

from typing import Annotated, TypedDict

from job.documents.allowed import Between, Count, Name
from job.documents.model_json import ConfidenceCounts, TrainingDistribution

Text = Annotated[str, Name()]


class CalibratedModel(TypedDict):
    """Whose confidences they are."""

    path: Text
    name: Text
    digest: Annotated[Text, "as in report.json; score refuses another model"]


class CalibrationInput(TypedDict):
    """One file of labelled rows."""

    path: Text
    size: Annotated[Count, "bytes"]
    version: Annotated[Text, "distinguishes contents of the same size"]
    rows: Count


class CalibrationData(TypedDict):
    """Where the rows came from."""

    inputs: list[CalibrationInput]
    command: Annotated[Text, "the command line that scores them"]
    rows: Annotated[Count, "records read"]
    rejected: Count
    unlabelled: Annotated[Count, "scored records without a readable label"]


class CalibrationGroups(TypedDict):
    """Rows that belong together, such as those of one writer."""

    column: Text
    groups: Count
    design_effect: Annotated[
        float, "how many rows tell as much as one that is independent of the others", Between(1, 1 << 53)
    ]


class CalibrationFile(TypedDict):
    """The content of a calibration file."""

    format: int
    digit_job: Annotated[Text, "version"]
    created: Annotated[Text, "ISO 8601"]
    model: CalibratedModel
    data: CalibrationData
    groups: Annotated[CalibrationGroups | None, "null: every row counts as independent of the others"]
    held_out: ConfidenceCounts
    distribution: Annotated[TrainingDistribution, "of the labelled rows; `labels` are the predicted digits"]
    sha256: Annotated[Text, "of this document's JSON without this key, keys sorted, without spaces"]
