import numpy as np
import pytest

from job.train.judge.groups import figures_by_group


def _figures(counts):
    """Of groups with so many (correct, wrong) images each, by name."""
    names = [name for name, (right, wrong) in counts.items() for _ in range(right + wrong)]
    is_correct = [each for right, wrong in counts.values() for each in [True] * right + [False] * wrong]
    order = np.random.default_rng(0).permutation(len(names))
    return figures_by_group("writer", np.array(names)[order], np.array(is_correct)[order])


def test_each_group_counts_once():
    """However many images it has."""
    found = _figures({"a": (99, 1), "b": (1, 1), "c": (10, 0), "d": (19, 1)})
    assert {name: found[name] for name in ("name", "groups", "rows", "below_95")} == {
        "name": "writer", "groups": 4, "rows": 132, "below_95": 1,
    }  # fmt: skip
    assert found["quantiles"] == {"0": 0.5, "0.05": 0.5, "0.25": 0.5, "0.5": 0.95, "0.75": 0.99}


def test_the_worst_come_first():
    """Of equally bad ones, those with more images, whose accuracy is less of chance; ten at most."""
    found = _figures(
        {"few": (1, 1), "many": (10, 10), "good": (5, 0), "bad": (1, 9), **{f"{i}": (9, 1) for i in range(9)}}
    )
    assert [each["group"] for each in found["worst"]][:4] == ["bad", "many", "few", "0"]
    assert found["worst"][1] == {"group": "many", "accuracy": 0.5, "correct": 10, "rows": 20}
    assert len(found["worst"]) == 10


def test_small_groups_are_below_by_chance():
    """Of ten groups of two images each, of which 18 of 20 are correct, those with a mistake: 1 - 0.9 * 0.9 of them."""
    found = _figures({f"{place}": (2, 0) if place < 8 else (1, 1) for place in range(10)})
    assert found["below_95"] == 2
    assert found["below_95_by_chance"] == pytest.approx(10 * (1 - 0.9**2))
    assert _figures({"a": (19, 1)})["below_95"] == 0
    assert _figures({"a": (20, 0), "b": (20, 0)})["below_95_by_chance"] == 0


def test_images_without_a_group_are_left_out():
    """They belong to nobody; where no image has one, there are no figures."""
    groups, is_correct = np.array(["", "x", "x", ""]), np.array([False, True, True, False])
    found = figures_by_group("writer", groups, is_correct)
    assert (found["groups"], found["rows"], found["below_95"]) == (1, 2, 0)
    assert figures_by_group("writer", groups[[0, 3]], is_correct[[0, 3]]) is None
