"""What `digit-job show` writes with `--json`: single records of a file, with a model's predictions of them."""

from typing import Annotated, TypedDict

from job.documents.allowed import Count, Share
from job.documents.report_json import Digit, RejectCode


class ShownReject(TypedDict):
    """Why a record is rejected, or its label is unreadable."""

    reason: RejectCode
    detail: str
    line: Annotated[Count | None, "from 1; null for binary formats"]


class ShownRecord(TypedDict):
    """One record. Figures are null without a model, and where the record is rejected."""

    row: Annotated[Count, "from 0, as in the predictions"]
    id: Annotated[str | None, "of a picture: its path below the folder; null for records of other files"]
    label: Digit | None
    reject: ShownReject | None
    pixels: Annotated[str | None, "784 bytes in base64: 0 background, 255 ink, row by row; null if rejected"]
    prediction: Digit | None
    confidence: Share | None
    probabilities: Annotated[list[Share] | None, "of the digits 0 to 9"]


class ShownRecords(TypedDict):
    """The records that were asked for, in that order."""

    path: Annotated[str, "of the file"]
    model: Annotated[str | None, "the model's digest"]
    records: list[ShownRecord]
