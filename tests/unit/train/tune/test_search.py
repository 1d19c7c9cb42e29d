import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from support.files import Digits, write_csv, write_idx
from support.training_data import load

from job.cli.settings_file import read_settings
from job.errors import DataError, ModelInvalid, OutputOccupied, Terminated, UsageError
from job.settings import ReadSettings
from job.storage import LocalStorage
from job.train.train_settings import DataSettings, TuneSettings
from job.train.tune import search as search_module
from job.train.tune.search import tune
from job.train.tune.space_syntax import NAMES


def _tune(settings, storage, on_progress=lambda _done, _total: None):
    return tune(settings, storage, mnist_dir=None, on_progress=on_progress)


def _without_seconds(trials):
    trials = [asdict(each) for each in trials]
    return [{**each, "folds": [{**fold, "seconds": 0} for fold in each["folds"]]} for each in trials]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Three hundred of scikit-learn's digits as a file."""
    images = load(LocalStorage(), "digits", seed=1, validation_share=0.3).train
    chosen = images.rows(np.arange(300))
    return str(write_csv(tmp_path_factory.mktemp("data") / "train.csv", Digits(chosen.pixels, chosen.labels)))


@pytest.fixture(scope="session")
def quick_search(tmp_path_factory, data):
    """A quick search."""
    folder = tmp_path_factory.mktemp("searches")
    return TuneSettings(
        DataSettings((data,)), str(folder / "search"), trials=3, search="random", epochs=2, recipe="baseline"
    )


@pytest.fixture(scope="session")
def searched(quick_search):
    """An uninterrupted search, and the progress that it reported; treat as read-only."""
    progress = []
    result = _tune(quick_search, LocalStorage(), lambda done, total: progress.append((done, total)))
    return result, progress


def test_a_search_ends_with_a_table_and_the_best_settings(storage, quick_search, searched):
    """The default is tried first, for as many epochs; the best settings go into a file for `train --settings`."""
    result, progress = searched
    assert [each.number for each in result.trials] == [0, 1, 2, 3]
    assert result.default.settings["hidden"] == [128, 128, 128]
    assert {each.epochs for each in result.trials} == {2}
    assert result.best.right == max(each.right for each in result.trials)
    assert result.rated_images == 24
    assert result.best.accuracy == pytest.approx(result.best.right / 24)
    best = json.loads(storage.read(result.path))
    varied = {name: value for name, value in result.best.settings.items() if name != "epochs"}
    assert best == {"recipe": "baseline", "arch": "dense", **varied}
    flags = ["recipe", "arch", "hidden", "dropout", "learning-rate", "batch-size", "epochs"]
    assert set(read_settings(storage, result.path, flags)) == set(flags) - {"epochs"}
    assert storage.list(quick_search.output) == ["best.json", "search.html", "search.json", "trials.csv"]
    assert len(result.table.splitlines()) == 5
    assert progress == sorted(progress)
    assert progress[-1] == (4000, 4000)


def _pretending(monkeypatch):
    """Replaces `_train`: results that depend on recipe and images alone; returns the list of what was trained."""
    trained = []

    def train(recipe, dataset, _seed, on_batch):
        trained.append(recipe)
        images = len(dataset.validation)
        for batch in range(3):
            on_batch(batch + 1, 3)
        key = f"{recipe} {dataset.validation.labels.tolist()}"
        return {"right": sum(key.encode()) % images, "images": images, "seconds": 0.5}, sum(recipe.hidden)

    monkeypatch.setattr(search_module, "_train", train)
    return trained


@pytest.mark.parametrize(
    ("changes", "stopped_in"), [({}, 2), ({"folds": 2}, 3), ({"search": "grid", "folds": 3, "trials": None}, 8)]
)
def test_a_stopped_search_ends_as_an_uninterrupted_one(
    storage, tmp_path, quick_search, monkeypatch, changes, stopped_in
):
    """The interrupted training is repeated, and no earlier one; also in the middle of a trial of several folds."""
    trained = _pretending(monkeypatch)
    whole = _tune(replace(quick_search, output=str(tmp_path / "whole"), **changes), storage)
    total = len(trained)
    trained.clear()
    settings = replace(quick_search, output=str(tmp_path / "search"), **changes)

    def stop(done, _total):
        if done > 1000 * stopped_in:
            raise Terminated("terminated")

    with pytest.raises(Terminated):
        _tune(settings, storage, stop)
    kept = json.loads(storage.read(f"{settings.output}/search.json"))["trials"]
    assert sum(len(each["folds"]) for each in kept) == stopped_in
    assert storage.list(settings.output) == ["search.json"]
    result = _tune(settings, storage)
    assert result.trials == whole.trials
    assert len(trained) == total + 1
    for name in ("trials.csv", "best.json"):
        assert storage.read(f"{settings.output}/{name}") == storage.read(f"{tmp_path}/whole/{name}")


