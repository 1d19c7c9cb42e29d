"""How far data is from what the network was trained on: of the pixels' values, the ink of images, and the digits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from job.contract import CLASSES, Labels, Pixels
from job.report.appearance import INK_EDGES, INTENSITY_EDGES, Appearance, Counts

# What is compared, by its name in the report: the lower edges of its bins.
_EDGES: Final[dict[str, tuple[int, ...]]] = {
    "intensity": INTENSITY_EDGES,
    "ink": INK_EDGES,
    "predicted": tuple(range(CLASSES)),
}
# The digits of training data are its labels'.
_NAMES_IN_CARD: Final = {"intensity": "intensity", "ink": "ink", "predicted": "labels"}
_DECIMALS: Final = 6


@dataclass(frozen=True, eq=False)
class Distribution:
    """How some images are distributed. digits int64 (10,): images per digit, as labelled or as predicted."""

    appearance: Appearance
    digits: Counts

    @classmethod
    def of_labelled(cls, pixels: Pixels, labels: Labels) -> Self:
        """That of uint8 (n, 784) images with int8 (n,) labels of 0-9."""
        return cls(Appearance.of(pixels), np.bincount(labels, minlength=CLASSES).astype(np.int64))

    @property
    def counts(self) -> dict[str, Counts]:
        """What is compared, by its name in the report."""
        return {"intensity": self.appearance.intensity, "ink": self.appearance.ink, "predicted": self.digits}

    def __add__(self, other: Self) -> Self:
        """That of both."""
        return type(self)(self.appearance + other.appearance, self.digits + other.digits)

    def to_json(self) -> dict[str, Any]:
        """The fingerprint of training data, as the model's card holds it: by name, edges of bins and counts."""
        return {
            _NAMES_IN_CARD[name]: {"edges": list(_EDGES[name]), "counts": counts.tolist()}
            for name, counts in self.counts.items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError where the content is no such thing, or of no image."""
        intensity, ink, digits = (_counts(content, _NAMES_IN_CARD[name], edges) for name, edges in _EDGES.items())
        return cls(Appearance(intensity, ink), digits)


def population_stability_index(training: Counts, found: Counts) -> float | None:
    """How differently two sets of counts are spread over the same bins, from 0 up; None where nothing was found.

    The sum of (q - p) ln(q / p) over the bins' shares p in training and q in what was found: Jeffreys' divergence. Rule
    of thumb: up to 0.1 little has changed, from 0.25 on much. Sources: N. Siddiqi, "Credit Risk Scorecards", Wiley
    2006; B. Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University 2018.

    Small counts are smoothed. Each bin of training counts half an image more, so that no share is 0. Of what was found,
    as many images more as there are bins are assumed to be spread like the training's: few images, which always differ
    from many, are no drift, and with more of them the assumption loses its weight.
    """
    if not found.sum():
        return None
    bins = len(training)
    smoothed = training + 0.5
    p = smoothed / smoothed.sum()
    q = (found + bins * p) / (found.sum() + bins)
    # What logarithms of other processors may differ in is not told.
    return round(float(((q - p) * np.log(q / p)).sum()), _DECIMALS)


def drift(training: Distribution, inputs: Sequence[tuple[str, Distribution]]) -> dict[str, Any]:
    """Report.json's section `drift`: of all inputs, and of each, by its path."""
    before, indices = training.counts, [_indices(training, each) for _, each in inputs]
    total = _total([each for _, each in inputs]).counts
    sections = {
        name: {
            "edges": list(edges),
            "training": _shares(before[name]),
            "input": _shares(total[name]),
            "psi": population_stability_index(before[name], total[name]),
        }
        for name, edges in _EDGES.items()
    }
    return {**sections, "inputs": [{"path": path, **each} for (path, _), each in zip(inputs, indices, strict=True)]}


def _indices(training: Distribution, found: Distribution) -> dict[str, float | None]:
    after = found.counts
    return {name: population_stability_index(counts, after[name]) for name, counts in training.counts.items()}


def _total(distributions: Sequence[Distribution]) -> Distribution:
    return sum(distributions, Distribution(Appearance.zero(), np.zeros(CLASSES, np.int64)))


def _shares(counts: Counts) -> list[float]:
    """Each bin's share; 0 throughout where there is nothing."""
    shares: list[float] = (counts / max(1, int(counts.sum()))).tolist()
    return shares


def _counts(content: Mapping[str, Any], name: str, edges: tuple[int, ...]) -> Counts:
    try:
        section = content[name]
        found, counts = section["edges"], section["counts"]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it has no {name} with edges and counts") from error
    if found != list(edges):
        raise ValueError(f"its {name} has bins from {found!r:.100}, expected {list(edges)}")
    is_list = isinstance(counts, list) and len(counts) == len(edges)
    if not is_list or not all(type(each) is int and 0 <= each < 1 << 53 for each in counts) or not any(counts):
        raise ValueError(f"its {name} has counts {counts!r:.100}, expected {len(edges)} whole numbers")
    return np.array(counts, np.int64)
