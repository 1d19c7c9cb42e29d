"""The hyperparameters that a search tries, and Keras Tuner's oracles, which only this module knows.

An oracle proposes settings and is told their results. All of its randomness comes from the seed, so one that has
replayed the earlier trials continues as if it had never stopped.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from job.errors import InternalError
from job.storage import translated_errors
from job.train.backend import import_keras
from job.train.fit.recipe import Recipe
from job.train.scratch import scratch_folder
from job.train.train_settings import SearchMethod

# Minimum and maximum, or every value.
DEPTHS: Final = (1, 4)
WIDTHS: Final = (32, 64, 128, 256, 512)
MAX_DROPOUT: Final = 0.5
DROPOUT_STEP: Final = 0.05
LEARNING_RATES: Final = (1e-4, 1e-2)
BATCH_SIZES: Final = (32, 64, 128, 256)
# Random trials before Bayesian optimisation starts to model the space: about two for each of its five dimensions.
_INITIAL_TRIALS: Final = 8
_ACCURACY: Final = "accuracy"
_TUNER: Final = "digit-job"


@dataclass(frozen=True)
class Proposal:
    """Settings to try. values: JSON values by the oracle's names."""

    values: Mapping[str, Any]

    @property
    def epochs(self) -> int | None:
        """Length of the training; None: the recipe's."""
        return self.values.get("tuner/epochs")

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with these settings, rounded to a few digits."""
        values = self.values
        return replace(
            recipe,
            hidden=(values["width"],) * values["depth"],
            dropout=round(values["dropout"], 2),
            learning_rate=float(f"{values['learning_rate']:.3g}"),
            batch_size=values["batch_size"],
            epochs=self.epochs or recipe.epochs,
        )


class Oracle:
    """Proposes settings one after another; made by `oracle_of`."""

    def __init__(self, method: SearchMethod, folder: str, *, epochs: int, trials: int, seed: int) -> None:
        """folder: a local one, for temporary files. epochs: of a full training. trials: maximum number."""
        self._oracle = _oracle(method, epochs, trials, seed)
        # Keras Tuner's own loop does this, but it also catches errors that must end a command, and prints.
        self._oracle._set_project_dir(folder, "oracle")  # noqa: SLF001
        self._oracle.verbose = 0
        self._trial: Any = None

    def propose(self) -> Proposal | None:
        """The next settings to try; None after the last trial, or where the space is exhausted."""
        with _without_warnings():
            self._trial = self._oracle.create_trial(_TUNER)
        return Proposal(dict(self._trial.hyperparameters.values)) if self._trial.status == "RUNNING" else None

    def report(self, accuracy: float | None) -> None:
        """Give the result of the last proposal, in 0-1; None if training diverged."""
        with _without_warnings():
            if accuracy is not None:
                self._oracle.update_trial(self._trial.trial_id, {_ACCURACY: accuracy})
            self._trial.status = "FAILED" if accuracy is None else "COMPLETED"
            self._oracle.end_trial(self._trial)

    def replay(self, values: Mapping[str, Any], accuracy: float | None) -> None:
        """Repeat an earlier proposal and its result; for all of them in order, before anything new is proposed."""
        if self.propose() is None:
            raise InternalError("a search proposes fewer trials than it did before")
        # Another version of a library may propose something else; the result belongs to what was tried then.
        self._trial.hyperparameters.values = dict(values)
        self.report(accuracy)


@contextmanager
def oracle_of(method: SearchMethod, *, epochs: int, trials: int, seed: int) -> Iterator[Oracle]:
    """An oracle with a temporary folder, which is deleted after the block."""
    with scratch_folder() as folder, translated_errors(str(folder)):
        yield Oracle(method, str(folder), epochs=epochs, trials=trials, seed=seed)


def _oracle(method: SearchMethod, epochs: int, trials: int, seed: int) -> Any:
    import_keras()
    with _without_warnings():
        import keras_tuner
    common = {
        "objective": keras_tuner.Objective(_ACCURACY, "max"),
        "hyperparameters": _add_dimensions(keras_tuner.HyperParameters()),
        # Keras Tuner replaces a seed of 0 by a random one.
        "seed": seed + 1,
        "max_consecutive_failed_trials": trials + 1,
    }
    oracles = keras_tuner.oracles
    if method == "random":
        return oracles.RandomSearchOracle(max_trials=trials, **common)
    if method == "bayesian":
        return oracles.BayesianOptimizationOracle(max_trials=trials, num_initial_points=_INITIAL_TRIALS, **common)
    oracle = oracles.HyperbandOracle(max_epochs=epochs, hyperband_iterations=None, **common)
    oracle.max_trials = trials
    return oracle


def _add_dimensions(space: Any) -> Any:
    space.Int("depth", *DEPTHS)
    space.Choice("width", WIDTHS)
    space.Float("dropout", 0, MAX_DROPOUT, step=DROPOUT_STEP)
    space.Float("learning_rate", *LEARNING_RATES, sampling="log")
    space.Choice("batch_size", BATCH_SIZES)
    return space


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Ignore warnings that Keras Tuner causes with newer versions of Python and scikit-learn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
