"""A promise about errors: what `score --max-error` promises, by which rows, what that means for a run.

`selective` chooses the threshold. A promise is for data like the held-out rows that it rests on; where `drift` finds
the input unlike them, or labels contradict it, the report withdraws it in words.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from job.documents.report_json import PromiseDrift, PromiseFigures
from job.report.appearance import Appearance
from job.report.confidence_bins import DOUBTS, confidence_of
from job.report.drift import LARGE, Distribution, describe_shift, is_shift, population_stability_index
from job.report.held_out import HeldOut
from job.report.metrics import wilson_interval
from job.report.selective import CERTAINTY, Threshold, lower_bound
from job.report.tally import Counts, Tally
from job.report.words import many, some

# Confidences are compared by decades of doubt: 0, up to 10 millionths, up to 100, ...
_DECADES: Final = tuple(10**power for power in range(1, 7))
# Errors among accepted rows refute a promise where chance makes so many in one of a thousand runs.
_REFUTED_LEVEL: Final = 0.001


@dataclass(frozen=True)
class Promise:
    """Of the rows with at most the threshold's doubt, at most the share `max_error` is wrong.

    source: what the held-out rows are, for a sentence. reference: the distribution of images like them; None: unknown.
    groups: how many writers or the like they come from; None: each counts for itself.
    """

    max_error: float
    threshold: Threshold
    held_out: HeldOut
    source: str
    reference: Distribution | None = None
    groups: int | None = None

    @property
    def accepted_from(self) -> np.float32:
        """The lowest confidence of rows to accept, as predictions have it."""
        return np.float32(confidence_of(self.threshold.doubt))

    @property
    def identity(self) -> dict[str, Any]:
        """What decides everything that a run's output says about it."""
        reference = None if self.reference is None else self.reference.to_json()
        content = [self.held_out.to_json(), self.held_out.design_effect, self.groups, self.source, reference]
        return {
            "max_error": self.max_error,
            "threshold": asdict(self.threshold),
            "held_out": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        }

    def figures(self, inputs: Sequence[tuple[str, Tally]], seen: Appearance, *, is_withheld: bool) -> PromiseFigures:
        """Report.json's section `promise`.

        inputs: path and counts of each. seen: of all of them. is_withheld: labels may mean something else.
        """
        total = sum((tally for _, tally in inputs), Tally.zero())
        right, wrong, _ = (int(each) for each in total.confidence[self._accepted_bins].sum(axis=0))
        accepted = int(total.confidence[self._accepted_bins].sum())
        labelled = 0 if is_withheld else right + wrong
        drift, reasons = self._drift(total, Distribution(seen, total.predicted))
        reasons += self._odd_inputs(inputs)
        if labelled and lower_bound(wrong, labelled, _REFUTED_LEVEL) > self.max_error:
            reasons.append(f"the labels contradict it: {wrong:,} of {labelled:,} accepted rows are wrong")
        return {
            "max_error": self.max_error,
            "certainty": CERTAINTY,
            "threshold": confidence_of(self.threshold.doubt),
            "is_withdrawn": bool(reasons),
            "reasons": reasons,
            "text": self._text(reasons),
            "accepted": accepted,
            "review": total.scored - accepted,
            "coverage": accepted / total.scored if total.scored else None,
            "labelled": labelled,
            "wrong": wrong if labelled else None,
            "error": wrong / labelled if labelled else None,
            "error_95": wilson_interval(wrong, labelled),
            "calibration": {
                "source": self.source,
                "rows": self.threshold.rows,
                "groups": self.groups,
                "design_effect": self.held_out.design_effect,
                "accepted": self.threshold.accepted,
                "wrong": self.threshold.wrong,
                "bound": self.threshold.bound,
            },
            "drift": drift,
        }

    @property
    def _accepted_bins(self) -> slice:
        return slice(0, DOUBTS.index(self.threshold.doubt) + 1)

    def _text(self, reasons: Sequence[str]) -> str:
        limit, accepted_from = f"{100 * self.max_error:g} %", f"{confidence_of(self.threshold.doubt):.6f}"
        if reasons:
            return (
                f"The promise of at most {limit} errors among accepted rows is withdrawn: {'; '.join(reasons)}. "
                "Nothing is promised about this data."
            )
        return (
            f"Of the rows accepted, those with a confidence of {accepted_from} or more, at most {limit} are wrong, "
            f"with {100 * CERTAINTY:g} % certainty, for data like {self.source}."
        )

    def _drift(self, total: Tally, found: Distribution) -> tuple[PromiseDrift, list[str]]:
        """The indices, and why data like this is not what the promise is for."""
        pairs = {"confidence": self._confidences(total)}
        if self.reference is not None:
            known = self.reference.counts
            pairs |= {name: (known[name], counts, total.scored) for name, counts in found.counts.items()}
        indices: PromiseDrift = {"confidence": None, "predicted": None, "ink": None, "intensity": None}
        shifted = []
        for name, (expected, counts, size) in pairs.items():
            psi, description = _compared(expected, counts, size)
            indices[name] = psi  # type: ignore[literal-required]  # the keys of both
            if is_shift(description):
                shifted.append(f"{description} of {_TITLES[name]}")
        reasons = [f"the input is unlike {self.source} ({', '.join(shifted)})"] if shifted else []
        return indices, reasons

    def _odd_inputs(self, inputs: Sequence[tuple[str, Tally]]) -> list[str]:
        """Why the promise does not hold for all of several inputs: some are far less sure than the held-out rows.

        Files may be sorted by digit or by writer, so that their ink and digits differ; neither makes them less sure.
        """
        odd = []
        for path, tally in inputs if len(inputs) > 1 else ():
            accepted = int(tally.confidence[self._accepted_bins].sum())
            is_less_sure = accepted < self.threshold.coverage * tally.scored
            if is_less_sure and _compared(*self._confidences(tally))[1] == LARGE:
                odd.append(path)
        if not odd:
            return []
        return [f"{many(len(odd), 'file is', 'files are')} far less sure than {self.source}: {some(odd)}"]

    def _confidences(self, tally: Tally) -> tuple[Counts, Counts, int]:
        """Held-out and scored rows by decades of doubt, and how many rows their comparison is worth."""
        before, after = _by_decade(self.held_out.counts), _by_decade(tally.confidence.sum(axis=1))
        # Two samples scatter as much as one of this size against a distribution that is known.
        return before, after, round(1 / (1 / max(1, tally.scored) + 1 / max(1, self.held_out.rows)))


_TITLES: Final = {"confidence": "confidence", "predicted": "predicted digits", "ink": "ink", "intensity": "intensity"}


def _compared(expected: Counts, counts: Counts, rows: int) -> tuple[float | None, str]:
    """The index of two histograms, and what it means for so many rows."""
    psi = population_stability_index(expected, counts)
    return psi, describe_shift(psi, rows, int(((expected > 0) | (counts > 0)).sum()))


def _by_decade(counts: Counts) -> Counts:
    """int64 (CONFIDENCE_BINS,) counts, summed by decades of doubt."""
    starts = [0, 1, *(DOUBTS.index(each) + 1 for each in _DECADES[:-1])]
    return np.add.reduceat(counts, starts)
