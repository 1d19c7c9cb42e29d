"""The committed parts of one input, read back: first their summaries and examples, then their rows.

`gather` checks and reports the summaries; `join` writes the rows to the final files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from job.contract import Reject
from job.errors import InternalError
from job.report.appearance import Appearance
from job.report.examples import Examples
from job.report.label_census import LabelCensus
from job.report.tally import Tally
from job.storage import Storage
from job.write.part_file import PartReader, PartSummary, open_part


@dataclass(frozen=True, slots=True)
class InputParts:
    """The parts of one input, in order.

    paths, summaries: of each part. examples: merged over the parts; their rows count from the start of the input.
    """

    storage: Storage
    paths: tuple[str, ...]
    summaries: tuple[PartSummary, ...]
    examples: Examples

    @classmethod
    def read(cls, storage: Storage, paths: Sequence[str]) -> Self:
        """Read the summaries and examples of the parts. Raises InternalError if a part is damaged."""
        summaries: list[PartSummary] = []
        examples, rows_before = Examples.none(), 0
        for path in paths:
            with open_part(storage, path) as part:
                summaries.append(part.summary)
                examples += _examples(part, path).placed(0, rows_before)
            rows_before += summaries[-1].rows
        return cls(storage, tuple(paths), tuple(summaries), examples)

    @property
    def rows(self) -> int:
        """Records, as the summaries count them."""
        return sum(summary.rows for summary in self.summaries)

    @property
    def tally(self) -> Tally:
        """The counts over all records."""
        return sum((Tally.from_json(summary.tally) for summary in self.summaries), Tally.zero())

    @property
    def appearance(self) -> Appearance:
        """The counts over all scored images."""
        return sum((Appearance.from_json(summary.appearance) for summary in self.summaries), Appearance.zero())

    @property
    def labels(self) -> LabelCensus:
        """The labels that could not be read."""
        return sum((LabelCensus.from_json(summary.labels) for summary in self.summaries), LabelCensus())

    @property
    def warnings(self) -> list[str]:
        """The warnings about the input."""
        return [warning for summary in self.summaries for warning in summary.warnings]

    @property
    def has_rejects(self) -> bool:
        """Whether any record was rejected or has a bad label."""
        return any(sum(summary.tally["reasons"]) for summary in self.summaries)

    def batches(self) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """The prediction rows in order, each batch with its rejects, whose rows and lines count from the input's start.

        Raises InternalError if a part is damaged.
        """
        rows_before = lines_before = 0
        for path, summary in zip(self.paths, self.summaries, strict=True):
            with open_part(self.storage, path) as part:
                for rows, rejects in part.batches():
                    yield rows, [reject.shifted(rows_before, lines_before) for reject in rejects]
            rows_before += summary.rows
            lines_before += summary.lines


def _examples(part: PartReader, path: str) -> Examples:
    try:
        return Examples.from_bytes(part.examples)
    except ValueError as error:
        raise InternalError(f"{path}: is damaged or incomplete ({error}); delete it and run again") from error
