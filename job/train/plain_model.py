"""A plain `.keras` file in place of a model folder: converted for the length of one scoring run.

Imports Keras only if there is such a file; `foreign` does the conversion.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from job.errors import requires_extra
from job.settings import ScoreSettings
from job.storage import storage_at


@contextmanager
def with_model_folder(settings: ScoreSettings) -> Iterator[ScoreSettings]:
    """The same settings with a model folder, which is temporary if the user named a `.keras` file, and its given name.

    Raises UsageError if the train extra is needed and not installed, ModelInvalid if the file cannot be converted.
    """
    settings = replace(settings, model_name=settings.model)
    if not settings.model.endswith(".keras"):
        yield settings
        return
    with requires_extra("train"):
        from job.train.card.foreign_model import convert
        from job.train.scratch import scratch_folder
    with scratch_folder() as folder:
        with requires_extra("train"):
            convert(storage_at(settings.model), settings.model, str(folder))
        yield replace(settings, model=str(folder))
