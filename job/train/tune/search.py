"""`digit-job tune`: better settings, found by training with many, and judged by the validation images alone.

default -> propose -> train -> record -> propose ... -> table, best settings

The test images are none of its business: where they are a file of their own, it is not opened.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, Final

from job.errors import ModelInvalid
from job.flag_names import Flag
from job.storage import Storage
from job.train.backend import fix_seed, import_keras, use_threads
from job.train.data.dataset import Dataset, load
from job.train.fit import network
from job.train.fit.loop import fit
from job.train.fit.recipe import THREADS, Recipe, recipe_of
from job.train.train_settings import TrainSettings, TuneSettings
from job.train.tune.search_record import SearchRecord, Trial, as_text, ranked
from job.train.tune.search_space import Oracle, Proposal, oracle_of

_log = logging.getLogger(__name__)

# Of the progress display, for each trial.
_STEPS: Final = 1000


@dataclass(frozen=True)
class TuneResult:
    """What a search found. path: the best settings, for `train --settings`. images: how many the validation has.

    trials: in the order made, the default first. best: may be the default.
    """

    path: str
    trials: tuple[Trial, ...]
    best: Trial
    images: int

    @property
    def default(self) -> Trial:
        """The recipe as it is, after as many epochs."""
        return self.trials[0]

    @property
    def table(self) -> str:
        """All trials, the best first, to read."""
        return as_text(self.trials)

    @property
    def conclusion(self) -> list[str]:
        """What follows from it, line by line."""
        best, default = self.best.in_words, self.default.in_words
        compared = f"{default['accuracy']} of {self.images:,} validation images after {default['epochs']} epochs"
        if self.best.number == 0:
            return [f"Default:  {compared}; no trial did better", f"Settings: {self.path} (the default's)"]
        return [
            f"Default:  {compared}",
            f"Best:     {best['accuracy']} after {best['epochs']} (trial {best['trial']}); expect less on other images",
            f"Settings: {self.path}, for `digit-job train {Flag.SETTINGS}`",
        ]


def tune(
    settings: TuneSettings, storage: Storage, *, mnist_dir: str | None, on_progress: Callable[[int, int], None]
) -> TuneResult:
    """Search for better settings; after each trial all is kept, and the same call goes on from there.

    on_progress: called with (steps done, steps in all). Raises OutputOccupied, before any training, where the folder is
    of another search; NoInput, DataError, UsageError; ModelInvalid where training diverges whatever is tried.
    """
    recipe = recipe_of(TrainSettings(settings.data, "", settings.recipe, epochs=settings.epochs))
    use_threads(THREADS[recipe.arch])
    dataset = load(
        storage,
        settings.data,
        settings.read,
        seed=settings.seed,
        validation_share=settings.validation_share,
        mnist_dir=mnist_dir,
        has_test=False,
    )
    record = SearchRecord(storage, storage.resolve(settings.output), _identity(settings, recipe, dataset))
    trials = record.load()
    _log.info("%s: %s images to train on, %s to validate", dataset.source, *_sizes(dataset))
    with oracle_of(settings.search, epochs=recipe.epochs, trials=settings.trials, seed=settings.seed) as oracle:
        _search(_Search(settings, recipe, dataset, record, on_progress), oracle, trials)
    best = ranked(trials)[0]
    if best.accuracy is None:
        raise ModelInvalid(f"{record.folder}: training diverged with all {len(trials)} settings; look at the images")
    path = record.save_results(trials, {"recipe": settings.recipe, **best.settings})
    return TuneResult(path, tuple(trials), best, len(dataset.validation))


@dataclass(frozen=True)
class _Search:
    settings: TuneSettings
    recipe: Recipe
    dataset: Dataset
    record: SearchRecord
    on_progress: Callable[[int, int], None]


def _identity(settings: TuneSettings, recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """All that decides what is tried and found, but for how long the search goes on."""
    return {
        "search": settings.search,
        **{name.removeprefix("is_").replace("_", "-"): value for name, value in asdict(recipe).items()},
        "validation-split": settings.validation_share,
        "seed": settings.seed,
        "data": f"{dataset.name}, fingerprint {dataset.fingerprint[:16]}",
        "keras-tuner": version("keras-tuner"),
    }


def _sizes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(f"{len(split):,}" for split in (dataset.train, dataset.validation))


def _search(search: _Search, oracle: Oracle, trials: list[Trial]) -> None:
    """Go on from some trials until there are enough; each new one is appended and recorded."""
    if trials:
        _log.info("%s: going on behind trial %d", search.record.folder, trials[-1].number)
    else:
        _try(search, Proposal({}), search.recipe, trials)
    for each in trials[1 : search.settings.trials + 1]:
        oracle.tell_again(each.proposed, each.accuracy)
    while len(trials) <= search.settings.trials and (proposal := oracle.propose()) is not None:
        _try(search, proposal, proposal.applied_to(search.recipe), trials)
        oracle.tell(trials[-1].accuracy)


def _try(search: _Search, proposal: Proposal, recipe: Recipe, trials: list[Trial]) -> None:
    number, total = len(trials), search.settings.trials + 1

    def on_batch(done: int, batches: int) -> None:
        search.on_progress(number * _STEPS + _STEPS * done // batches, total * _STEPS)

    trial = replace(_trained(search, recipe, on_batch), number=number, proposed=proposal.values)
    trials.append(trial)
    search.record.save(trials)
    words = trial.in_words
    _log.info(
        "%s: hidden %s, dropout %s, learning rate %s, batch size %s, epochs %s: %s (%s s)",
        f"trial {number} of {search.settings.trials}" if number else "default",
        *(
            words[name]
            for name in ("hidden", "dropout", "learning_rate", "batch_size", "epochs", "accuracy", "seconds")
        ),
    )


def _trained(search: _Search, recipe: Recipe, on_batch: Callable[[int, int], None]) -> Trial:
    """What comes out of a recipe; the same one always gives the same."""
    import_keras().utils.clear_session()
    fix_seed(search.settings.seed)
    model = network.build(recipe.arch, recipe.hidden, activation=recipe.activation, dropout=recipe.dropout)
    begun = time.monotonic()
    try:
        fitted = fit(
            model, recipe, search.dataset, seed=search.settings.seed, on_epoch=lambda _epoch: None, on_batch=on_batch
        )
        accuracy = fitted.history[-1].validation_accuracy
    except ModelInvalid:  # told in the table: the oracle is to look elsewhere
        accuracy = None
    return Trial(
        0,
        recipe.hidden,
        recipe.dropout,
        recipe.learning_rate,
        recipe.batch_size,
        recipe.epochs,
        model.count_params(),
        round(time.monotonic() - begun, 1),
        None if accuracy is None else round(accuracy * len(search.dataset.validation)),
        accuracy,
    )
