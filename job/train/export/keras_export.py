"""Keras's exporters, which write to paths only: their files in a temporary folder, and their errors as ModelInvalid."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from job.contract import PIXELS
from job.train.backend import without_notices
from job.train.damage import damage_of
from job.train.scratch import scratch_folder, size_of

if TYPE_CHECKING:
    import keras


KerasFormat = Literal["onnx", "litert", "tf_saved_model"]
_DISPLAY_NAMES: Final[dict[KerasFormat, str]] = {"onnx": "ONNX", "litert": "TFLite", "tf_saved_model": "a SavedModel"}


@contextmanager
def exported_by_keras(model: "keras.Model", name: str, format_: KerasFormat, **options: Any) -> Iterator[Path]:
    """The path, ending in `name`, of a network of uint8 (n, 784) exported by Keras; deleted after the block.

    options: passed to the format's exporter. Raises ModelInvalid where the format cannot express the network, and
    ResourceExhausted where the disk is full.
    """
    with scratch_folder(size_of(model)) as folder:
        path = folder / name
        with warnings.catch_warnings(), without_notices():
            warnings.simplefilter("ignore")
            display_name = _DISPLAY_NAMES[format_]
            with damage_of(
                str(folder), lambda error: f"{model.name}: cannot be exported to {display_name}: {error!r:.200}"
            ):
                # Keras exports only models that have been called.
                model(np.zeros((1, PIXELS), np.uint8))
                model.export(path, format=format_, verbose=False, **options)
        yield path
