"""The risk-coverage curve: how wrong accepted rows are if only the surest are accepted.

Coverage is the share of rows accepted, risk the share wrong among them; both follow from a threshold of confidence, so
the curve has one point for each bin of `confidence_bins` that has rows. R. El-Yaniv, Y. Wiener, "On the foundations of
noise-free selective classification", J. Mach. Learn. Res. 11 (2010).
"""

from typing import Final

import numpy as np

from job.documents.report_json import CoverageAtError, RiskCoverageFigures, RiskCoveragePoint
from job.report.confidence_bins import DOUBTS, confidence_of
from job.report.held_out import HeldOut

ERRORS: Final = (0.001, 0.005, 0.01)


def risk_coverage(rows: HeldOut) -> RiskCoverageFigures | None:
    """Report.json's section `risk_coverage` of labelled rows; None without rows.

    The area under the curve, AURC, is the mean over the rows of the error among all that are at least as sure; rows of
    one bin are accepted together (Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-reduced uncertainty estimation for deep
    neural classifiers", ICLR 2019).
    """
    if not rows.rows:
        return None
    accepted, wrong = np.cumsum(rows.counts), np.cumsum(rows.wrong)
    points: list[RiskCoveragePoint] = [
        {
            "threshold": confidence_of(DOUBTS[index]),
            "coverage": int(accepted[index]) / rows.rows,
            "error": int(wrong[index]) / int(accepted[index]),
        }
        for index in np.flatnonzero(rows.counts)
    ]
    shares = np.diff([0.0, *(each["coverage"] for each in points)])
    return {
        "aurc": float(sum(share * each["error"] for share, each in zip(shares.tolist(), points, strict=True))),
        "coverage_at": [_coverage_at(limit, points) for limit in ERRORS],
        "points": points,
    }


def _coverage_at(limit: float, points: list[RiskCoveragePoint]) -> CoverageAtError:
    """The most rows that can be accepted with at most this share wrong, and from which confidence on."""
    within = [each for each in points if each["error"] <= limit]
    return {
        "error": limit,
        "coverage": within[-1]["coverage"] if within else 0.0,
        "threshold": within[-1]["threshold"] if within else None,
    }
