from typing import get_args

import pytest
from threadpoolctl import threadpool_limits

from job.errors import InternalError
from job.train.train_settings import DataSettings, Range, SearchMethod, TuneSettings
from job.train.tune.oracle import GridOracle, combinations, keras_tuner_oracle
from job.train.tune.search_space import default_space

METHODS = [each for each in get_args(SearchMethod) if each != "grid"]
# Bayesian optimisation takes seconds for each trial after the first eight, which are random.
TRIALS = {"hyperband": 12, "random": 12, "bayesian": 9}
SPACE = default_space(TuneSettings(DataSettings(), "search"))


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """The matrices are so small that the threads of a BLAS library would wait for each other most of the time."""
    with threadpool_limits(1):
        yield


def _accuracy(proposal):
    """One maximum, and a corner where training diverges."""
    settings = proposal.settings
    if settings["hidden"] == (32,) * 4:
        return None
    return 0.9 - abs(settings["dropout"] - 0.2) - abs(len(settings["hidden"]) - 2) / 10 - settings["learning-rate"]


def _search(method, *, known=(), trials=None, seed=2):
    """All trials of a search, (settings, values, accuracy), of which the known ones are replayed."""
    found = list(known)
    with keras_tuner_oracle(method, SPACE, epochs=9, trials=trials or TRIALS[method], seed=seed) as oracle:
        for _, values, accuracy in known:
            oracle.replay(values, accuracy)
        while (proposal := oracle.propose()) is not None:
            found.append((dict(proposal.settings), dict(proposal.values), _accuracy(proposal)))
            oracle.report(found[-1][2])
    return found


@pytest.fixture(scope="module")
def searches():
    return {method: _search(method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_it_proposes_the_given_number_of_trials_within_the_space(searches, method):
    """No two are equal, except for their number of epochs; numbers from a range have few digits."""
    found = searches[method]
    assert len(found) == TRIALS[method]
    for settings, _, _ in found:
        assert settings["hidden"] in SPACE["hidden"]
        assert settings["batch-size"] in SPACE["batch-size"]
        assert 0 <= settings["dropout"] <= 0.5
        assert 1e-4 <= settings["learning-rate"] <= 1e-2
        assert len(f"{settings['learning-rate']:g}") <= len("0.000123")
    assert len({tuple(settings.values()) for settings, _, _ in found}) == TRIALS[method]


@pytest.mark.parametrize(
    ("method", "stopped_after"), [*((each, 7) for each in METHODS), ("hyperband", 1), ("random", 12)]
)
def test_a_search_that_was_stopped_continues_as_if_it_had_not(searches, method, stopped_after):
    """After replaying its trials, it proposes what it would have proposed."""
    assert _search(method, known=searches[method][:stopped_after]) == searches[method]


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_the_proposals(searches, method):
    """A seed of 0, too."""
    assert _search(method, trials=3) == searches[method][:3]
    zero = _search(method, trials=3, seed=0)
    assert zero == _search(method, trials=3, seed=0)
    assert zero != searches[method][:3]


def test_hyperband_trains_the_better_settings_for_longer(searches):
    """With a third of the epochs at first; the promoted settings were better than the others."""
    first = [accuracy for _, values, accuracy in searches["hyperband"] if values["tuner/round"] == 0]
    later = [values for _, values, _ in searches["hyperband"] if values["tuner/round"] > 0]
    assert {settings["epochs"] for settings, _, _ in searches["hyperband"]} <= {1, 3, 9}
    assert later
    promoted = searches["hyperband"][int(later[0]["tuner/trial_id"])][2]
    assert promoted == max(each for each in first if each is not None)


def test_a_bayesian_search_learns_from_its_trials(searches):
    """Its first trial that is not random is better than that of a random search."""
    bayesian, random = (searches[method][8][2] for method in ("bayesian", "random"))
    assert bayesian > random


def test_only_hyperband_decides_on_the_epochs(searches):
    """The others leave them to the recipe, unless the space has them."""
    assert all("epochs" not in settings for settings, _, _ in searches["random"])
    with keras_tuner_oracle("random", {"epochs": Range(3, 5)}, epochs=9, trials=1, seed=1) as oracle:
        epochs = oracle.propose().settings["epochs"]
    assert type(epochs) is int
    assert 3 <= epochs <= 5


def test_a_small_space_is_exhausted():
    """A search that finds nothing new ends before its last trial."""
    space = {"augment": (True, False), "optimizer": ("sgd",)}
    with keras_tuner_oracle("random", space, epochs=9, trials=9, seed=1) as oracle:
        found = []
        while (proposal := oracle.propose()) is not None:
            found.append(proposal.settings)
            oracle.report(0.5)
    assert sorted(each["augment"] for each in found) == [False, True]
    assert {each["optimizer"] for each in found} == {"sgd"}


def test_replaying_more_trials_than_there_are_is_a_defect(searches):
    """The caller replays at most the number that it asks for."""
    with keras_tuner_oracle("random", SPACE, epochs=9, trials=1, seed=1) as oracle:
        oracle.replay(*searches["random"][0][1:])
        with pytest.raises(InternalError):
            oracle.replay(*searches["random"][1][1:])


def test_a_grid_has_every_combination_once():
    """In scikit-learn's order; a replay skips those that were tried."""
    found = combinations({"hidden": ((), (64, 64)), "dropout": (0.0, 0.2, 0.4)})
    assert len(found) == len({tuple(sorted(each.items())) for each in found}) == 6
    oracle = GridOracle(found)
    oracle.replay({}, 0.9)
    oracle.replay({}, None)
    left = []
    while (proposal := oracle.propose()) is not None:
        left.append(proposal.settings)
        oracle.report(0.5)
    assert left == found[2:]
    with pytest.raises(InternalError):
        oracle.replay({}, 0.5)
