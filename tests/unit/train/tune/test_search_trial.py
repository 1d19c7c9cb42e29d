import csv
import io

import pytest

from job.train.tune.search_trial import Trial, as_csv, as_text, best_settings, ranked, ranks


def _trial(number, *right, parameters=1000, **settings):
    folds = [{"right": each, "images": 200, "seconds": 1.5} for each in right]
    changed = {"hidden": [64, 64], "learning-rate": 0.00123, "epochs": 10, **settings}
    return Trial(number, changed, parameters, folds)


TRIALS = [_trial(0, 150, 160), _trial(1, 190, None), _trial(2, 190, 180), _trial(3, 185, 185, parameters=900)]


def test_the_accuracy_is_the_mean_of_the_folds():
    """With the standard deviation that GridSearchCV reports; of one fold there is none."""
    assert TRIALS[2].accuracy == pytest.approx(0.925)
    assert TRIALS[2].deviation == pytest.approx(0.025)
    assert (TRIALS[2].right, TRIALS[2].images, TRIALS[2].seconds) == (370, 400, 3.0)
    assert TRIALS[2].result == "92.50 % (sd 2.50 %)"
    one = _trial(1, 190)
    assert (one.accuracy, one.deviation, one.result) == (0.95, None, "95.00 %")


def test_a_trial_with_a_diverging_fold_has_no_accuracy():
    """Whatever the other folds."""
    assert (TRIALS[1].accuracy, TRIALS[1].deviation, TRIALS[1].right) == (None, None, None)
    assert TRIALS[1].result == "diverged"


def test_the_best_come_first():
    """Ties: the smaller network, then the earlier trial. Those that diverged come last."""
    tied = _trial(4, 180, 190, parameters=900)
    assert [each.number for each in ranked([*TRIALS, tied])] == [3, 4, 2, 0, 1]
    assert ranks([*TRIALS, tied]) == {3: 1, 4: 1, 2: 1, 0: 4, 1: 5}


def test_the_table_has_every_figure():
    """A trial that diverged has no accuracy; the folds that it had are there."""
    rows = list(csv.DictReader(io.StringIO(as_csv(TRIALS).decode())))
    assert [row["trial"] for row in rows] == ["3", "2", "0", "1"]
    assert [row["rank"] for row in rows] == ["1", "1", "3", "4"]
    assert rows[1] == {
        "rank": "1", "trial": "2", "accuracy": "0.925", "accuracy_sd": "0.025", "accuracy_1": "0.95",
        "accuracy_2": "0.9", "right": "370", "images": "400", "hidden": "64-64", "learning_rate": "0.00123",
        "epochs": "10", "parameters": "1000", "seconds": "3.0",
    }  # fmt: skip
    assert (rows[3]["accuracy"], rows[3]["accuracy_1"], rows[3]["accuracy_2"]) == ("", "0.95", "")


def test_without_folds_the_table_has_one_accuracy():
    """Of the validation images."""
    header = as_csv([_trial(0, 150)]).decode().splitlines()[0]
    assert header == "rank,trial,accuracy,accuracy_sd,right,images,hidden,learning_rate,epochs,parameters,seconds"
    assert " sd " not in as_text([_trial(0, 150)])


def test_the_table_for_the_terminal_is_aligned():
    """Its lines have the same length, and the default is named."""
    lines = as_text(TRIALS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == [
        "rank",
        "trial",
        "accuracy",
        "sd",
        "hidden",
        "learning",
        "rate",
        "epochs",
        "parameters",
        "seconds",
    ]
    assert lines[1].split()[:6] == ["1", "3", "92.50", "%", "0.00", "%"]
    assert "default" in lines[3]
    assert "diverged" in lines[4]


def test_the_best_settings_are_those_that_varied():
    """No hidden layers are a word, because an empty list is no flag's value."""
    assert best_settings(TRIALS[2], ["hidden", "learning-rate"]) == {"hidden": [64, 64], "learning-rate": 0.00123}
    assert best_settings(_trial(1, 1, hidden=[]), ["hidden"]) == {"hidden": "none"}
