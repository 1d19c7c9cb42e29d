"""Oracles: they propose settings from a search space, one after another, and are told the results.

A grid is scikit-learn's; the other searches are Keras Tuner's, which only this module knows. All randomness comes from
the seed, so an oracle that has replayed the earlier trials continues as if it had never stopped.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from job.errors import InternalError
from job.storage import translated_errors
from job.train.backend import import_keras
from job.train.scratch import scratch_folder
from job.train.train_settings import Range, SearchMethod, SearchSpace

# Random trials before Bayesian optimisation starts to model the space, for each of its dimensions.
_INITIAL_TRIALS_PER_DIMENSION: Final = 2
# Settings from a range have this many significant digits.
_DIGITS: Final = 3
_ACCURACY: Final = "accuracy"
_EPOCHS: Final = "tuner/epochs"
_TUNER: Final = "digit-job"


@dataclass(frozen=True)
class Proposal:
    """Settings to try, by flag of `train`. values: how the oracle calls them, JSON values for its replay."""

    settings: Mapping[str, Any]
    values: Mapping[str, Any]


class Oracle(Protocol):
    """Proposes settings, learns their results, and can repeat both."""

    def propose(self) -> Proposal | None:
        """The next settings to try; None after the last trial, or where the space is exhausted."""
        ...

    def report(self, accuracy: float | None) -> None:
        """Give the result of the last proposal, in 0-1; None if training diverged."""
        ...

    def replay(self, values: Mapping[str, Any], accuracy: float | None) -> None:
        """Repeat an earlier proposal and its result; for all of them in order, before anything new is proposed."""
        ...


def combinations(space: SearchSpace) -> list[dict[str, Any]]:
    """Every combination of a space without ranges, in the order of scikit-learn's ParameterGrid."""
    from sklearn.model_selection import ParameterGrid

    return list(ParameterGrid(dict(space)))


class GridOracle:
    """Proposes the given combinations, whatever their results."""

    def __init__(self, settings: Sequence[Mapping[str, Any]]) -> None:
        self._left = iter(settings)

    def propose(self) -> Proposal | None:
        """See Oracle."""
        settings = next(self._left, None)
        return None if settings is None else Proposal(settings, {})

    def report(self, accuracy: float | None) -> None:
        """See Oracle."""

    def replay(self, values: Mapping[str, Any], accuracy: float | None) -> None:
        """See Oracle."""
        del values, accuracy
        if self.propose() is None:
            raise InternalError("a grid has fewer combinations than before")


class KerasTunerOracle:
    """One of Keras Tuner's oracles; made by `keras_tuner_oracle`."""

    def __init__(self, oracle: Any, space: SearchSpace, folder: str) -> None:
        """folder: a local one, for temporary files."""
        self._oracle, self._space = oracle, space
        # Keras Tuner's own loop does this, but it also catches errors that must end a command, and prints.
        oracle._set_project_dir(folder, "oracle")  # noqa: SLF001
        oracle.verbose = 0
        self._trial: Any = None

    def propose(self) -> Proposal | None:
        """See Oracle."""
        with _without_warnings():
            self._trial = self._oracle.create_trial(_TUNER)
        if self._trial.status != "RUNNING":
            return None
        values = dict(self._trial.hyperparameters.values)
        return Proposal(_settings(self._space, values), values)

    def report(self, accuracy: float | None) -> None:
        """See Oracle."""
        with _without_warnings():
            if accuracy is not None:
                self._oracle.update_trial(self._trial.trial_id, {_ACCURACY: accuracy})
            self._trial.status = "FAILED" if accuracy is None else "COMPLETED"
            self._oracle.end_trial(self._trial)

    def replay(self, values: Mapping[str, Any], accuracy: float | None) -> None:
        """See Oracle."""
        if self.propose() is None:
            raise InternalError("a search proposes fewer trials than it did before")
        # Another version of a library may propose something else; the result belongs to what was tried then.
        self._trial.hyperparameters.values = dict(values)
        self.report(accuracy)


@contextmanager
def keras_tuner_oracle(
    method: SearchMethod, space: SearchSpace, *, epochs: int, trials: int, seed: int
) -> Iterator[KerasTunerOracle]:
    """An oracle with a temporary folder, which is deleted after the block.

    epochs: of a full training. trials: maximum number.
    """
    with scratch_folder() as folder, translated_errors(str(folder)):
        yield KerasTunerOracle(_oracle(method, space, epochs, trials, seed), space, str(folder))


def _settings(space: SearchSpace, values: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras Tuner's values mean: an index for each list of choices; hyperband also decides on the epochs."""
    settings = {
        name: _rounded(each, values[name]) if isinstance(each, Range) else each[values[name]]
        for name, each in space.items()
    }
    return settings | ({"epochs": values[_EPOCHS]} if _EPOCHS in values else {})


def _rounded(found: Range, value: float) -> float:
    """The value as few digits write it, within its range."""
    if found.is_whole:
        return int(value)
    return min(found.high, max(found.low, float(f"{value:.{_DIGITS}g}")))


def _oracle(method: SearchMethod, space: SearchSpace, epochs: int, trials: int, seed: int) -> Any:
    import_keras()
    with _without_warnings():
        import keras_tuner
    common = {
        "objective": keras_tuner.Objective(_ACCURACY, "max"),
        "hyperparameters": _dimensions(keras_tuner.HyperParameters(), space),
        # Keras Tuner replaces a seed of 0 by a random one.
        "seed": seed + 1,
        "max_consecutive_failed_trials": trials + 1,
    }
    oracles = keras_tuner.oracles
    if method == "random":
        return oracles.RandomSearchOracle(max_trials=trials, **common)
    if method == "bayesian":
        initial = _INITIAL_TRIALS_PER_DIMENSION * len(space)
        return oracles.BayesianOptimizationOracle(max_trials=trials, num_initial_points=initial, **common)
    oracle = oracles.HyperbandOracle(max_epochs=epochs, hyperband_iterations=None, **common)
    oracle.max_trials = trials
    return oracle


def _dimensions(found: Any, space: SearchSpace) -> Any:
    """Keras Tuner's hyperparameters for a space: choices by index, because its own cannot be lists."""
    for name, values in space.items():
        if not isinstance(values, Range):
            found.Choice(name, list(range(len(values))))
        else:
            add = found.Int if values.is_whole else found.Float
            add(name, values.low, values.high, sampling="log" if values.is_log else "linear")
    return found


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Ignore warnings that Keras Tuner causes with newer versions of Python and scikit-learn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
