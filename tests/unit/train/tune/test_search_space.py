from typing import get_args

import pytest

from job.errors import InternalError
from job.train.fit.recipe import RECIPES
from job.train.train_settings import SearchMethod
from job.train.tune.search_space import BATCH_SIZES, DEPTHS, LEARNING_RATES, MOST_DROPOUT, WIDTHS, oracle_of

METHODS = get_args(SearchMethod)
# Bayesian optimisation takes seconds for each trial behind its first eight.
TRIALS = {"hyperband": 12, "random": 12, "bayesian": 10}


def _accuracy(proposal):
    """A landscape with one summit; a slope where training fails."""
    values = proposal.values
    if values["width"] == 32 and values["depth"] == 4:
        return None
    return 0.9 - abs(values["dropout"] - 0.2) - abs(values["depth"] - 2) / 10 - values["learning_rate"]


def _searched(method, *, known=(), trials=None, seed=1):
    """All trials of a search, (values, accuracy), of which the known ones are told instead of tried."""
    found = list(known)
    with oracle_of(method, epochs=9, trials=trials or TRIALS[method], seed=seed) as oracle:
        for values, accuracy in known:
            oracle.tell_again(values, accuracy)
        while (proposal := oracle.propose()) is not None:
            found.append((dict(proposal.values), _accuracy(proposal)))
            oracle.tell(found[-1][1])
    return found


@pytest.fixture(scope="module")
def searches():
    return {method: _searched(method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_it_proposes_as_many_as_asked_within_the_space(searches, method):
    """And not the same again, but for longer."""
    found = searches[method]
    assert len(found) == TRIALS[method]
    for values, _ in found:
        assert DEPTHS[0] <= values["depth"] <= DEPTHS[1]
        assert values["width"] in WIDTHS
        assert values["batch_size"] in BATCH_SIZES
        assert 0 <= values["dropout"] <= MOST_DROPOUT
        assert LEARNING_RATES[0] <= values["learning_rate"] <= LEARNING_RATES[1]
    names = ("depth", "width", "dropout", "learning_rate", "batch_size", "tuner/epochs")
    assert len({tuple(values.get(name) for name in names) for values, _ in found}) == TRIALS[method]


@pytest.mark.parametrize(
    ("method", "stopped_after"), [*((each, 7) for each in METHODS), ("hyperband", 1), ("random", 12)]
)
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not(searches, method, stopped_after):
    """Told again what was found, it proposes what it would have proposed."""
    assert _searched(method, known=searches[method][:stopped_after]) == searches[method]


@pytest.mark.parametrize("method", METHODS)
def test_seeds_decide(searches, method):
    """Nought is a seed, too."""
    assert _searched(method, trials=3) == searches[method][:3]
    zero = _searched(method, trials=3, seed=0)
    assert zero == _searched(method, trials=3, seed=0)
    assert zero != searches[method][:3]


def test_hyperband_trains_the_better_ones_for_longer(searches):
    """A third of the epochs first; who is promoted was better than who is not."""
    first = [accuracy for values, accuracy in searches["hyperband"] if values["tuner/round"] == 0]
    later = [values for values, _ in searches["hyperband"] if values["tuner/round"] > 0]
    assert {values["tuner/epochs"] for values, _ in searches["hyperband"]} <= {1, 3, 9}
    assert later
    promoted = searches["hyperband"][int(later[0]["tuner/trial_id"])][1]
    assert promoted == max(each for each in first if each is not None)


def test_bayesian_search_ends_up_higher_than_at_random(searches):
    """Its last trials, once it has a picture, are better in the mean."""
    means = {
        method: sum(accuracy or 0 for _, accuracy in searches[method][8:10]) / 2 for method in ("bayesian", "random")
    }
    assert means["bayesian"] > means["random"]


def test_a_proposal_changes_what_was_searched_for_and_nothing_else(searches):
    """In numbers that a person can write down."""
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
    """Only hyperband knows of them."""
    with oracle_of("random", epochs=9, trials=1, seed=1) as oracle:
        assert oracle.propose().applied_to(RECIPES["baseline"]).epochs == RECIPES["baseline"].epochs


def test_more_to_tell_than_there_are_trials_is_a_defect(searches):
    """The caller tells only as many as it asks for."""
    with oracle_of("random", epochs=9, trials=1, seed=1) as oracle:
        oracle.tell_again(*searches["random"][0])
        with pytest.raises(InternalError):
            oracle.tell_again(*searches["random"][1])
