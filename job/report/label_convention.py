"""Whether labels mean what they seem to: a comparison of labels and predictions under other conventions.

People count digits from 1, write 10 for 0, or use words. A network that knows digits agrees with such labels almost
never as they stand, and almost always once they are translated. Images that it cannot read, such as upside-down ones,
agree under no convention, and raise no doubt about the labels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from job.contract import CLASSES
from job.flag_names import Flag
from job.report.label_census import LabelCensus
from job.report.tally import Counts
from job.report.words import many, percent

_MIN_ROWS: Final = 10
_MIN_LABELS: Final = 3
# A known convention explains labels if it agrees with so many rows, more of few ones, where chance agrees as well, and
# with so many more than the labels as they stand.
_KNOWN_AGREEMENT: Final = 0.4
_KNOWN_MARGIN: Final = 0.3
# Any permutation is one of millions, so the evidence must be stronger, and come from more labels.
_ANY_AGREEMENT: Final = 0.7
_ANY_MARGIN: Final = 0.4
_ANY_LABELS: Final = 5
# Labels of fewer rows do not count: they agree with some digit by chance.
_MIN_ROWS_OF_LABEL: Final = 3
_MOSTLY: Final = 0.5
_RARELY: Final = 0.1
_SHOWN: Final = 3

# By their description: which digit a label means, for labels that are whole numbers.
_KNOWN: Final[dict[str, Callable[[int], int]]] = {
    "counted from 1": lambda label: label - 1,
    "counted from -1": lambda label: label + 1,
    "counted backwards from 9": lambda label: 9 - label,
}


@dataclass(frozen=True)
class _Votes:
    """Scored rows by label and predicted digit. by_label: int64 (10,), by label as text."""

    by_label: Mapping[str, Counts]
    rows: int

    @classmethod
    def of(cls, confusion: Counts, census: LabelCensus) -> "_Votes":
        digits = {str(digit): confusion[digit] for digit in range(CLASSES) if confusion[digit].any()}
        by_label = {**digits, **{text: counts for text, counts in census.texts.items() if counts.any()}}
        return cls(by_label, sum(int(counts.sum()) for counts in by_label.values()))

    def agreement(self, meaning: Mapping[str, int]) -> float:
        """The share of rows predicted as what their label means."""
        return sum(int(self.by_label[label][digit]) for label, digit in meaning.items()) / self.rows


def label_doubt(confusion: Counts, census: LabelCensus) -> str | None:
    """What labels look like that seem to follow another convention, with the evidence; None if there is no doubt.

    confusion: int64 (10, 10), readable labels x predicted digits. census: the unreadable ones.
    """
    votes = _Votes.of(confusion, census)
    if votes.rows < _MIN_ROWS:
        return None
    return _known_convention(votes) or _stand_ins(votes, confusion) or _permutation(votes)


@dataclass(frozen=True)
class InputLabels:
    """What the labels of an input look like. doubt: see `label_doubt`. is_agreed: most are predicted as they stand."""

    path: str
    doubt: str | None
    is_agreed: bool


def withheld(inputs: Sequence[InputLabels], total: str | None) -> tuple[str | None, list[bool]]:
    """Why the accuracy of a run is withheld and what settles it, None if it is not; and for each input, whether its is.

    total: the doubt about all labels together. It explains more than those about single inputs, which may have one
    label each, unless there are inputs that it does not hold for.
    """
    doubted = [each for each in inputs if each.doubt]
    if not doubted and total is None:
        return None, [False] * len(inputs)
    is_about_all = not doubted or not any(each.is_agreed and not each.doubt for each in inputs)
    if total is not None and is_about_all:
        whose, doubt, is_withheld = "labels", total, [True] * len(inputs)
    else:
        others = f" and {many(len(doubted) - 1, 'other input')}" if len(doubted) > 1 else ""
        whose = "labels" if len(doubted) == len(inputs) else f"labels of {doubted[0].path}{others}"
        doubt, is_withheld = str(doubted[0].doubt), [each.doubt is not None for each in inputs]
    return f"{whose} look {doubt}; say what they mean with {Flag.LABEL_MAP} FILE", is_withheld


def _known_convention(votes: _Votes) -> str | None:
    identity = votes.agreement(_meaning(votes, lambda label: label))
    found = {text: votes.agreement(_meaning(votes, convention)) for text, convention in _KNOWN.items()}
    text = max(found, key=lambda each: found[each])
    is_clear = found[text] >= _KNOWN_AGREEMENT + votes.rows**-0.5 and found[text] - identity >= _KNOWN_MARGIN
    if not is_clear or len(votes.by_label) < _MIN_LABELS:
        return None
    return f"{text}: read so, {percent(found[text])} agree with the predictions, as they stand {percent(identity)}"


def _meaning(votes: _Votes, convention: Callable[[int], int]) -> dict[str, int]:
    """The digits that a convention gives to the labels that are whole numbers."""
    numbers = {label: int(label) for label in votes.by_label if label.removeprefix("-").isdecimal()}
    return {label: convention(number) for label, number in numbers.items() if convention(number) in range(CLASSES)}


def _stand_ins(votes: _Votes, confusion: Counts) -> str | None:
    """Unreadable labels that stand for digits which no readable label names, such as 10 for 0, or words."""
    unreadable = {label: counts for label, counts in votes.by_label.items() if label not in map(str, range(CLASSES))}
    found = []
    for label, counts in unreadable.items():
        digit, rows = int(counts.argmax()), int(counts.sum())
        is_clear = rows >= _MIN_ROWS_OF_LABEL and counts[digit] >= _MOSTLY * rows
        if is_clear and confusion[digit].sum() <= _RARELY * rows:
            found.append((label, digit, counts[digit] / rows))
    if not found:
        return None
    found.sort(key=lambda each: each[1])
    if [each[:2] for each in found] == [("10", 0)]:
        rows = int(unreadable["10"].sum())
        return f"like ten for zero: no label is 0, and {percent(found[0][2])} of {rows} tens are predicted as 0"
    shown = ", ".join(f"{label!r} for {digit}" for label, digit, _ in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"like other names of digits: {shown}{more}, by the predictions"


def _permutation(votes: _Votes) -> str | None:
    """Whether each label is predicted mostly as one digit of its own, and few as themselves."""
    counted = {label: counts for label, counts in votes.by_label.items() if counts.sum() >= _MIN_ROWS_OF_LABEL}
    digits = {label: int(counts.argmax()) for label, counts in counted.items()}
    if len(digits) < _ANY_LABELS or len(set(digits.values())) < len(digits):
        return None
    found, identity = votes.agreement(digits), votes.agreement(_meaning(votes, lambda label: label))
    if found < _ANY_AGREEMENT or found - identity < _ANY_MARGIN:
        return None
    moved = [f"{label} is predicted as {digit}" for label, digit in sorted(digits.items()) if label != str(digit)]
    return (
        f"like a permutation of the digits: {', '.join(moved[:_SHOWN])}; read so, {percent(found)} agree with the "
        f"predictions, as they stand {percent(identity)}"
    )
