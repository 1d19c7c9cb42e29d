"""Counts of two runs on the same rows -> the figures and the verdict of `digit-job compare`.

Figures that need labels, or rows, are None where there are none.
"""

from dataclasses import asdict
from typing import Final, cast

from job.contract import CLASSES
from job.documents.comparison_json import (
    Change,
    ComparisonFigures,
    ComparisonVerdict,
    CorrectRows,
    McNemarFigures,
    Outcome,
    SharePair,
)
from job.report.mcnemar import SIGNIFICANCE, McNemar, mcnemar
from job.report.metrics import wilson_interval
from job.results.compare.pair_tally import PairTally

# The 97.5 % quantile of the standard normal distribution.
_Z95: Final = 1.959963984540054


def comparison(total: PairTally) -> ComparisonFigures:
    """Everything there is to say of the rows, by its keys in the JSON file."""
    test = mcnemar(int(total.right[1, 0]), int(total.right[0, 1])) if total.labelled else None
    return {
        "rows": {
            "read": total.read,
            "compared": total.compared,
            "same": total.same,
            "changed": total.compared - total.same,
            "rejected_by_both": int(total.scored[0, 0]),
            "rejected_by_a": int(total.scored[0, 1]),
            "rejected_by_b": int(total.scored[1, 0]),
        },
        "agreement": agreement(total),
        "labelled": total.labelled,
        "right": _right(total),
        "accuracy": accuracies(total),
        "accuracy_95": {
            "a": wilson_interval(total.correct_a, total.labelled),
            "b": wilson_interval(total.correct_b, total.labelled),
        },
        "difference": (total.correct_b - total.correct_a) / total.labelled if total.labelled else None,
        "difference_95": _difference_interval(total),
        "mcnemar": cast("McNemarFigures", asdict(test)) if test else None,
        "changes": _changes(total),
        "verdict": _verdict(total, test),
    }


def agreement(tally: PairTally) -> float | None:
    """The share of the rows that both scored, on which they name the same digit."""
    return tally.same / tally.compared if tally.compared else None


def accuracies(tally: PairTally) -> SharePair:
    """The share that A, and that B, has right of the rows that both scored and that have a label."""
    if not tally.labelled:
        return {"a": None, "b": None}
    return {"a": tally.correct_a / tally.labelled, "b": tally.correct_b / tally.labelled}


def _right(tally: PairTally) -> CorrectRows | None:
    if not tally.labelled:
        return None
    (neither, only_b), (only_a, both) = tally.right.tolist()
    return {"both": both, "only_a": only_a, "only_b": only_b, "neither": neither}


def _difference_interval(tally: PairTally) -> list[float] | None:
    """The 95 % interval of B's accuracy less A's, on the same rows.

    Source: the adjusted Wald interval of D. G. Bonett and R. M. Price, J. Educ. Behav. Stat. 37 (2012) 479-488.
    """
    if not tally.labelled:
        return None
    rows = tally.labelled + 2
    only_a, only_b = (int(tally.right[1, 0]) + 1) / rows, (int(tally.right[0, 1]) + 1) / rows
    centre = only_b - only_a
    spread = _Z95 * ((only_a + only_b - centre**2) / rows) ** 0.5
    return [max(-1.0, centre - spread), min(1.0, centre + spread)]


def _changes(tally: PairTally) -> list[Change]:
    """The pairs of digits that rows changed from (A) and to (B), most frequent first, then by digit."""
    counts = tally.digits.tolist()
    pairs = [(counts[a][b], a, b) for a in range(CLASSES) for b in range(CLASSES) if a != b and counts[a][b]]
    pairs.sort(key=lambda pair: (-pair[0], *pair[1:]))
    return [{"from": a, "to": b, "count": count} for count, a, b in pairs]


def _verdict(tally: PairTally, test: McNemar | None) -> ComparisonVerdict:
    outcome = _outcome(tally, test)
    return {"outcome": outcome, "text": _in_words(outcome, tally, test)}


def _outcome(tally: PairTally, test: McNemar | None) -> Outcome:
    if not tally.compared:
        return "no_rows"
    if tally.same == tally.compared:
        return "same"
    if test is None:
        return "no_labels"
    if test.p_value >= SIGNIFICANCE:
        return "no_difference"
    return "a_better" if test.only_a > test.only_b else "b_better"


def _in_words(outcome: Outcome, tally: PairTally, test: McNemar | None) -> str:
    compared, changed = tally.compared, tally.compared - tally.same
    match outcome:
        case "no_rows":
            return "there is no row that both scored, and so nothing to compare"
        case "same":
            return f"A and B say the same of all {_rows(compared)}{' that both scored' * (compared < tally.read)}"
        case "no_labels":
            return f"A and B differ on {changed:,} of {_rows(compared)}; which is better cannot be told without labels"
        case "no_difference":
            return f"no difference in accuracy can be told: {_on_differing_rows(test)}"
        case "a_better":
            return f"A is better: {_on_differing_rows(test)}"
        case "b_better":
            return f"B is better: {_on_differing_rows(test)}"


def _on_differing_rows(test: McNemar | None) -> str:
    if test is None or not test.only_a + test.only_b:
        return "there is no labelled row that just one of them has right"
    return (
        f"of the {_rows(test.only_a + test.only_b)} that just one of them has right, A has {test.only_a:,} and B "
        f"{test.only_b:,} (McNemar's test, p = {test.p_value:.2g})"
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
