"""A search's results, made without training."""

from job.train.train_settings import DataSettings, TuneSettings
from job.train.tune.search_trial import Trial
from job.train.tune.tune_result import TuneResult

SPACE = {"hidden": ((64,), (128, 128)), "learning-rate": (0.001, 0.003, 0.01)}


def make_trial(number, hidden, rate, *right):
    """A trial by the number of images classified correctly in each fold of two hundred; None: it diverged."""
    folds = [{"right": each, "images": 200, "seconds": 1.5} for each in right]
    return Trial(number, {"hidden": hidden, "learning-rate": rate, "epochs": 10}, 1000 + number, folds)


TRIALS = (
    make_trial(0, [128, 128, 128], 0.002, 184, 186),
    make_trial(1, [64], 0.001, 150, 160),
    make_trial(2, [64], 0.003, 180, 182),
    make_trial(3, [64], 0.01, 100, None),
    make_trial(4, [128, 128], 0.001, 185, 185),
    make_trial(5, [128, 128], 0.003, 190, 188),
    make_trial(6, [128, 128], 0.01, 170, 172),
)


def make_search(space=SPACE, trials=TRIALS, best=5, **settings):
    """The results of a grid of two settings, in two folds. best: the place of the best trial."""
    settings = {"search": "grid", "folds": 2, "recipe": "baseline", **settings}
    return TuneResult(
        TuneSettings(DataSettings(("in/a.csv",)), "search", space=space, **settings), space, trials, trials[best],
        ("in/a.csv",), None, 400, 400, "/out/search/best.json",
    )  # fmt: skip
