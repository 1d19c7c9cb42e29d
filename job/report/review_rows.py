"""The rows of a run that people are to look at: the surest mistakes, then the least sure predictions.

`examples` keeps enough of both, and `score.review_files` writes them. Here is also the contact sheet of their pictures;
`label_studio` makes tasks of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from job.contract import CLASS_NAMES, NO_LABEL
from job.report import template
from job.report.confidence_bins import MILLION
from job.report.examples import MAX_UNSURE, Examples, least_sure, surest_mistakes

Why = Literal["mistake", "unsure"]


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One row to look at.

    number: its place in the review, from 1. place: index of its input in the plan, and its row there, from 0. path: of
    the input. label: as read, or None. second: the second most probable digit. confidence: in 0-1. why: what it was
    chosen for. pixels: 784 bytes, 255 for ink. id: from a passthrough column, or None.
    """

    number: int
    place: tuple[int, int]
    path: str
    label: int | None
    prediction: int
    second: int
    confidence: float
    why: Why
    pixels: bytes
    id: str | None = None

    @property
    def row(self) -> int:
        """Its row in the input, from 0."""
        return self.place[1]


def kept_for(review_rows: int) -> int:
    """How many mistakes, and how many unsure rows, `examples` must keep for a review of so many rows."""
    return max(review_rows, MAX_UNSURE)


def review_rows(examples: Examples, paths: Sequence[str], limit: int, *, are_labels_judged: bool) -> list[ReviewRow]:
    """At most `limit` rows: up to half of them mistakes, from the surest; then the least sure of all others.

    examples: kept for at least `limit`. paths: of the inputs. are_labels_judged: whether labels mean what they say; if
    they do not, no row is a mistake.
    """
    records = examples.records
    mistakes = surest_mistakes(records["label"], records["prediction"], records["confidence"])
    sure = mistakes[: (limit + 1) // 2 if are_labels_judged else 0].tolist()
    is_sure = set(sure)
    unsure = [index for index in least_sure(records["confidence"], limit).tolist() if index not in is_sure]
    found: list[ReviewRow] = []
    for index in [*sure, *unsure][:limit]:
        each = records[index]
        found.append(
            ReviewRow(
                number=len(found) + 1,
                place=(int(each["input"]), int(each["row"])),
                path=paths[int(each["input"])],
                label=None if each["label"] == NO_LABEL else int(each["label"]),
                prediction=int(each["prediction"]),
                second=int(each["second"]),
                confidence=int(each["confidence"]) / MILLION,
                why="mistake" if index in is_sure else "unsure",
                pixels=each["pixels"].tobytes(),
            )
        )
    return found


def contact_sheet(rows: Sequence[ReviewRow]) -> str:
    """One self-contained page that shows all rows and takes their labels; the same rows give the same bytes."""
    return template.render("sheet.html.jinja", rows=rows, classes=CLASS_NAMES, **template.script("labelling.js"))
