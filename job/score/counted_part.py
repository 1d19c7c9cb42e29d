"""A committed part's counts and examples, checked: what gather adds up, and what a resumed run looks at.

`write.part_file` knows the format and its digest; here are the numbers inside, which are to be possible ones.
"""

from dataclasses import dataclass
from typing import Self

from job.report.appearance import Appearance
from job.report.examples import MAX_UNSURE, Examples
from job.report.label_census import LabelCensus
from job.report.tally import Tally
from job.storage import Storage
from job.write.part_file import PartFile, PartReader, PartSummary, open_part, part_damage


@dataclass(frozen=True, slots=True)
class CountedPart:
    """What a part counts besides its rows. examples: their rows count from the start of the part."""

    summary: PartSummary
    tally: Tally
    appearance: Appearance
    labels: LabelCensus
    examples: Examples

    @classmethod
    def of(cls, part: PartReader, path: str, kept: int = MAX_UNSURE) -> Self:
        """The counts of an open part; kept: see `Examples`.

        Raises PartDamaged if a count has another shape than when it was written, or is more than there are rows.
        """
        summary = part.summary
        with part_damage(path):
            counted = cls(
                summary,
                Tally.from_json(summary.tally),
                Appearance.from_json(summary.appearance),
                LabelCensus.from_json(summary.labels),
                Examples.from_bytes(part.examples, kept),
            )
            counted.tally.check(summary.rows)
            counted.examples.check(summary.rows)
            return counted


def check_part(storage: Storage, file: PartFile) -> None:
    """Read all of a committed part. Raises PartDamaged if it is not what a run wrote, StorageError."""
    found = 0
    with open_part(storage, file) as part:
        CountedPart.of(part, file.path)
        for rows, _ in part.batches():
            storage.check_stop()
            found += len(rows)
        with part_damage(file.path):
            if found != part.summary.rows:
                raise ValueError(f"it holds {found} rows, but its summary says {part.summary.rows}")
