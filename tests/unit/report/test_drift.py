import json

import numpy as np
import pytest
from support.files import make_digits

from job.report.appearance import Appearance
from job.report.drift import Distribution, drift, population_stability_index

NAMES = ["intensity", "ink", "predicted"]


def _digits_of(*counts):
    """A distribution of nothing but digits."""
    return Distribution(Appearance.zero(), np.array([*counts, *[0] * (10 - len(counts))]))


TRAINING = Distribution.of_labelled(make_digits(500).pixels, make_digits(500).labels)


def test_the_index_is_the_textbooks():
    """With so many rows that smoothing does not show: (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)."""
    expected = 0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    found = population_stability_index(np.array([50, 50]) * 10**9, np.array([60, 40]) * 10**9)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_same_shares_are_no_drift():
    """However many rows there are of each."""
    assert population_stability_index(np.array([300, 700]), np.array([3, 7])) == pytest.approx(0, abs=1e-6)


def test_nothing_has_no_index():
    """Nothing is neither alike nor different."""
    assert population_stability_index(np.array([300, 700]), np.array([0, 0])) is None


def test_smoothing_is_the_documented():
    """Half an image more in each bin of the training's; as many as there are bins, spread so, of what was found."""
    p = np.array([0.5, 9.5, 90.5]) / 100.5
    q = (np.array([1, 0, 1]) + 3 * p) / 5
    found = population_stability_index(np.array([0, 9, 90]), np.array([1, 0, 1]))
    assert found == pytest.approx(((q - p) * np.log(q / p)).sum(), abs=1e-6)


def test_a_bin_that_training_had_nothing_in_counts_without_being_infinite():
    """Inverted images have an ink that no image to train on has."""
    found = population_stability_index(np.array([50_000, 0]), np.array([0, 1_000]))
    assert 5 < found < 50


@pytest.mark.parametrize(("images", "threshold"), [(10, 0.5), (50, 0.3), (200, 0.1)])
def test_few_images_like_the_trainings_are_little_drift(images, threshold):
    """Chance alone moves the index the more, the fewer images there are: but by so much once in fifty times."""
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(10, 5))
    training = np.rint(shares * 50_000).astype(int)
    found = [population_stability_index(training, random.multinomial(images, shares)) for _ in range(500)]
    assert np.mean(np.array(found) > threshold) <= 0.02


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda pixels: 255 - pixels, ["intensity", "ink"]),
        (lambda pixels: pixels // 255, ["intensity", "ink"]),
        (lambda pixels: pixels // 2, ["intensity", "ink"]),
        (lambda pixels: pixels[:, ::-1], []),
    ],
    ids=["inverted", "0 to 1", "faint", "mirrored"],
)
def test_what_changes_values_and_ink_is_much_drift(change, names):
    """Each change is above 0.25 where it shows, and what leaves values as they are is below 0.1."""
    changed = Distribution.of_labelled(change(make_digits(200, 3).pixels), make_digits(200, 3).labels)
    found = drift(TRAINING, [("a.csv", changed)])
    for name in ("intensity", "ink"):
        assert found[name]["psi"] > 0.25 if name in names else found[name]["psi"] < 0.1


def test_drift_of_each_input_and_of_all():
    """The inputs' counts are added up for the whole; each has indices of its own, in order."""
    first, second = (
        Distribution.of_labelled(part.pixels, part.labels) for part in (make_digits(40, 1), make_digits(9, 2))
    )
    found = drift(TRAINING, [("a.csv", first), ("b.csv", second)])
    assert list(found) == [*NAMES, "inputs"]
    assert [each["path"] for each in found["inputs"]] == ["a.csv", "b.csv"]
    for name in NAMES:
        section, total = found[name], (first + second).counts[name]
        assert section["training"] == pytest.approx(TRAINING.counts[name] / TRAINING.counts[name].sum())
        assert section["input"] == pytest.approx(total / total.sum())
        assert len(section["edges"]) == len(total)
        assert section["psi"] == population_stability_index(TRAINING.counts[name], total)
        assert found["inputs"][0][name] == population_stability_index(TRAINING.counts[name], first.counts[name])
        assert found["inputs"][1][name] == population_stability_index(TRAINING.counts[name], second.counts[name])


def test_an_input_of_which_nothing_was_scored_has_no_drift():
    """Null, and shares of 0; never a NaN."""
    found = drift(TRAINING, [("a.csv", _digits_of())])
    assert found["inputs"] == [{"path": "a.csv", **dict.fromkeys(NAMES)}]
    assert found["ink"]["psi"] is None
    assert set(found["ink"]["input"]) == {0.0}
    json.dumps(found, allow_nan=False)


def test_the_cards_form_comes_back():
    """With the edges of the bins, and the labels' name for the digits."""
    content = json.loads(json.dumps(TRAINING.to_json()))
    assert list(content) == ["intensity", "ink", "labels"]
    assert Distribution.from_json(content).to_json() == content


def _changed(name, **change):
    content = TRAINING.to_json()
    return {**content, name: {**content[name], **change}}


@pytest.mark.parametrize(
    "content",
    [
        {}, [], 5, "text", {**TRAINING.to_json(), "ink": None}, {**TRAINING.to_json(), "ink": [1]},
        _changed("ink", edges=[0, 1]), _changed("ink", edges=None), _changed("ink", counts=[1] * 15),
        _changed("ink", counts=[0] * 16), _changed("ink", counts=[-1] * 16), _changed("ink", counts=[0.5] * 16),
        _changed("ink", counts=["1"] * 16), _changed("ink", counts=[True] * 16), _changed("ink", counts=7),
        _changed("labels", counts=[10**400] * 10), _changed("labels", counts=[[1]] * 10),
    ],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(content):
    """Before anything is computed from it."""
    with pytest.raises(ValueError, match=r"^its? "):
        Distribution.from_json(content)
