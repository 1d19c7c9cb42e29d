"""Compares two models on the same data: scores it with both, then compares the two runs with `comparer`.

So its figures are those of two runs of `digit-job score`: the same reading, prediction, rejects and withheld labels.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Final

from job.documents.comparison_json import ComparedRun, Comparison
from job.errors import InputChanged
from job.results.compare.comparer import Comparer
from job.results.finished import open_finished
from job.score.gather import check_rejects
from job.score.observer import Observer
from job.score.run import run
from job.score.warning_log import WarningLog
from job.settings import RejectLimit, ScoreSettings
from job.storage import Storage

_log = logging.getLogger(__name__)

# The limit is judged after the run: a run's own error would name its temporary folder as the place to look.
_ALL: Final = RejectLimit(Decimal(100), is_percent=True)


def compare_models(
    comparer: Comparer,
    a: ScoreSettings,
    b: ScoreSettings,
    observed: Callable[[], AbstractContextManager[Observer]],
) -> Comparison:
    """Score the same inputs with two models, each into a temporary output folder, and compare the results.

    observed: whom to tell the progress of the next run. Raises what `score.run.run` raises, TooManyRejects by the
    limit of the settings, and InputChanged if the inputs changed in between.
    """
    storage, warnings = comparer.storage, WarningLog()
    for name, settings in (("A", a), ("B", b)):
        # What follows in the log, such as a warning that a model is less accurate than it was, is about this one.
        _log.info("scoring with %s, %s", name, settings.model_name or settings.model)
        with observed() as observer:
            result = run(replace(settings, max_rejects=_ALL), storage, observer, warnings)
        if result.report is not None:
            check_rejects(settings.max_rejects, result.report)
    _check_unchanged(storage, a, b)
    found = comparer.compare(a.output, b.output)
    return {**found, "a": _of_model(storage, a, found["a"]), "b": _of_model(storage, b, found["b"])}


def _check_unchanged(storage: Storage, a: ScoreSettings, b: ScoreSettings) -> None:
    """Raise InputChanged if B read other files than A."""
    read_by_a, read_by_b = (
        {(each["path"], each["size"], each["version"]) for each in open_finished(storage, output).manifest["inputs"]}
        for output in (a.output, b.output)
    )
    if changed := read_by_a ^ read_by_b:
        path, *_ = min(changed)
        raise InputChanged(f"{path}: changed while the models were compared; run the same command again")


def _of_model(storage: Storage, settings: ScoreSettings, run: ComparedRun) -> ComparedRun:
    """The entry of a model in place of that of its temporary run."""
    path = storage.resolve(settings.model_name or settings.model)
    return {**run, "output": None, "model": {**run["model"], "path": path}}
