import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from support.files import Digits, write_csv, write_idx
from support.training_data import load

from job.cli.settings_file import read_settings
from job.errors import ModelInvalid, OutputOccupied, Terminated
from job.storage import LocalStorage
from job.train.train_settings import DataSettings, TuneSettings
from job.train.tune import search as search_module
from job.train.tune.search import tune


def _tune(settings, storage, on_progress=lambda _done, _total: None):
    return tune(settings, storage, mnist_dir=None, on_progress=on_progress)


def _without_seconds(trials):
    return [{**asdict(each), "seconds": 0} for each in trials]


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
    assert result.default.hidden == (128, 128, 128)
    assert {each.epochs for each in result.trials} == {2}
    assert result.best.right == max(each.right for each in result.trials)
    assert result.images == 24
    assert result.best.accuracy == pytest.approx(result.best.right / 24)
    best = json.loads(storage.read(result.path))
    assert best == {"recipe": "baseline", **result.best.settings}
    flags = ["recipe", "hidden", "dropout", "learning-rate", "batch-size", "epochs"]
    assert set(read_settings(storage, result.path, flags)) == set(flags) - {"epochs"}
    assert storage.list(quick_search.output) == ["best.json", "search.json", "trials.csv"]
    assert len(result.table.splitlines()) == 5
    assert progress == sorted(progress)
    assert progress[-1] == (4000, 4000)


def _train_only(number, trials):
    """`_train`, which trains for one of the given trials and takes the results of the others."""
    original = search_module._train
    known = {(each.hidden, each.learning_rate): each for each in trials if each.number != number}
    assert len(known) == len(trials) - 1

    def train(recipe, *arguments):
        return known.get((recipe.hidden, recipe.learning_rate)) or original(recipe, *arguments)

    return train


def test_a_stopped_search_ends_as_an_uninterrupted_one(storage, tmp_path, quick_search, searched, monkeypatch):
    """The interrupted trial is repeated, and no earlier one."""
    monkeypatch.setattr(search_module, "_train", _train_only(2, searched[0].trials))
    settings = replace(quick_search, output=str(tmp_path / "search"))

    def stop(done, _total):
        if done > 2000:
            raise Terminated("terminated")

    with pytest.raises(Terminated):
        _tune(settings, storage, stop)
    kept = json.loads(storage.read(f"{settings.output}/search.json"))["trials"]
    assert [each["number"] for each in kept] == [0, 1]
    assert storage.list(settings.output) == ["search.json"]
    result = _tune(settings, storage)
    assert _without_seconds(result.trials) == _without_seconds(searched[0].trials)
    assert [each.seconds for each in result.trials[:2]] == [each["seconds"] for each in kept]


def test_a_finished_search_trains_nothing_again(storage, quick_search, searched, monkeypatch):
    """It returns the same result, also for fewer trials; for more trials, it continues."""

    def never(*_arguments):
        raise AssertionError("trained again")

    with monkeypatch.context() as patched:
        patched.setattr(search_module, "_train", never)
        assert _tune(quick_search, storage) == searched[0]
        assert _tune(replace(quick_search, trials=2), storage).trials == searched[0].trials
    trained = []

    def pretend(recipe, *_arguments):
        trained.append(recipe)
        return replace(searched[0].trials[0], right=0, accuracy=0.0)

    monkeypatch.setattr(search_module, "_train", pretend)
    before = storage.read(f"{quick_search.output}/search.json")
    result = _tune(replace(quick_search, trials=5), storage)
    with storage.commit(f"{quick_search.output}/search.json") as file:
        file.write(before)
    assert len(trained) == 2
    assert result.trials[:4] == searched[0].trials


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"epochs": 3}, {"search": "bayesian"}, {"data": DataSettings(("digits",))}]
)
def test_another_search_is_refused(storage, quick_search, searched, change):
    """Before any training; the error names the difference."""
    assert searched
    with pytest.raises(OutputOccupied, match=rf"belongs to another search \(.*{next(iter(change))}: "):
        _tune(replace(quick_search, **change), storage)


def test_a_file_of_test_images_is_not_opened(tmp_path, data, searched, monkeypatch):
    """Not even its first bytes; and the training images are those of `train`."""
    images = load(LocalStorage(), data, seed=1, validation_share=0.5).train
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx", Digits(images.pixels, images.labels), prefix="train")
    write_idx(tmp_path / "idx", Digits(images.pixels, images.labels))

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
    monkeypatch.setattr(search_module, "_train", lambda *_arguments: searched[0].trials[0])
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
    better = replace(result, best=replace(result.trials[2], right=24, accuracy=1.0))
    default, best, settings = better.conclusion
    assert default.startswith("Default:  ")
    assert "of 24 validation images after 2 epochs" in default
    assert "100.00 % after 2 (trial 2)" in best
    assert settings == f"Settings: {result.path}, for `digit-job train --settings`"
