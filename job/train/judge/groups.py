"""Accuracy by group, such as by the writer of an image: a mean over images hides the people it fails."""

from typing import Final

import numpy as np
import numpy.typing as npt

from job.documents.robustness_json import GroupFigures

# An accuracy of 95 %, as a fraction.
_GOOD, _OF = 19, 20
_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75)
_WORST: Final = 10


def figures_by_group(name: str, groups: npt.NDArray[np.str_], is_correct: npt.NDArray[np.bool_]) -> GroupFigures | None:
    """Figures over the groups of n > 0 images; None if no image has one.

    name: what the groups are, such as `writer`. groups: text (n,), "" for none. is_correct: bool (n,), whether each
    image was classified correctly.
    """
    has_group = groups != ""
    if not has_group.any():
        return None
    groups, is_correct = groups[has_group], is_correct[has_group]
    names, inverse, rows = np.unique(groups, return_inverse=True, return_counts=True)
    correct = np.bincount(inverse, weights=is_correct, minlength=len(names)).astype(np.int64)
    accuracy = correct / rows
    # Of equally bad groups, the largest first: it has less of chance.
    order = np.lexsort((names, -rows, accuracy))[:_WORST]
    # Of an even number of groups, the lower one: a quantile is the accuracy of a group.
    quantiles = np.quantile(accuracy, _QUANTILES, method="inverted_cdf")
    return {
        "name": name,
        "groups": len(names),
        "rows": len(is_correct),
        "below_95": int((_OF * correct < _GOOD * rows).sum()),
        "below_95_by_chance": _below_by_chance(rows, float(is_correct.mean())),
        "quantiles": {f"{share:g}": float(value) for share, value in zip(_QUANTILES, quantiles, strict=True)},
        "worst": [
            {
                "group": str(names[place]),
                "accuracy": float(accuracy[place]),
                "correct": int(correct[place]),
                "rows": int(rows[place]),
            }
            for place in order.tolist()
        ],
    }


def _below_by_chance(rows: npt.NDArray[np.int64], accuracy: float) -> float:
    """How many groups of so many images would be below 95 % if each image were correct with the same probability."""
    from scipy.stats import binom

    most_correct = (_GOOD * rows - 1) // _OF
    return float(binom.cdf(most_correct, rows, accuracy).sum())
