"""prepare.html beside the output of `prepare`: pictures before and after, what was found, and what was rejected.

It shares layout and parts with the other reports, see `job.report.page`.
"""

import base64
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import PurePosixPath
from typing import Final

from job.contract import CLASS_NAMES
from job.log import visible_lines
from job.prepare.prepare_settings import PrepareSettings
from job.prepare.prepared_part import EXAMPLES_PER_LABEL, Example, PreparedCounts
from job.report.findings import Finding, summarize
from job.report.template import environment
from job.report.words import many, percent

MAX_REJECTS_SHOWN: Final = 50
# Of pictures without labels; of those with, EXAMPLES_PER_LABEL for each.
_MAX_UNLABELLED: Final = 40
_MOST_COMMON: Final = 8
_MAX_DOUBTS: Final = 10


def prepare_page(  # noqa: PLR0913, PLR0917  # all that a run has to show
    output: str,
    settings: PrepareSettings,
    counts: PreparedCounts,
    examples: Sequence[Example],
    rejects: Sequence[str],
    doubts: Sequence[str] = (),
) -> str:
    """The page of a run; the same results give the same page. rejects, doubts: the first ones, a sentence each."""
    found = [*_doubted(doubts), *findings(counts, settings)]
    template = environment().from_string(
        resources.files("job.prepare").joinpath("prepare_page.html.jinja").read_text(encoding="utf-8")
    )
    page = template.render(
        name=PurePosixPath(output).name,
        output=output,
        settings=settings,
        counts=counts,
        findings=found,
        summary=summarize(found),
        labels=_labels(counts),
        kinds=counts.kinds.most_common(_MOST_COMMON),
        sizes=counts.sizes.most_common(_MOST_COMMON),
        size_count=len(counts.sizes),
        examples=[(title, [_shown(each) for each in some]) for title, some in _by_label(examples)],
        rejects=rejects,
    )
    return visible_lines(page)


def findings(counts: PreparedCounts, settings: PrepareSettings) -> list[Finding]:
    """The findings about a run, those that need attention first."""
    if not counts.rejected:
        return [Finding("rejects", "Every picture could be read", is_fine=True)]
    share = percent(counts.rejected / counts.pictures)
    is_fine = not settings.max_rejects.is_exceeded(counts.rejected, counts.pictures)
    limit = "" if is_fine else f", more than {settings.max_rejects}: the output is not written"
    return [Finding("rejects", f"{many(counts.rejected, 'picture')} rejected ({share}){limit}")]


def _doubted(doubts: Sequence[str]) -> list[Finding]:
    shown = [Finding("examples", each) for each in doubts[:_MAX_DOUBTS]]
    hidden = len(doubts) - len(shown)
    return [
        *shown,
        *([Finding("examples", f"{many(hidden, 'other doubt')} about pages, see the log")] if hidden else []),
    ]


def _labels(counts: PreparedCounts) -> list[tuple[str, int]]:
    """Digits by label, empty if no picture has one."""
    if not counts.labels.keys() - {"none"}:
        return []
    return [(name, counts.labels[name]) for name in (*CLASS_NAMES, "none") if counts.labels[name]]


def _by_label(examples: Sequence[Example]) -> list[tuple[str, list[Example]]]:
    """The first examples of each label, with a title."""
    seen = Counter[int | None]()
    kept: dict[int | None, list[Example]] = {}
    for each in examples:
        limit = _MAX_UNLABELLED if each.label is None else EXAMPLES_PER_LABEL
        if seen[each.label] < limit:
            seen[each.label] += 1
            kept.setdefault(each.label, []).append(each)
    ordered = sorted(kept.items(), key=lambda item: (item[0] is None, item[0] or 0))
    return [("Without a label" if label is None else f"Label {label}", some) for label, some in ordered]


def _shown(example: Example) -> dict[str, object]:
    picture = f"data:image/jpeg;base64,{base64.b64encode(example.thumbnail).decode()}"
    return {
        "id": example.id, "size": example.size, "picture": picture, "digits": example.digits,
        "hidden": example.found - len(example.digits), "is_page": example.is_page,
    }  # fmt: skip
