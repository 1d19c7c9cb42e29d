"""The stage behind `digit-job tune`: trains with many settings and compares them on images held out for that.

space -> folds -> default -> propose -> train -> record -> propose ... -> table, best settings, page

Test images are not used; where they are files of their own, these are not opened. `oracle` proposes settings from the
search space, `folds` has the images to train on and to rate by, and `search_record` keeps the trials, so that an
interrupted search continues.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

from job.errors import ModelInvalid
from job.log import Event, event
from job.report.words import many, percent
from job.storage import Storage
from job.train.backend import fix_seed, import_keras, use_threads, versions
from job.train.data.dataset import Dataset, load
from job.train.fit import network
from job.train.fit.loop import FitHooks, fit
from job.train.fit.recipe import THREADS, Recipe
from job.train.scratch import private_temporary_files
from job.train.train_settings import SearchSpace, TuneSettings
from job.train.training_log import log_details
from job.train.tune.folds import Folds, split_folds
from job.train.tune.oracle import GridOracle, Oracle, Proposal, combinations, keras_tuner_oracle
from job.train.tune.search_log import trial_event
from job.train.tune.search_page import search_page
from job.train.tune.search_record import SearchRecord
from job.train.tune.search_space import checked_space, max_epochs, recipe_with
from job.train.tune.search_trial import FoldResult, Trial, best_settings, ranked
from job.train.tune.space_syntax import space_json
from job.train.tune.tune_result import TuneResult

# Progress steps per training.
_STEPS: Final = 1000

_log = logging.getLogger(__name__)


@private_temporary_files()
def tune(
    settings: TuneSettings, storage: Storage, *, mnist_dir: str | None, on_progress: Callable[[int, int], None]
) -> TuneResult:
    """Search for better settings; after each training the record is saved, and the same call continues from it.

    on_progress: called with (steps done, steps in total). Raises UsageError for a search space that does not fit the
    search, before anything is read; OutputOccupied, before any training, where the folder belongs to another search;
    NoInput, DataError; ModelInvalid where training diverges with all settings.
    """
    space = checked_space(settings)
    use_threads(THREADS[settings.arch])
    folds = _load(settings, storage, mnist_dir)
    record = SearchRecord(storage, storage.resolve(settings.output), _search_identity(settings, space, folds.dataset))
    trials = record.load()
    with _oracle(settings, space) as (oracle, count):
        _log_plan(settings, space, folds, count)
        log_details(folds.dataset, versions())
        _Search(settings, space, folds, record, count, on_progress).run(oracle, trials)
    best = ranked(trials)[0]
    if best.accuracy is None:
        raise ModelInvalid(f"{record.folder}: training diverged with all {len(trials)} settings; check the images")
    dataset = folds.dataset
    result = TuneResult(
        settings, space, tuple(trials), best, dataset.sources, dataset.warning, len(dataset.train), folds.rated_images,
        record.best_path,
    )  # fmt: skip
    chosen = {"recipe": settings.recipe, "arch": settings.arch, **best_settings(best, list(space))}
    record.save_results(trials, chosen, search_page(result))
    return result


def _load(settings: TuneSettings, storage: Storage, mnist_dir: str | None) -> Folds:
    has_folds = settings.fold_count > 1
    dataset = load(
        storage, settings.data, seed=settings.seed, mnist_dir=mnist_dir, has_test=False, has_validation=not has_folds
    )
    return split_folds(dataset, settings.fold_count, seed=settings.seed)


def _search_identity(settings: TuneSettings, space: SearchSpace, dataset: Dataset) -> dict[str, Any]:
    """Everything that decides which trials are made, and their results, except for their number."""
    has_folds, is_grid = settings.fold_count > 1, settings.search == "grid"
    return {
        "search": settings.search,
        **recipe_with(settings, {}).readable_fields,
        **{f"space of {name}": values for name, values in space_json(space).items()},
        "folds": settings.fold_count,
        "test-split": dataset.test_share,
        "validation-split": dataset.validation_share,
        "seed": settings.seed,
        "data": f"{dataset.name}, fingerprint {dataset.fingerprint[:16]}",
        **({"scikit-learn": version("scikit-learn")} if has_folds else {}),
        **({} if is_grid else {"keras-tuner": version("keras-tuner")}),
    }


@contextmanager
def _oracle(settings: TuneSettings, space: SearchSpace) -> Iterator[tuple[Oracle, int]]:
    """The oracle of a search, and the number of trials that it makes at most besides the default."""
    if settings.search == "grid":
        default = recipe_with(settings, {})
        # The recipe's own settings are tried already.
        left = [each for each in combinations(space) if recipe_with(settings, each) != default]
        yield GridOracle(left), len(left)
    else:
        trials, seed = settings.max_trials, settings.seed
        with keras_tuner_oracle(settings.search, space, epochs=settings.epochs, trials=trials, seed=seed) as oracle:
            yield oracle, trials


def _log_plan(settings: TuneSettings, space: SearchSpace, folds: Folds, count: int) -> None:
    """Say what will be trained, and on what, before it starts."""
    dataset = folds.dataset
    images = f"{len(dataset.train):,} training images in {len(folds)} folds"
    if len(folds) == 1:
        images = f"{len(dataset.train):,} training and {len(dataset.validation):,} validation images"
    trainings = f"{many((count + 1) * len(folds), 'training')} of at most {many(max_epochs(settings, space), 'epoch')}"
    _log.info("%s: %s", dataset.source, images)
    _log.info("%s search: %s and the recipe's own settings: %s", settings.search, many(count, "trial"), trainings)


@dataclass(frozen=True)
class _Search:
    """A search under way. count: the number of trials to make at most, besides the default."""

    settings: TuneSettings
    space: SearchSpace
    folds: Folds
    record: SearchRecord
    count: int
    on_progress: Callable[[int, int], None]

    def run(self, oracle: Oracle, trials: list[Trial]) -> None:
        """Make the trials that are missing, and append and record them. trials: those made so far."""
        started = trials.pop() if trials and not self._is_finished(trials[-1]) else None
        self._log_resumption(trials, started)
        if not trials:
            self._try(trials, Proposal({}, {}), started)
        for each in trials[1 : self.count + 1]:
            oracle.replay(each.proposed, each.accuracy)
        while len(trials) <= self.count:
            proposal = oracle.propose()
            if proposal is None:
                _log.info("the search space is exhausted after trial %s", trials[-1].name)
                break
            self._try(trials, proposal, started)
            oracle.report(trials[-1].accuracy)

    def _log_resumption(self, trials: list[Trial], started: Trial | None) -> None:
        folder = self.record.folder
        if started is not None:
            resumed = event(Event.RESUMED, output=folder, trial=started.number, fold=len(started.folds))
            _log.info("%s: resuming trial %s after fold %d", folder, started.name, len(started.folds), extra=resumed)
        elif trials:
            resumed = event(Event.RESUMED, output=folder, trial=trials[-1].number, fold=len(self.folds))
            _log.info("%s: resuming after trial %s", folder, trials[-1].name, extra=resumed)

    def _name(self, trial: Trial) -> str:
        return f"trial {trial.number} of {self.count}" if trial.number else "default"

    def _is_finished(self, trial: Trial) -> bool:
        return trial.has_diverged or len(trial.folds) == len(self.folds)

    def _try(self, trials: list[Trial], proposal: Proposal, started: Trial | None) -> None:
        """Make one trial, fold by fold. started: the trial that an earlier part of the search did not finish."""
        recipe = recipe_with(self.settings, proposal.settings)
        trial = Trial(len(trials), _recorded(recipe, self.space), 0, [], dict(proposal.values))
        if started is not None and (started.number, started.settings) == (trial.number, trial.settings):
            trial = replace(trial, parameters=started.parameters, folds=started.folds)
        for fold in range(len(trial.folds), len(self.folds)):
            result, parameters = _train(
                recipe, self.folds[fold], self.settings.seed, self._on_batch(trial.number, fold)
            )
            trial = replace(trial, parameters=parameters, folds=[*trial.folds, result])
            self.record.save([*trials, trial])
            if len(self.folds) > 1:
                right = "diverged" if result["right"] is None else percent(result["right"] / result["images"])
                _log.debug("%s, fold %d of %d: %s", self._name(trial), fold + 1, len(self.folds), right)
            if trial.has_diverged:
                break
        trials.append(trial)
        _log.info(
            "%s: %s: %s (%.1f s)",
            self._name(trial),
            ", ".join(f"{name.replace('-', ' ')} {text}" for name, text in trial.setting_texts.items()),
            trial.result,
            trial.seconds,
            extra=trial_event(trial, self.count),
        )

    def _on_batch(self, number: int, fold: int) -> Callable[[int, int], None]:
        """How a training reports its batches, as a part of the search."""
        trainings = number * len(self.folds) + fold
        total = (self.count + 1) * len(self.folds) * _STEPS
        return lambda done, batches: self.on_progress(trainings * _STEPS + _STEPS * done // batches, total)


def _recorded(recipe: Recipe, space: SearchSpace) -> dict[str, Any]:
    """What a trial records of its recipe: the settings that vary, and the epochs."""
    values = {"augment": recipe.deformations is not None, **recipe.readable_fields}
    names = [*(name for name in space if name != "epochs"), "epochs"]
    return {name: list(values[name]) if isinstance(values[name], tuple) else values[name] for name in names}


def _train(recipe: Recipe, dataset: Dataset, seed: int, on_batch: Callable[[int, int], None]) -> tuple[FoldResult, int]:
    """Train once: the result and the number of parameters; the same but for the seconds for the same arguments."""
    import_keras().utils.clear_session()
    fix_seed(seed)
    model = network.build(recipe.arch, recipe.hidden, activation=recipe.activation, dropout=recipe.dropout)
    images, started = len(dataset.validation), time.monotonic()
    try:
        fitted = fit(model, recipe, dataset, seed=seed, hooks=FitHooks(on_batch=on_batch))
        right = round(fitted.history[-1].validation_accuracy * images)
    except ModelInvalid:  # diverged, which the table says; the oracle tries other settings next
        right = None
    seconds = round(time.monotonic() - started, 1)
    return FoldResult(right=right, images=images, seconds=seconds), model.count_params()
