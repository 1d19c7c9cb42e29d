"""The trained model that is in the target folder already: whether a new one may replace it, or is the same.

`training` asks it before it trains. `place` handles everything in the folder that is not a model.
"""

import json
import logging
from typing import TYPE_CHECKING, Any, cast

from job.errors import ModelInvalid, OutputOccupied
from job.flag_names import Flag
from job.model.bundle import CARD_NAME, Bundle, is_blessed, open_bundle, predictor_of
from job.storage import Storage, join
from job.train.card.model_folder import TrainResult, size_of_folder
from job.train.data.dataset import Dataset
from job.train.fit.checkpoint import differences
from job.train.fit.recipe import Recipe
from job.train.judge.evaluate import evaluate
from job.train.judge.gate import Gate

if TYPE_CHECKING:
    from job.documents.model_json import TrainedCard

_log = logging.getLogger(__name__)


def finished_model(storage: Storage, target: str) -> Bundle | None:
    """The model in the target folder, if it is whole and passed its gate; others may be replaced."""
    if storage.stat(join(target, CARD_NAME)) is None or not is_blessed(storage, target):
        return None
    try:
        return open_bundle(storage, target)
    except ModelInvalid as error:
        # `refuse_occupied` has found nothing else in the folder, so there is nothing to lose.
        _log.info("%s; a new model will replace it", error)
        return None


def refuse_other_model(bundle: Bundle, recipe: Recipe, dataset: Dataset) -> None:
    """Raise OutputOccupied where the model was trained by another recipe or on other data, naming what differs."""
    trained, asked = _trained_by(bundle), _identity(recipe, dataset.identity)
    differing = differences(trained, asked) if trained else "a network from elsewhere"
    if differing:
        raise OutputOccupied(
            f"{bundle.path}: holds another model ({differing}); choose another {Flag.MODEL}, or replace it with "
            f"{Flag.OVERWRITE}"
        )


def is_same_training(bundle: Bundle, recipe: Recipe, dataset: Dataset, seed: int) -> bool:
    """Whether the model is what this recipe, data and seed give."""
    data = bundle.about.get("data") or {}
    splits = (data.get("seed"), data.get("test_share"), data.get("validation_share"))
    is_alike = splits == (seed, dataset.test_share, dataset.validation_share)
    return is_alike and _trained_by(bundle) == _identity(recipe, dataset.identity)


def judged_again(storage: Storage, bundle: Bundle, dataset: Dataset, gate: Gate) -> TrainResult:
    """The result of the training that made the model, on its own test images and by this run's gate."""
    predictor = predictor_of(bundle, storage.check_stop)
    probabilities = predictor.predict(dataset.test.pixels)
    return TrainResult(
        bundle.path,
        bundle.digest,
        size_of_folder(storage, bundle.path),
        evaluate(probabilities, dataset.test.labels),
        evaluate(predictor.predict(dataset.validation.pixels), dataset.validation.labels),
        gate.judge(probabilities, dataset.test.pixels, dataset.test.labels),
        cast("TrainedCard", bundle.about),
    )


def _identity(recipe: Recipe, data: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(recipe.readable_fields))
    return {**found, "data": data}


def _trained_by(bundle: Bundle) -> dict[str, Any]:
    """The same of a model, as its card has it; empty for a network that was not trained by this job."""
    training, data = bundle.about.get("training"), bundle.about.get("data")
    if not training or not data:
        return {}
    fields = {name.removeprefix("is_").replace("_", "-"): value for name, value in training.items()}
    del fields["kept-epoch"]
    added = f" with {data['added']['identity']}" if data.get("added") else ""
    return {**fields, "data": f"fingerprint {data['fingerprint'][:16]}{added}"}
