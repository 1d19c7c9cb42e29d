"""Counts over the same rows of two runs -> the figures and the verdict of `digit-job compare`.

Figures that need labels, or rows, are None without them.
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
from job.report.mcnemar import SIGNIFICANCE, McNemar, mcnemar, p_text
from job.report.metrics import wilson_interval
from job.results.compare.pair_tally import PairTally

# The 97.5 % quantile of the standard normal distribution.
_Z95: Final = 1.959963984540054


def comparison(total: PairTally) -> ComparisonFigures:
    """All figures of a comparison, by their keys in the document."""
    test = mcnemar(int(total.correct[1, 0]), int(total.correct[0, 1])) if total.labelled else None
    return {
        "rows": {
            "read": total.read,
            "compared": total.compared,
            "same": total.same,
            "changed": total.changed,
            "rejected_by_both": int(total.scored[0, 0]),
            "rejected_by_a": int(total.scored[0, 1]),
            "rejected_by_b": int(total.scored[1, 0]),
        },
        "agreement": agreement(total),
        "labelled": total.labelled,
        "right": _correct_rows(total),
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
    """The share of the rows scored by both on which the predictions are the same."""
    return tally.same / tally.compared if tally.compared else None


def accuracies(tally: PairTally) -> SharePair:
    """Each run's accuracy on the labelled rows that both scored."""
    if not tally.labelled:
        return {"a": None, "b": None}
    return {"a": tally.correct_a / tally.labelled, "b": tally.correct_b / tally.labelled}


def _correct_rows(tally: PairTally) -> CorrectRows | None:
    if not tally.labelled:
        return None
    (neither, only_b), (only_a, both) = tally.correct.tolist()
    return {"both": both, "only_a": only_a, "only_b": only_b, "neither": neither}


def _difference_interval(tally: PairTally) -> list[float] | None:
    """The 95 % interval of B's accuracy minus A's, on the same rows.

    Source: the adjusted Wald interval of D. G. Bonett and R. M. Price, J. Educ. Behav. Stat. 37 (2012) 479-488.
    """
    if not tally.labelled:
        return None
    rows = tally.labelled + 2
    only_a, only_b = (int(tally.correct[1, 0]) + 1) / rows, (int(tally.correct[0, 1]) + 1) / rows
    centre = only_b - only_a
    spread = _Z95 * ((only_a + only_b - centre**2) / rows) ** 0.5
    return [max(-1.0, centre - spread), min(1.0, centre + spread)]


def _changes(tally: PairTally) -> list[Change]:
    """The rows per changed pair of digits (A's, B's), most frequent first, then by digit."""
    counts = tally.digits.tolist()
    pairs = [(counts[a][b], a, b) for a in range(CLASSES) for b in range(CLASSES) if a != b and counts[a][b]]
    pairs.sort(key=lambda pair: (-pair[0], *pair[1:]))
    return [{"from": a, "to": b, "count": count} for count, a, b in pairs]


def _verdict(tally: PairTally, test: McNemar | None) -> ComparisonVerdict:
    outcome = _outcome(tally, test)
    return {"outcome": outcome, "text": _verdict_text(outcome, tally, test)}


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


def _verdict_text(outcome: Outcome, tally: PairTally, test: McNemar | None) -> str:
    compared, changed = tally.compared, tally.changed
    match outcome:
        case "no_rows":
            return "no row was scored by both, so that there is nothing to compare"
        case "same":
            return f"A and B agree on all {_rows(compared)}{' scored by both' * (compared < tally.read)}"
        case "no_labels":
            return f"A and B differ on {changed:,} of {_rows(compared)}; without labels, neither is known to be better"
        case "no_difference":
            return f"no significant difference in accuracy: {_on_differing_rows(test)}"
        case "a_better":
            return f"A is better: {_on_differing_rows(test)}"
        case "b_better":
            return f"B is better: {_on_differing_rows(test)}"


def _on_differing_rows(test: McNemar | None) -> str:
    if test is None or not test.only_a + test.only_b:
        return "no labelled row is classified correctly by only one of them"
    return (
        f"of the {_rows(test.only_a + test.only_b)} that only one of them classifies correctly, A has {test.only_a:,} "
        f"and B {test.only_b:,} (McNemar's test, {p_text(test.p_value)})"
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"
