"""Evaluates a saved model on labelled images, as the scorer runs it: `digit-job evaluate`.

The images are the test images of the model's own data, or of data that the user names. `robustness` measures,
`evaluation_text` prints.
"""

import re
from contextlib import AbstractContextManager
from typing import Any, Final

from job._version import __version__
from job.documents.evaluation_json import ModelEvaluation
from job.errors import DataError, LayoutError, ModelInvalid
from job.flag_names import Flag
from job.model.bundle import Bundle, open_bundle, predictor_of
from job.report.metrics import wilson_interval
from job.report.warning_list import outcome
from job.storage import Storage
from job.train.data.dataset import read_again
from job.train.data.origin import find_images
from job.train.data.split import Split, joined
from job.train.data.writers import with_writers
from job.train.judge.calibrate import calibration_error
from job.train.judge.evaluate import evaluate
from job.train.judge.robustness import RobustnessPlan, confidence, robustness
from job.train.phases import Phase, Phases
from job.train.train_settings import EvaluateSettings

_WRITER: Final = "writer"


def evaluate_model(storage: Storage, settings: EvaluateSettings, folder: str, phases: Phases) -> ModelEvaluation:
    """Evaluate the model in a folder, which is that of `settings` or was converted from it.

    Raises ModelInvalid, also where a model brings no data and none is named; NoInput, DataError, LayoutError,
    UsageError.
    """
    with phases.during(Phase.LOADING, "model"):
        bundle = open_bundle(storage, folder, allows_unblessed=settings.allows_unblessed)
        predictor = predictor_of(bundle, storage.check_stop)
        bundle.check(predictor)
    with phases.during(Phase.READING, "images"):
        name, sources, images = _images(storage, bundle, settings)
        images = with_writers(storage, settings.digits_dir, images)
    with phases.during(Phase.EVALUATING):
        probabilities = predictor.predict(images.pixels)
        found = evaluate(probabilities, images.labels)
    data = bundle.about.get("data") or {}
    plan = RobustnessPlan(
        settings.seed,
        settings.sample,
        data.get("name", ""),
        data.get("in_form"),
        settings.read.normalize,
        settings.group_column or _WRITER,
    )

    def during(corruption: str) -> AbstractContextManager[None]:
        return phases.during(Phase.CORRUPTING, corruption)

    return {
        "digit_job": __version__,
        "model": {
            "path": settings.model,
            "name": bundle.name,
            "architecture": bundle.about.get("architecture"),
            "digest": bundle.digest,
        },
        "data": {"name": name, "sources": list(sources), "rows": len(images)},
        "test": {
            **found.figures,
            "accuracy_95": wilson_interval(found.correct, found.rows) or [0.0, 1.0],
            "calibration_error": calibration_error(probabilities, images.labels),
            "confidence": confidence(probabilities),
        },
        "robustness": robustness(predictor.predict, images, probabilities, plan, during),
    }


def is_evaluation(start: bytes) -> bool:
    """Whether a file with these first bytes is the document of an evaluation."""
    return re.match(rb'\{\s*"digit_job": "[^"]*",\s*"model": \{', start) is not None


def summary(found: ModelEvaluation) -> dict[str, Any]:
    """The fields of the log's last event that say what came of the evaluation."""
    measured, optdigits = found["robustness"], found["robustness"]["optdigits"]
    return {
        "outcome": outcome(0),
        "model": found["model"]["path"],
        "digest": found["model"]["digest"],
        "accuracy": found["test"]["accuracy"],
        "test_images": found["test"]["rows"],
        "corrupted_images": measured["clean"]["rows"],
        "mean_error": measured["mean_error"],
        "relative_error": measured["relative_error"],
        "optdigits_accuracy": None if optdigits is None else optdigits["accuracy"],
        "groups": None if measured["groups"] is None else measured["groups"]["groups"],
    }


def _images(storage: Storage, bundle: Bundle, settings: EvaluateSettings) -> tuple[str, tuple[str, ...], Split]:
    """The name, the sources and the images to evaluate on."""
    if settings.data:
        try:
            found = find_images(storage, settings.data, settings.read, mnist_dir=settings.mnist_dir)
        except LayoutError as error:
            # The readers know the column as one to keep.
            raise LayoutError(str(error).replace(Flag.KEEP, Flag.GROUP_COLUMN)) from error
        images = joined([each.images if each.test is None else each.test for each in found])
        if not len(images):
            raise DataError(f"{' '.join(settings.data)}: holds no images to test with")
        return (
            ", ".join(each.name for each in found),
            tuple(source for each in found for source in each.sources),
            images,
        )
    if not bundle.about.get("data"):
        raise ModelInvalid(f"{settings.model}: comes without data; name labelled images with {Flag.DATA}")
    dataset = read_again(storage, bundle, settings.mnist_dir)
    return dataset.name, dataset.test_sources or dataset.sources, dataset.test
