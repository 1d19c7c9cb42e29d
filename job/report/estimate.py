"""The accuracy of rows without labels, estimated from their confidences, or the words that it cannot be.

Average thresholded confidence: on the held-out images of the model's card, the threshold is where as many rows lie
below as were misclassified; of other rows, the share above it is the estimate. Source: S. Garg et al., "Leveraging
Unlabeled Data to Predict Out-of-Distribution Performance", ICLR 2022. No estimator of this kind holds for every input:
where the predicted digits have drifted, it is not to be trusted, and the report says so in its place.

`tests/bench/estimate.py` measures it.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from job.documents.report_json import DriftSection, EstimateFigures
from job.report.drift import describe_shift, is_shift, occupied_bins
from job.report.held_out import HeldOut
from job.report.metrics import wilson_interval
from job.report.tally import Counts, Tally
from job.report.words import many, percent

# With fewer rows, drift of the predicted digits cannot be told from chance.
_MIN_ROWS: Final = 100
# The truth may be off by so much of the distance between the estimate and the accuracy on held-out images, besides
# chance. Chosen on three networks with fifteen corruptions of validation images, USPS's training digits and optdigits.
# In 30 of these 63 cases the predicted digits have not drifted: there the estimate is off by -8 to +4 points, and the
# range holds the accuracy in all 30. In the other 33 it is off by up to 88 points.
_SPREAD: Final = 0.5


def estimate(tally: Tally, held_out: HeldOut | None, drift: DriftSection | None) -> EstimateFigures:
    """Report.json's figures about the estimated accuracy of all scored rows, whether they have labels or not.

    held_out: of the model's card, None if it has none. drift: of the same rows, None if the card has no training data.
    """
    counts = tally.confidence.sum(axis=1)
    withheld = _withheld(int(counts.sum()), held_out, drift)
    if withheld is not None or held_out is None:
        return {
            "estimated_accuracy": None,
            "estimated_accuracy_range": None,
            "estimated_accuracy_withheld": withheld,
        }
    usual, rows = held_out.accuracy or 0.0, int(counts.sum())
    share = _share_above(counts, held_out, usual)
    # By chance, the threshold may have been found elsewhere, and the rows may have been others.
    low, high = (
        wilson_interval(round(rows * _share_above(counts, held_out, each)), rows) or [0.0, 1.0]
        for each in wilson_interval(int(held_out.right.sum()), held_out.rows) or [0.0, 1.0]
    )
    spread = _SPREAD * abs(usual - share)
    return {
        "estimated_accuracy": share,
        "estimated_accuracy_range": [max(0.0, low[0] - spread), min(1.0, high[1] + spread)],
        "estimated_accuracy_withheld": None,
    }


def estimate_in_words(report: Mapping[str, Any]) -> str | None:
    """What is known of the accuracy of rows without labels, to read after "accuracy"; None where labels tell it.

    Also None without rows, and for reports of earlier versions.
    """
    if report["accuracy"] is not None or not report["rows"]["scored"] or "estimated_accuracy_range" not in report:
        return None
    if report["estimated_accuracy"] is None:
        return f"unknown; an estimate is not to be trusted here, because {report['estimated_accuracy_withheld']}"
    low, high = report["estimated_accuracy_range"]
    return (
        f"about {percent(report['estimated_accuracy'])} ({percent(low)} to {percent(high)}), estimated without labels"
    )


def _withheld(rows: int, held_out: HeldOut | None, drift: DriftSection | None) -> str | None:
    """Why an estimate is not to be trusted, to read after "because"; None if it is."""
    if held_out is None or not held_out.rows:
        return "the model's card has no confidences on held-out images"
    if drift is None:
        return "the model's card does not describe its training data"
    if rows < _MIN_ROWS:
        return f"{many(rows, 'row')} are too few to tell whether they are like the training images"
    predicted = drift["predicted"]
    shift = describe_shift(predicted["psi"], rows, occupied_bins(predicted))
    if is_shift(shift):
        return f"the predicted digits have drifted from the training labels ({shift}, index {predicted['psi']:.2f})"
    return None if shift == "no shift" else f"the predicted digits may have drifted ({shift})"


def _share_above(counts: Counts, held_out: HeldOut, share: float) -> float:
    """The share of rows above the threshold that this share of the held-out rows is above.

    counts: of the rows, by the bins of `confidence_bins`. Within the threshold's bin, rows are evenly distributed.
    """
    held = held_out.counts
    above = share * held_out.rows
    sums = np.cumsum(held)
    place = min(int(np.searchsorted(sums, above)), len(sums) - 1)
    part = (above - (sums[place] - held[place])) / max(1, held[place])
    found = counts[:place].sum() + min(1.0, max(0.0, part)) * counts[place]
    return float(found / counts.sum())
