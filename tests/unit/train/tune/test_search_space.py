from typing import get_args

import pytest
from threadpoolctl import threadpool_limits

from job.errors import InternalError
from job.train.fit.recipe import RECIPES
from job.train.train_settings import SearchMethod
from job.train.tune.search_space import BATCH_SIZES, DEPTHS, LEARNING_RATES, MAX_DROPOUT, WIDTHS, oracle_of

METHODS = get_args(SearchMethod)
# Bayesian optimisation takes seconds for each trial after the first eight, which are random.
TRIALS = {"hyperband": 12, "random": 12, "bayesian": 9}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """The matrices are so small that the threads of a BLAS library would wait for each other most of the time."""
    with threadpool_limits(1):
        yield


def _accuracy(proposal):
    """One maximum, and a corner where training diverges."""
    values = proposal.values
    if values["width"] == 32 and values["depth"] == 4:
        return None
    return 0.9 - abs(values["dropout"] - 0.2) - abs(values["depth"] - 2) / 10 - values["learning_rate"]


def _search(method, *, known=(), trials=None, seed=1):
    """All trials of a search, (values, accuracy), of which the known ones are replayed."""
    found = list(known)
    with oracle_of(method, epochs=9, trials=trials or TRIALS[method], seed=seed) as oracle:
        for values, accuracy in known:
            oracle.replay(values, accuracy)
        while (proposal := oracle.propose()) is not None:
            found.append((dict(proposal.values), _accuracy(proposal)))
            oracle.report(found[-1][1])
    return found


@pytest.fixture(scope="module")
def searches():
    return {method: _search(method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_it_proposes_the_given_number_of_trials_within_the_space(searches, method):
    """No two are equal, except for their number of epochs."""
    found = searches[method]
    assert len(found) == TRIALS[method]
    for values, _ in found:
        assert DEPTHS[0] <= values["depth"] <= DEPTHS[1]
        assert values["width"] in WIDTHS
        assert values["batch_size"] in BATCH_SIZES
        assert 0 <= values["dropout"] <= MAX_DROPOUT
        assert LEARNING_RATES[0] <= values["learning_rate"] <= LEARNING_RATES[1]
    names = ("depth", "width", "dropout", "learning_rate", "batch_size", "tuner/epochs")
    assert len({tuple(values.get(name) for name in names) for values, _ in found}) == TRIALS[method]


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
    first = [accuracy for values, accuracy in searches["hyperband"] if values["tuner/round"] == 0]
    later = [values for values, _ in searches["hyperband"] if values["tuner/round"] > 0]
    assert {values["tuner/epochs"] for values, _ in searches["hyperband"]} <= {1, 3, 9}
    assert later
    promoted = searches["hyperband"][int(later[0]["tuner/trial_id"])][1]
    assert promoted == max(each for each in first if each is not None)


def test_a_bayesian_search_learns_from_its_trials(searches):
    """Its first trial that is not random is better than that of a random search."""
    bayesian, random = (searches[method][8][1] for method in ("bayesian", "random"))
    assert bayesian > random


def test_a_proposal_changes_nothing_else_in_the_recipe(searches):
    """Its numbers are rounded to a few digits."""
    recipe = RECIPES["accurate"]
    with oracle_of("hyperband", epochs=9, trials=1, seed=1) as oracle:
        changed = oracle.propose().applied_to(recipe)
    values = searches["hyperband"][0][0]
    assert changed.hidden == (values["width"],) * values["depth"]
    assert changed.learning_rate == pytest.approx(values["learning_rate"], rel=0.005)
    assert len(f"{changed.learning_rate:g}") <= len("0.000123")
    assert changed.epochs == values["tuner/epochs"] == 1
    assert (changed.deformations, changed.optimizer, changed.weight_decay) == (
        recipe.deformations, recipe.optimizer, recipe.weight_decay,
    )  # fmt: skip


def test_a_random_search_leaves_the_epochs_to_the_recipe():
    """Only hyperband changes them."""
    with oracle_of("random", epochs=9, trials=1, seed=1) as oracle:
        assert oracle.propose().applied_to(RECIPES["baseline"]).epochs == RECIPES["baseline"].epochs


def test_replaying_more_trials_than_there_are_is_a_defect(searches):
    """The caller replays at most the number that it asks for."""
    with oracle_of("random", epochs=9, trials=1, seed=1) as oracle:
        oracle.replay(*searches["random"][0])
        with pytest.raises(InternalError):
            oracle.replay(*searches["random"][1])
