"""The events of a search in the log, besides its phases: its start, its trials, and the fields of its summary."""

import logging
import os
from typing import Any

from job._version import __version__
from job.log import Event, event
from job.report.words import some
from job.train.train_settings import TuneSettings
from job.train.tune.search_trial import Trial
from job.train.tune.tune_result import TuneResult

_log = logging.getLogger(__name__)


def log_search_start(settings: TuneSettings) -> None:
    """Before any work."""
    fields = {
        "command": "tune",
        "version": __version__,
        "data": list(settings.data.sources),
        "output": settings.output,
        "search": settings.search,
        "arch": settings.arch,
        "folds": settings.fold_count,
        "trials": settings.trials,
        "epochs": settings.epochs,
        "recipe": settings.recipe,
        "seed": settings.seed,
        "pid": os.getpid(),
    }
    text = "%s search on %s into %s; digit-job %s"
    started = event(Event.STARTED, **fields)
    _log.info(text, settings.search, some(settings.data.sources), settings.output, __version__, extra=started)


def trial_event(trial: Trial, trials: int) -> dict[str, Any]:
    """The argument `extra` of the line about a trial. trials: how many there will be at most, besides the default."""
    return event(
        Event.TRIAL,
        trial=trial.number,
        trials=trials,
        settings=trial.settings,
        parameters=trial.parameters,
        accuracy=trial.accuracy,
        accuracy_sd=trial.deviation,
        folds=trial.accuracies,
        seconds=trial.seconds,
    )


def search_summary(result: TuneResult) -> dict[str, Any]:
    """The fields of the log's last event that say what came of the search."""
    return {
        "outcome": "ok",
        "settings_file": result.path,
        "trials": len(result.trials) - 1,
        "best_trial": result.best.number,
        "accuracy": result.best.accuracy,
        "default_accuracy": result.default.accuracy,
    }
