"""A model from elsewhere in place of a model folder: converted for the length of one scoring run.

`model.model_kind` says what it is. Keras and SavedModels need the train extra, which is imported only then.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from job.errors import requires_extra
from job.settings import ModelScale, ScoreSettings
from job.storage import storage_at


@contextmanager
def with_model_folder(settings: ScoreSettings) -> Iterator[ScoreSettings]:
    """The same settings with the `model_folder` of their model, and its given name."""
    with model_folder(settings.model, settings.model_scale) as folder:
        yield replace(settings, model=folder, model_name=settings.model)


@contextmanager
def model_folder(location: str, model_scale: ModelScale) -> Iterator[str]:
    """The model folder at a location, or a temporary one, converted from the other kind of model that is there.

    Raises UsageError if the train extra is needed and not installed, ModelInvalid if the model cannot be converted.
    """
    from job.model.input_range import check_no_scale, named_range
    from job.model.model_kind import ModelKind, find_model
    from job.train.scratch import scratch_folder

    storage = storage_at(location)
    found = find_model(storage, location)
    if found.kind is ModelKind.FOLDER:
        check_no_scale(location, model_scale)
        yield location
        return
    input_range = named_range(model_scale)
    with scratch_folder() as folder:
        if found.kind is ModelKind.ONNX:
            from job.model.foreign_onnx import convert_onnx

            convert_onnx(storage, found.content, found.path, str(folder), input_range=input_range)
        else:
            with requires_extra("train"):
                from job.train.card.foreign_model import convert

                convert(storage, found, str(folder), input_range=input_range)
        yield str(folder)