def test_a_repeated_training_has_the_same_result(storage, tmp_path, quick_search, searched):
    """So that a search that was stopped, or is repeated elsewhere, has the same table."""
    again = _tune(replace(quick_search, output=str(tmp_path / "again"), trials=1), storage)
    assert _without_seconds(again.trials) == _without_seconds(searched[0].trials[:2])


def test_a_finished_search_trains_nothing_again(storage, tmp_path, quick_search, monkeypatch):
    """It returns the same result, also for fewer trials; for more trials, it continues, and the page has them."""
    trained = _pretending(monkeypatch)
    settings = replace(quick_search, output=str(tmp_path / "search"))
    first = _tune(settings, storage)
    trained.clear()
    assert _tune(settings, storage) == first
    assert _tune(replace(settings, trials=2), storage).trials == first.trials
    assert not trained
    result = _tune(replace(settings, trials=5), storage)
    assert len(trained) == 2
    assert result.trials[:4] == first.trials
    assert b"Best of 6 trials" in storage.read(f"{settings.output}/search.html")


def test_a_grid_tries_every_combination_in_every_fold(storage, tmp_path, quick_search, monkeypatch, caplog):
    """The recipe's own settings, which are in this grid, are not tried twice; what is trained is said before."""
    trained = _pretending(monkeypatch)
    caplog.set_level("INFO", logger="job")
    space = {"dropout": (0.0, 0.2), "batch-size": (32, 64)}
    settings = replace(quick_search, output=str(tmp_path), search="grid", folds=2, trials=None, space=space)
    result = _tune(settings, storage)
    assert len(result.trials) == 4
    assert len(trained) == 8
    assert {(each.settings["dropout"], each.settings["batch-size"]) for each in result.trials} == {
        (0.0, 64), (0.0, 32), (0.2, 32), (0.2, 64),
    }  # fmt: skip
    assert all(len(each.folds) == 2 and each.images == 240 for each in result.trials)
    plan = "grid search: 3 trials and the recipe's own settings: 8 trainings of at most 2 epochs"
    assert plan in caplog.text
    assert "240 training images in 2 folds" in caplog.text
    assert json.loads(storage.read(result.path)).keys() == {"recipe", "arch", "dropout", "batch-size"}


def test_a_convolutional_network_is_searched_for(storage, tmp_path, quick_search, monkeypatch):
    """The best settings say so; without hidden layers, as a word that the flag takes."""
    _pretending(monkeypatch)
    space = {"hidden": ((),), "learning-rate": (0.001, 0.01)}
    settings = replace(quick_search, output=str(tmp_path), arch="cnn", search="grid", trials=None, space=space)
    best = json.loads(storage.read(_tune(settings, storage).path))
    assert (best["arch"], best["hidden"]) == ("cnn", "none")


def test_every_setting_of_train_can_vary(storage, tmp_path, quick_search, monkeypatch):
    """The table has all of them, and the file for `train` has values that its flags take."""
    _pretending(monkeypatch)
    choices = {
        "hidden": ((64,),), "activation": ("tanh",), "dropout": (0.1,), "epochs": (3,), "batch-size": (32,),
        "optimizer": ("adamw",), "learning-rate": (0.01,), "weight-decay": (0.2,), "class-weights": ("balanced",),
        "augment": (True,),
    }  # fmt: skip
    assert set(choices) == set(NAMES)
    settings = replace(quick_search, output=str(tmp_path), search="grid", trials=None, space=choices)
    result = _tune(settings, storage)
    default, trial = result.trials
    assert list(default.setting_texts.values()) == [
        "128-128-128", "relu", "0", "64", "adam", "0.001", "0", "none", "false", "2",
    ]  # fmt: skip
    assert list(trial.setting_texts.values()) == [
        "64", "tanh", "0.1", "32", "adamw", "0.01", "0.2", "balanced", "true", "3",
    ]  # fmt: skip
    written = read_settings(storage, result.path, [*NAMES, "recipe", "arch"])
    assert set(written) == {*NAMES, "recipe", "arch"}


def test_a_digit_with_fewer_images_than_folds_is_refused(storage, tmp_path, quick_search):
    """Before any training; all training images count, none is held out besides."""
    with pytest.raises(DataError, match=r"training images of the digit \d, expected at least 40 for --folds 40"):
        _tune(replace(quick_search, output=str(tmp_path / "out"), folds=40), storage)
    assert storage.list(str(tmp_path)) == []


