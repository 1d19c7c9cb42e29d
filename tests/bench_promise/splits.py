"""Promises by random halves of held-out rows, checked on the other halves."""

from dataclasses import dataclass

import numpy as np

from job.report.confidence_bins import CONFIDENCE_BINS, DOUBTS, MILLION, bins_of
from job.report.design_effect import design_effect
from job.report.held_out import HeldOut
from job.report.selective import threshold_for


@dataclass(frozen=True)
class Rows:
    """n scored rows. bins: int64 (n,), of confidence. is_wrong: bool (n,). groups: int64 (n,), or None."""

    bins: np.ndarray
    is_wrong: np.ndarray
    groups: np.ndarray | None = None

    @classmethod
    def of(cls, scored, groups=None):
        """The rows of a ScoredBatch, all with labels. groups: their names, if known."""
        millionths = np.rint(scored.confidences.astype(np.float64) * MILLION).astype(np.int64)
        numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
        return cls(bins_of(millionths), scored.predictions != scored.labels, numbers)

    def __add__(self, other):
        joined = (np.concatenate([getattr(each, name) for each in (self, other)]) for name in ("bins", "is_wrong"))
        return Rows(*joined)

    def __len__(self):
        return len(self.bins)

    def __getitem__(self, chosen):
        return Rows(self.bins[chosen], self.is_wrong[chosen], None if self.groups is None else self.groups[chosen])

    @property
    def held_out(self):
        """The rows as a card has them, with the design effect of their groups."""
        counts = (np.bincount(self.bins[which], minlength=CONFIDENCE_BINS) for which in (~self.is_wrong, self.is_wrong))
        effect = 1.0 if self.groups is None else design_effect(self.groups, self.bins, self.is_wrong)
        return HeldOut(*counts, effect)


@dataclass(frozen=True)
class Outcome:
    """What became of a promise on other rows. coverage, error: shares; None: it was refused."""

    coverage: float | None
    error: float | None

    def is_violation(self, limit):
        """Whether more accepted rows are wrong than promised."""
        return self.error is not None and self.error > limit


def outcome(calibration, others, limit):
    """Promise by some rows, and count on others."""
    found = threshold_for(calibration.held_out, limit)
    if found is None:
        return Outcome(None, None)
    is_accepted = others.bins <= DOUBTS.index(found.doubt)
    error = float(others.is_wrong[is_accepted].mean()) if is_accepted.any() else 0.0
    return Outcome(float(is_accepted.mean()), error)


def random_splits(rows, calibration_rows, limit, splits, seed=0):
    """Outcomes of promises by `calibration_rows` random rows, checked on the others; whole groups where known."""
    outcomes = []
    for number in range(splits):
        random = np.random.default_rng((seed, number))
        if rows.groups is None:
            order = random.permutation(len(rows))
        else:
            # Rows in the order of their shuffled groups; the cut may fall within one, which then calibrates only.
            place = random.permutation(rows.groups.max() + 1)[rows.groups]
            order = np.argsort(place, kind="stable")
        chosen, others = order[:calibration_rows], order[calibration_rows:]
        if rows.groups is not None:
            others = others[rows.groups[others] != rows.groups[chosen[-1]]]
        outcomes.append(outcome(rows[chosen], rows[others], limit))
    return outcomes
