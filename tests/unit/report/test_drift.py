import json

import numpy as np
import pytest
from support.files import make_digits

from job.report.appearance import Appearance
from job.report.drift import (
    Distribution,
    chance_level,
    describe_shift,
    drift,
    is_shift,
    population_stability_index,
)

NAMES = ["intensity", "ink", "predicted"]


@pytest.fixture(scope="module")
def training():
    """The distribution of 500 training images."""
    digits = make_digits(500)
    return Distribution.of_labelled(digits.pixels, digits.labels)


def test_the_index_is_the_textbooks():
    """For counts so large that smoothing has no effect: (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)."""
    expected = 0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    found = population_stability_index(np.array([50, 50]) * 10**9, np.array([60, 40]) * 10**9)
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_same_shares_are_no_drift():
    """Whatever the sizes of the two samples."""
    assert population_stability_index(np.array([300, 700]), np.array([3, 7])) == pytest.approx(0, abs=1e-6)


def test_nothing_has_no_index():
    """An empty histogram is neither like another nor unlike it."""
    assert population_stability_index(np.array([300, 700]), np.array([0, 0])) is None


def test_smoothing_is_the_documented():
    """Half an image more in each training bin; as many as there are bins, distributed like training, in the other."""
    p = np.array([0.5, 9.5, 90.5]) / 100.5
    q = (np.array([1, 0, 1]) + 3 * p) / 5
    found = population_stability_index(np.array([0, 9, 90]), np.array([1, 0, 1]))
    assert found == pytest.approx(((q - p) * np.log(q / p)).sum(), abs=1e-6)


def test_a_bin_without_training_images_counts_without_being_infinite():
    """Inverted images have more ink than any training image."""
    found = population_stability_index(np.array([50_000, 0]), np.array([0, 1_000]))
    assert 5 < found < 50


def test_few_images_like_the_trainings_are_little_drift():
    """The fewer images, the more chance alone moves the index: above the threshold in at most 2 % of samples."""
    for images, threshold in ((10, 0.5), (50, 0.3), (200, 0.1)):
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
def test_changed_pixel_values_are_much_drift(training, change, names):
    """The index is above 0.25 where a change shows, and below 0.1 where values stay the same."""
    digits = make_digits(200, 3)
    changed = Distribution.of_labelled(change(digits.pixels), digits.labels)
    found = drift(training, [("a.csv", changed)])
    for name in ("intensity", "ink"):
        assert found[name]["psi"] > 0.25 if name in names else found[name]["psi"] < 0.1


def test_drift_of_each_input_and_of_all(training):
    """The section is of the sum of all inputs; each input has its own indices, in order."""
    first, second = (
        Distribution.of_labelled(part.pixels, part.labels) for part in (make_digits(40, 1), make_digits(9, 2))
    )
    found = drift(training, [("a.csv", first), ("b.csv", second)])
    assert list(found) == [*NAMES, "inputs"]
    assert [each["path"] for each in found["inputs"]] == ["a.csv", "b.csv"]
    for name in NAMES:
        section, total = found[name], (first + second).counts[name]
        assert section["training"] == pytest.approx(training.counts[name] / training.counts[name].sum())
        assert section["input"] == pytest.approx(total / total.sum())
        assert len(section["edges"]) == len(total)
        assert section["psi"] == population_stability_index(training.counts[name], total)
        assert found["inputs"][0][name] == population_stability_index(training.counts[name], first.counts[name])
        assert found["inputs"][1][name] == population_stability_index(training.counts[name], second.counts[name])


def test_an_input_without_scored_rows_has_no_drift(training):
    """Its indices are null and its shares 0, never NaN."""
    found = drift(training, [("a.csv", Distribution(Appearance.zero(), np.zeros(10, np.int64)))])
    assert found["inputs"] == [{"path": "a.csv", **dict.fromkeys(NAMES)}]
    assert found["ink"]["psi"] is None
    assert set(found["ink"]["input"]) == {0.0}
    json.dumps(found, allow_nan=False)


def test_the_cards_form_comes_back(training):
    """With the edges of the bins, and digits named as labels."""
    content = json.loads(json.dumps(training.to_json()))
    assert list(content) == ["intensity", "ink", "labels"]
    assert Distribution.from_json(content).to_json() == content


def test_content_that_is_no_distribution_is_refused(training):
    """Before anything is computed from it."""
    card = training.to_json()

    def changed(name, **change):
        return {**card, name: {**card[name], **change}}

    for content in (
        {}, [], 5, "text", {**card, "ink": None}, {**card, "ink": [1]},
        changed("ink", edges=[0, 1]), changed("ink", edges=None), changed("ink", counts=[1] * 15),
        changed("ink", counts=[0] * 16), changed("ink", counts=[-1] * 16), changed("ink", counts=[0.5] * 16),
        changed("ink", counts=["1"] * 16), changed("ink", counts=[True] * 16), changed("ink", counts=7),
        changed("labels", counts=[10**400] * 10), changed("labels", counts=[[1]] * 10),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"^its? "):
            Distribution.from_json(content)


def test_an_index_in_words():
    """Below 0.1 no shift, up to 0.25 some, above that a large one, if there are enough rows."""
    for psi, text in (
        (None, "nothing to compare"),
        (0.0999, "no shift"),
        (0.1, "some shift"),
        (0.25, "some shift"),
        (0.26, "large shift"),
    ):
        assert describe_shift(psi, 10_000, 10) == text
        assert is_shift(text) == (psi is not None and psi >= 0.1)


def test_few_rows_do_not_count_as_shifted():
    """Where chance alone reaches such an index, it means nothing; above that, it is a shift."""
    assert describe_shift(0.5, 50, 10) == "too few rows to tell"
    assert describe_shift(0.6, 50, 10) == "large shift"


def test_the_level_of_chance_is_that_of_samples():
    """About one in a thousand samples from the training distribution itself is above it."""
    random = np.random.default_rng(0)
    shares = random.multinomial(1000, [0.1] * 10, 40000) / 1000
    index = ((shares - 0.1) * np.log(shares / 0.1)).sum(axis=1)
    assert (index > chance_level(1000, 10)).mean() == pytest.approx(0.001, abs=0.0005)
