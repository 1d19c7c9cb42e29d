"""Drift: how far inputs are from the training images, by pixel values, by ink per image, and by digit.

The training images' histograms are in the model card, those of an input are counted while it is scored (`appearance`,
`tally`). The measure is the population stability index; `describe_shift` says in words what it means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from job.contract import CLASSES, Labels, Pixels
from job.documents.model_json import BinCounts, TrainingDistribution
from job.documents.report_json import DriftFigures, DriftSection
from job.report.appearance import INK_EDGES, INTENSITY_EDGES, Appearance
from job.report.tally import Counts

# Indices below the first mean no shift, above the second a large one.
# Source: E. M. Lewis, An Introduction to Credit Scoring (2nd ed. 1994); N. Siddiqi, Credit Risk Scorecards (2006).
SOME_SHIFT: Final = 0.1
LARGE_SHIFT: Final = 0.25
# By name in the report: the lower edges of the bins.
_EDGES: Final[dict[str, tuple[int, ...]]] = {
    "intensity": INTENSITY_EDGES,
    "ink": INK_EDGES,
    "predicted": tuple(range(CLASSES)),
}
# By name in the report: the name in the card, where digits are labels.
_NAMES_IN_CARD: Final = {"intensity": "intensity", "ink": "ink", "predicted": "labels"}
# What `describe_shift` says of one above the second.
LARGE: Final = "large shift"
_DECIMALS: Final = 6
# The 99.9 % quantile of the standard normal distribution. Three indices of each file are looked at, and each shift is a
# warning, on which a gate can fail a run.
_Z: Final = 3.090232306167813


@dataclass(frozen=True, eq=False)
class Distribution:
    """Histograms of some images. digits int64 (10,): images per digit, as labelled or as predicted."""

    appearance: Appearance
    digits: Counts

    @classmethod
    def of_labelled(cls, pixels: Pixels, labels: Labels) -> Self:
        """Those of uint8 (n, 784) images with int8 (n,) labels 0-9."""
        return cls(Appearance.of(pixels), np.bincount(labels, minlength=CLASSES).astype(np.int64))

    @property
    def counts(self) -> dict[str, Counts]:
        """The histograms by name in the report."""
        return {"intensity": self.appearance.intensity, "ink": self.appearance.ink, "predicted": self.digits}

    def __add__(self, other: Self) -> Self:
        return type(self)(self.appearance + other.appearance, self.digits + other.digits)

    def to_json(self) -> TrainingDistribution:
        """The card's section about its training images: bin edges and counts by name."""
        sections = {
            _NAMES_IN_CARD[name]: BinCounts(edges=list(_EDGES[name]), counts=counts.tolist())
            for name, counts in self.counts.items()
        }
        return {"intensity": sections["intensity"], "ink": sections["ink"], "labels": sections["labels"]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError where the content is no such section, or counts no image."""
        intensity, ink, digits = (_parse_counts(content, _NAMES_IN_CARD[name], edges) for name, edges in _EDGES.items())
        return cls(Appearance(intensity, ink), digits)


def population_stability_index(training: Counts, found: Counts) -> float | None:
    """How differently two histograms over the same bins are distributed, from 0 up; None if `found` is empty.

    The sum of (q - p) ln(q / p) over the bins' shares p of `training` and q of `found`: Jeffreys' divergence. Sources:
    N. Siddiqi, "Credit Risk Scorecards", Wiley 2006; B. Yurdakul, "Statistical Properties of Population Stability
    Index", Western Michigan University 2018.

    Small counts are smoothed. Each bin of `training` gets half an image more, so that no share is 0. `found` gets as
    many images more as there are bins, distributed like `training`: a few images always differ from the distribution
    they are drawn from, and that is no drift.
    """
    if not found.sum():
        return None
    bins = len(training)
    smoothed = training + 0.5
    p = smoothed / smoothed.sum()
    q = (found + bins * p) / (found.sum() + bins)
    # Rounded, because logarithms differ between processors in their last digits.
    return round(float(((q - p) * np.log(q / p)).sum()), _DECIMALS)


def drift(training: Distribution, inputs: Sequence[tuple[str, Distribution]]) -> DriftSection:
    """Report.json's section `drift`: of all inputs together, and of each. inputs: (path, distribution)."""
    before, indices = training.counts, [_indices(training, each) for _, each in inputs]
    total = _total([each for _, each in inputs]).counts

    def section(name: str) -> DriftFigures:
        return {
            "edges": list(_EDGES[name]),
            "training": _shares(before[name]),
            "input": _shares(total[name]),
            "psi": population_stability_index(before[name], total[name]),
        }

    return {
        "intensity": section("intensity"),
        "ink": section("ink"),
        "predicted": section("predicted"),
        "inputs": [
            {"path": path, "intensity": each["intensity"], "ink": each["ink"], "predicted": each["predicted"]}
            for (path, _), each in zip(inputs, indices, strict=True)
        ],
    }


def occupied_bins(figures: DriftFigures) -> int:
    """How many bins of a histogram are not empty on both sides, where they do not contribute to the index."""
    return sum(1 for shares in zip(figures["training"], figures["input"], strict=True) if any(shares))


def describe_shift(psi: float | None, rows: int, bins: int) -> str:
    """What a population stability index of `rows` rows in `bins` non-empty bins means, in words.

    An index that one in a thousand samples of this size reaches by chance means nothing, however high it is.
    """
    if psi is None:
        return "nothing to compare"
    if psi < SOME_SHIFT:
        return "no shift"
    if psi < chance_level(rows, bins):
        return "too few rows to tell"
    return "some shift" if psi <= LARGE_SHIFT else LARGE


def is_shift(description: str) -> bool:
    """Whether `describe_shift` found a shift."""
    return description in {"some shift", LARGE}


def chance_level(rows: int, bins: int) -> float:
    """The index that 99.9 % of samples of `rows` rows stay below if nothing has shifted.

    If far more rows were trained on, `rows` times the index follows a chi-squared distribution of `bins - 1` degrees of
    freedom; its quantile is approximated after E. B. Wilson and M. M. Hilferty, PNAS 17 (1931) 684-688.
    Source: B. Yurdakul, J. Naranjo, Statistical properties of the population stability index, J. Risk Model
    Validation 14 (2020).
    """
    degrees = max(1, bins - 1)
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + _Z * spread**0.5) ** 3 / max(1, rows))


def _indices(training: Distribution, found: Distribution) -> dict[str, float | None]:
    after = found.counts
    return {name: population_stability_index(counts, after[name]) for name, counts in training.counts.items()}


def _total(distributions: Sequence[Distribution]) -> Distribution:
    return sum(distributions, Distribution(Appearance.zero(), np.zeros(CLASSES, np.int64)))


def _shares(counts: Counts) -> list[float]:
    """Each bin's share; all 0 for an empty histogram."""
    shares: list[float] = (counts / max(1, int(counts.sum()))).tolist()
    return shares


def _parse_counts(content: Mapping[str, Any], name: str, edges: tuple[int, ...]) -> Counts:
    try:
        section = content[name]
        found, counts = section["edges"], section["counts"]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"it has no {name} with edges and counts") from error
    if found != list(edges):
        raise ValueError(f"its {name} has bin edges {found!r:.100}, expected {list(edges)}")
    is_list = isinstance(counts, list) and len(counts) == len(edges)
    if not is_list or not all(type(each) is int and 0 <= each < 1 << 53 for each in counts) or not any(counts):
        raise ValueError(f"its {name} has counts {counts!r:.100}, expected {len(edges)} whole numbers")
    return np.array(counts, np.int64)
