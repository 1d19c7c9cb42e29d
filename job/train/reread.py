"""The data that a model was trained on, read again as its card says."""

import logging
from typing import Any

from job.errors import ModelInvalid, NoInput
from job.model.bundle import CARD_NAME, Bundle
from job.settings import ReadSettings
from job.storage import Storage
from job.train.dataset import Dataset, load

_log = logging.getLogger(__name__)


def read_again(storage: Storage, bundle: Bundle, mnist_dir: str | None) -> Dataset:
    """A model's data in the same splits, from where the card says it was, or else from `mnist_dir`.

    A warning is logged if it is not what the model was trained on. Raises ModelInvalid where the card names no data;
    NoInput, DataError.
    """
    data = bundle.about.get("data")
    if not data:
        raise ModelInvalid(
            f"{bundle.path}: its {CARD_NAME} names no data; only models trained by digit-job know their images"
        )
    dataset = _loaded(storage, data, mnist_dir)
    if dataset.fingerprint != data["fingerprint"]:
        _log.warning(
            "%s: is not what the model was trained on; its test images may have been trained on", dataset.source
        )
    return dataset


def _loaded(storage: Storage, data: dict[str, Any], mnist_dir: str | None) -> Dataset:
    # A card of an earlier version says nothing of how its files were read: there was one way.
    read = ReadSettings(**{name: data[name] for name in ("label_column", "scale", "is_transposed") if name in data})
    choices = {"seed": data["seed"], "validation_share": data["validation_share"]}
    try:
        return load(storage, data["source"], read, **choices)
    except NoInput:
        if not mnist_dir:
            raise
        return load(storage, mnist_dir, read, **choices)
