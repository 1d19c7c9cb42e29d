"""Keras's own exporters, which write paths only: what they make, while it is looked at, and their errors as ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from job.contract import PIXELS
from job.errors import ModelInvalid
from job.storage import translated_errors
from job.train.backend import without_notices
from job.train.scratch import scratch_folder, size_of

if TYPE_CHECKING:
    import keras


KerasFormat = Literal["onnx", "litert", "tf_saved_model"]
_WORDS: Final[dict[KerasFormat, str]] = {"onnx": "ONNX", "litert": "TFLite", "tf_saved_model": "a SavedModel"}


@contextmanager
def exported_by_keras(model: "keras.Model", name: str, format_: KerasFormat, **options: Any) -> Iterator[Path]:
    """The path, ending in `name`, of a network of uint8 (n, 784) exported in some format; it is gone after the block.

    options: what else the exporter of that format takes. Raises ModelInvalid where the format has no words for it,
    ResourceExhausted where there is no room.
    """
    with scratch_folder(size_of(model)) as folder:
        path = folder / name
        with warnings.catch_warnings(), without_notices():
            warnings.simplefilter("ignore")
            try:
                # Keras exports only what has been called.
                model(np.zeros((1, PIXELS), np.uint8))
                model.export(path, format=format_, verbose=False, **options)
            except (ImportError, MemoryError):
                raise
            except OSError:
                with translated_errors(str(folder)):
                    raise
            except Exception as error:  # converters raise whatever they run into
                raise ModelInvalid(f"{model.name}: cannot be exported to {_WORDS[format_]}: {error!r:.200}") from error
        yield path
