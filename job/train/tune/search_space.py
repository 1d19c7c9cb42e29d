"""Where a search looks for better settings, and in which order: Keras Tuner's oracles, of which only this module knows.

An oracle proposes settings and is told how well they did. It draws from its seed alone, so that one which is told again
what was found goes on as if it had never stopped.
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

DEPTHS: Final = (1, 4)
WIDTHS: Final = (32, 64, 128, 256, 512)
MOST_DROPOUT: Final = 0.5
DROPOUT_STEP: Final = 0.05
LEARNING_RATES: Final = (1e-4, 1e-2)
BATCH_SIZES: Final = (32, 64, 128, 256)
# Before Bayesian optimisation has a picture of the space, it draws at random: about two trials for each of the five.
_FIRST_TRIALS: Final = 8
_ACCURACY: Final = "accuracy"
_TUNER: Final = "digit-job"


@dataclass(frozen=True)
class Proposal:
    """Settings to try. values: as the oracle has them, JSON's. epochs: how long to train, where the oracle cares."""

    values: Mapping[str, Any]

    @property
    def epochs(self) -> int | None:
        """How long to train; None: as long as any."""
        return self.values.get("tuner/epochs")

    def applied_to(self, recipe: Recipe) -> Recipe:
        """The recipe with these settings."""
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
    """Proposes one set of settings after the other."""

    def __init__(self, method: SearchMethod, folder: str, *, epochs: int, trials: int, seed: int) -> None:
        """folder: of this machine, for files that nobody needs afterwards. epochs: of a whole training."""
        self._oracle = _oracle(method, epochs, trials, seed)
        # Keras Tuner's own loop does the same; it would catch the errors that end a command, and print.
        self._oracle._set_project_dir(folder, "oracle")  # noqa: SLF001
        self._oracle.verbose = 0
        self._trial: Any = None

    def propose(self) -> Proposal | None:
        """The next settings to try; None if there are enough, or no others in the space."""
        with _quietly():
            self._trial = self._oracle.create_trial(_TUNER)
        return Proposal(dict(self._trial.hyperparameters.values)) if self._trial.status == "RUNNING" else None

    def tell(self, accuracy: float | None) -> None:
        """How well the last proposal did, in 0-1; None if training failed."""
        with _quietly():
            if accuracy is not None:
                self._oracle.update_trial(self._trial.trial_id, {_ACCURACY: accuracy})
            self._trial.status = "FAILED" if accuracy is None else "COMPLETED"
            self._oracle.end_trial(self._trial)

    def tell_again(self, values: Mapping[str, Any], accuracy: float | None) -> None:
        """What was proposed and found before; in the same order as then, before anything new is proposed."""
        if self.propose() is None:
            raise InternalError("a search proposes fewer trials than it did before")
        # Libraries of another version may propose something else; what was found is of what was tried.
        self._trial.hyperparameters.values = dict(values)
        self.tell(accuracy)


def _oracle(method: SearchMethod, epochs: int, trials: int, seed: int) -> Any:
    import_keras()
    with _quietly():
        import keras_tuner
    common = {
        "objective": keras_tuner.Objective(_ACCURACY, "max"),
        "hyperparameters": _space(keras_tuner.HyperParameters()),
        # Of 0 it makes one of its own.
        "seed": seed + 1,
        "max_consecutive_failed_trials": trials + 1,
    }
    oracles = keras_tuner.oracles
    if method == "random":
        return oracles.RandomSearchOracle(max_trials=trials, **common)
    if method == "bayesian":
        return oracles.BayesianOptimizationOracle(max_trials=trials, num_initial_points=_FIRST_TRIALS, **common)
    oracle = oracles.HyperbandOracle(max_epochs=epochs, hyperband_iterations=None, **common)
    oracle.max_trials = trials
    return oracle


def _space(space: Any) -> Any:
    space.Int("depth", *DEPTHS)
    space.Choice("width", WIDTHS)
    space.Float("dropout", 0, MOST_DROPOUT, step=DROPOUT_STEP)
    space.Float("learning_rate", *LEARNING_RATES, sampling="log")
    space.Choice("batch_size", BATCH_SIZES)
    return space


@contextmanager
def oracle_of(method: SearchMethod, *, epochs: int, trials: int, seed: int) -> Iterator[Oracle]:
    """An oracle, for as long as the block lasts."""
    with scratch_folder() as folder, translated_errors(str(folder)):
        yield Oracle(method, str(folder), epochs=epochs, trials=trials, seed=seed)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what Keras Tuner's ways with newer versions of Python and scikit-learn are warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
