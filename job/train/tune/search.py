"""The stage behind `digit-job tune`: trains with many hyperparameters and compares them on the validation images.

default -> propose -> train -> record -> propose ... -> table, best settings

Test images are not used; where they are files of their own, these are not opened. `search_space` proposes, and
`search_record` keeps the trials, so that an interrupted search continues.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

from job.errors import ModelInvalid
from job.flag_names import Flag
from job.storage import Storage
from job.train.backend import fix_seed, import_keras, use_threads
from job.train.data.dataset import Dataset, load
from job.train.fit import network
from job.train.fit.loop import FitHooks, fit
from job.train.fit.recipe import THREADS, Recipe, recipe_of
from job.train.scratch import private_temporary_files
from job.train.train_settings import TrainSettings, TuneSettings
from job.train.tune.search_record import SearchRecord, Trial, as_text, ranked
from job.train.tune.search_space import Oracle, Proposal, oracle_of

# Progress steps per trial.
_STEPS: Final = 1000
_LOGGED: Final = ("hidden", "dropout", "learning_rate", "batch_size", "epochs", "accuracy", "seconds")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TuneResult:
    """The results of a search.

    path: the best settings, for `train --settings`. trials: in the order made, the default first. best: may be the
    default. images: number of validation images.
    """

    path: str
    trials: tuple[Trial, ...]
    best: Trial
    images: int

    @property
    def default(self) -> Trial:
        """The unchanged recipe, trained for as many epochs as the trials."""
        return self.trials[0]

    @property
    def table(self) -> str:
        """All trials as text, the best first."""
        return as_text(self.trials)

    @property
    def conclusion(self) -> list[str]:
        """The outcome for the terminal, line by line."""
        best, default = self.best.cells, self.default.cells
        compared = f"{default['accuracy']} of {self.images:,} validation images after {default['epochs']} epochs"
        if self.best.number == 0:
            return [f"Default:  {compared}; no trial was better", f"Settings: {self.path} (the default's)"]
        return [
            f"Default:  {compared}",
            f"Best:     {best['accuracy']} after {best['epochs']} (trial {best['trial']}); expect less on other images",
            f"Settings: {self.path}, for `digit-job train {Flag.SETTINGS}`",
        ]


@private_temporary_files()
def tune(
    settings: TuneSettings, storage: Storage, *, mnist_dir: str | None, on_progress: Callable[[int, int], None]
) -> TuneResult:
    """Search for better settings; after each trial the record is saved, and the same call continues from it.

    on_progress: called with (steps done, steps in total). Raises OutputOccupied, before any training, where the folder
    belongs to another search; NoInput, DataError, UsageError; ModelInvalid where training diverges with all settings.
    """
    recipe = recipe_of(TrainSettings(settings.data, "", settings.recipe, epochs=settings.epochs))
    use_threads(THREADS[recipe.arch])
    dataset = load(storage, settings.data, seed=settings.seed, mnist_dir=mnist_dir, has_test=False)
    record = SearchRecord(storage, storage.resolve(settings.output), _search_identity(settings, recipe, dataset))
    trials = record.load()
    sizes = [f"{len(split):,}" for split in (dataset.train, dataset.validation)]
    _log.info("%s: %s training and %s validation images", dataset.source, *sizes)
    with oracle_of(settings.search, epochs=recipe.epochs, trials=settings.trials, seed=settings.seed) as oracle:
        _Search(settings, recipe, dataset, record, trials, on_progress).run(oracle)
    best = ranked(trials)[0]
    if best.accuracy is None:
        raise ModelInvalid(f"{record.folder}: training diverged with all {len(trials)} settings; check the images")
    path = record.save_results(trials, {"recipe": settings.recipe, **best.settings})
    return TuneResult(path, tuple(trials), best, len(dataset.validation))


def _search_identity(settings: TuneSettings, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Everything that decides which trials are made, and their results, except for their number."""
    return {
        "search": settings.search,
        **recipe.readable_fields,
        "test-split": dataset.test_share,
        "validation-split": dataset.validation_share,
        "seed": settings.seed,
        "data": f"{dataset.name}, fingerprint {dataset.fingerprint[:16]}",
        "keras-tuner": version("keras-tuner"),
    }


@dataclass(frozen=True)
class _Search:
    """A search under way. trials: those made so far; new ones are appended and recorded."""

    settings: TuneSettings
    recipe: Recipe
    dataset: Dataset
    record: SearchRecord
    trials: list[Trial]
    on_progress: Callable[[int, int], None]

    def run(self, oracle: Oracle) -> None:
        """Make the trials that are missing."""
        if self.trials:
            _log.info("%s: resuming after trial %d", self.record.folder, self.trials[-1].number)
        else:
            self._try(Proposal({}), self.recipe)
        for each in self.trials[1 : self.settings.trials + 1]:
            oracle.replay(each.proposed, each.accuracy)
        while len(self.trials) <= self.settings.trials and (proposal := oracle.propose()) is not None:
            self._try(proposal, proposal.applied_to(self.recipe))
            oracle.report(self.trials[-1].accuracy)

    def _try(self, proposal: Proposal, recipe: Recipe) -> None:
        number, total = len(self.trials), self.settings.trials + 1

        def on_batch(done: int, batches: int) -> None:
            self.on_progress(number * _STEPS + _STEPS * done // batches, total * _STEPS)

        trial = _train(recipe, self.dataset, self.settings.seed, on_batch)
        self.trials.append(replace(trial, number=number, proposed=proposal.values))
        self.record.save(self.trials)
        cells = self.trials[-1].cells
        _log.info(
            "%s: hidden %s, dropout %s, learning rate %s, batch size %s, epochs %s: %s (%s s)",
            f"trial {number} of {self.settings.trials}" if number else "default",
            *(cells[name] for name in _LOGGED),
        )


def _train(recipe: Recipe, dataset: Dataset, seed: int, on_batch: Callable[[int, int], None]) -> Trial:
    """The trial of a recipe, not numbered yet; the same arguments give the same one but for its seconds."""
    import_keras().utils.clear_session()
    fix_seed(seed)
    model = network.build(recipe.arch, recipe.hidden, activation=recipe.activation, dropout=recipe.dropout)
    started = time.monotonic()
    try:
        fitted = fit(model, recipe, dataset, seed=seed, hooks=FitHooks(on_batch=on_batch))
        accuracy = fitted.history[-1].validation_accuracy
    except ModelInvalid:  # diverged, which the table says; the oracle tries other settings next
        accuracy = None
    return Trial(
        number=0,
        hidden=recipe.hidden,
        dropout=recipe.dropout,
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        parameters=model.count_params(),
        seconds=round(time.monotonic() - started, 1),
        right=None if accuracy is None else round(accuracy * len(dataset.validation)),
        accuracy=accuracy,
    )