def test_a_space_that_does_not_fit_is_refused_before_anything_is_read(storage, tmp_path, quick_search):
    """Not even the data."""
    settings = replace(quick_search, data=DataSettings(("/missing.csv",)), output=str(tmp_path / "out"))
    with pytest.raises(UsageError, match="search space: --dropout 2"):
        _tune(replace(settings, space={"dropout": (2.0,)}), storage)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed: 1 then, 2 now"),
        ({"epochs": 3}, "epochs: 2 then, 3 now"),
        ({"search": "bayesian"}, "search: random then, bayesian now"),
        ({"data": DataSettings(("digits",))}, "data: "),
        ({"folds": 2}, "folds: 1 then, 2 now"),
        ({"arch": "cnn"}, "arch: dense then, cnn now"),
        ({"space": {"dropout": (0.1, 0.2)}}, r"space of dropout: \{'min': 0.0, .*\} then, \[0.1, 0.2\] now"),
    ],
)
def test_another_search_is_refused(storage, quick_search, searched, change, named):
    """Before any training; the error names the difference."""
    assert searched
    with pytest.raises(OutputOccupied, match=rf"belongs to another search \(.*{named}"):
        _tune(replace(quick_search, **change), storage)


def test_a_file_of_test_images_is_not_opened(tmp_path, data, monkeypatch):
    """Not even its first bytes; and the training images are those of `train`."""
    images = load(LocalStorage(), data, seed=1, validation_share=0.5).train
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx", Digits(images.pixels, images.labels), prefix="train")
    write_idx(tmp_path / "idx", Digits(np.roll(images.pixels, 1, axis=1), images.labels))

    class Watched(LocalStorage):
        def open(self, path):
            assert "t10k" not in path
            return super().open(path)

        def read(self, path):
            assert "t10k" not in path
            return super().read(path)

    source = str(tmp_path / "idx")
    with_test = load(LocalStorage(), source, seed=1, validation_share=0.2)
    without = load(Watched(), source, seed=1, validation_share=0.2, has_test=False)
    assert len(without.test) == 0
    assert len(with_test.test) == len(images)
    for one, other in ((with_test.train, without.train), (with_test.validation, without.validation)):
        assert np.array_equal(one.pixels, other.pixels)
    _pretending(monkeypatch)
    settings = TuneSettings(
        DataSettings((source,), validation_share=0.2), str(tmp_path / "out"), 1, "random", 1, "baseline"
    )
    assert len(_tune(settings, Watched()).trials) == 2


def test_held_out_test_images_are_not_used(storage, data):
    """For data without test images of its own, `tune` has the training images of `train` with the same seed."""
    with_test = load(storage, data, seed=3, validation_share=0.2)
    without = load(storage, data, seed=3, validation_share=0.2, has_test=False)
    assert len(without.test) == 0
    assert np.array_equal(with_test.train.pixels, without.train.pixels)
    assert np.array_equal(with_test.validation.labels, without.validation.labels)


def _diverging(diverges):
    original = search_module.fit

    def fit(model, recipe, *arguments, **named):
        if diverges(recipe):
            raise ModelInvalid("training diverged")
        return original(model, recipe, *arguments, **named)

    return fit


def test_settings_that_diverge_are_marked_in_the_table(storage, tmp_path, quick_search, monkeypatch):
    """The search continues; if no trial is better than the default, its settings are the best."""
    monkeypatch.setattr(search_module, "fit", _diverging(lambda recipe: recipe.hidden != (128, 128, 128)))
    result = _tune(replace(quick_search, output=str(tmp_path), trials=2), storage)
    assert [each.accuracy is None for each in result.trials] == [False, True, True]
    assert result.best == result.default
    assert "no trial was better" in result.conclusion[0]
    assert json.loads(storage.read(result.path))["hidden"] == [128, 128, 128]
    assert result.table.count("diverged") == 2


def test_a_search_whose_trials_all_diverge_fails(storage, tmp_path, quick_search, monkeypatch):
    """It writes no best settings."""
    monkeypatch.setattr(search_module, "fit", _diverging(lambda _recipe: True))
    with pytest.raises(ModelInvalid, match="training diverged with all 3 settings"):
        _tune(replace(quick_search, output=str(tmp_path), trials=2), storage)
    assert storage.list(str(tmp_path)) == ["search.json"]


def test_the_conclusion_names_the_next_step(searched):
    """Three lines: the default, the best, and the file of settings."""
    result, _ = searched
    fold = {"right": 24, "images": 24, "seconds": 1.0}
    better = replace(result, best=replace(result.trials[2], folds=[fold]))
    default, best, settings = better.conclusion
    assert default.startswith("Default:  ")
    assert "of 24 validation images after 2 epochs" in default
    assert "100.00 % after 2 (trial 2)" in best
    assert settings == f"Settings: {result.path}, for `digit-job train --settings`"


def test_the_next_step_has_the_flags_of_the_search(searched):
    """That say how the data is read and split."""
    read = ReadSettings("digit", scale="1", is_transposed=True, is_inverted=True)
    data = DataSettings(("a b.csv", "c.csv"), read, test_share=0.3, validation_share=0.2)
    result = replace(searched[0], sources=data.sources, path="out/best.json")
    command = replace(result, settings=replace(result.settings, data=data, seed=7)).train_command
    assert command == (
        "digit-job train --data 'a b.csv' --data c.csv --settings out/best.json --test-split 0.3 "
        "--validation-split 0.2 --seed 7 --label-column digit --scale 1 --transpose --invert"
    )
