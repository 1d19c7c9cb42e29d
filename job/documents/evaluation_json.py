"""The evaluation of a model on labelled images, as `digit-job evaluate --json` writes it."""

from typing import Annotated, TypedDict

from job.documents.model_json import SplitMetrics
from job.documents.robustness_json import Robustness


class EvaluatedModel(TypedDict):
    """The model."""

    path: str
    name: str
    architecture: str | None
    digest: str


class EvaluatedImages(TypedDict):
    """The labelled images."""

    sources: list[str]
    name: str
    rows: int


class TestMetrics(SplitMetrics):
    """The accuracy on all images."""

    accuracy_95: Annotated[list[float], "95 % interval (Wilson)"]
    calibration_error: Annotated[float, "expected calibration error"]
    confidence: Annotated[float, "mean"]


class ModelEvaluation(TypedDict):
    """The content of the file that `evaluate --json` writes."""

    digit_job: Annotated[str, "the version that evaluated"]
    model: EvaluatedModel
    data: EvaluatedImages
    test: TestMetrics
    robustness: Robustness
