"""The committed parts of one input, read back: first their counts and examples, then their rows.

`gather` checks and reports the counts; `join` writes the rows to the final files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import pyarrow as pa

from job.contract import Reject
from job.report.appearance import Appearance
from job.report.examples import MAX_UNSURE, Examples
from job.report.label_census import LabelCensus
from job.report.tally import Tally
from job.score.counted_part import CountedPart
from job.storage import Storage
from job.write.part_file import PartFile, open_part


@dataclass(frozen=True, slots=True)
class InputParts:
    """The parts of one input, in order.

    files: of the parts. sizes: rows and lines of each. tally, appearance, labels, warnings, examples: of all together;
    rows of examples count from the start of the input.
    """

    storage: Storage
    files: tuple[PartFile, ...]
    sizes: tuple[tuple[int, int], ...]
    tally: Tally
    appearance: Appearance
    labels: LabelCensus
    warnings: tuple[str, ...]
    examples: Examples

    @classmethod
    def read(cls, storage: Storage, files: Sequence[PartFile], kept: int = MAX_UNSURE) -> Self:
        """Read the counts and examples of the parts; kept: see `Examples`. Raises PartDamaged, StorageError."""
        sizes: list[tuple[int, int]] = []
        tally, appearance, labels, examples = Tally.zero(), Appearance.zero(), LabelCensus(), Examples.none(kept)
        warnings: list[str] = []
        rows_before = 0
        for file in files:
            with open_part(storage, file) as part:
                counted = CountedPart.of(part, file.path, kept)
            sizes.append((counted.summary.rows, counted.summary.lines))
            tally += counted.tally
            appearance += counted.appearance
            labels += counted.labels
            warnings += counted.summary.warnings
            examples += counted.examples.placed(0, rows_before)
            rows_before += counted.summary.rows
        return cls(storage, tuple(files), tuple(sizes), tally, appearance, labels, tuple(warnings), examples)

    @property
    def rows(self) -> int:
        """Records, as the summaries count them."""
        return sum(rows for rows, _ in self.sizes)

    @property
    def has_rejects(self) -> bool:
        """Whether any record was rejected or has a bad label."""
        return bool(self.tally.reasons.any())

    def batches(self) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """The prediction rows in order, each batch with its rejects, whose rows and lines count from the input's start.

        Raises PartDamaged, StorageError.
        """
        rows_before = lines_before = 0
        for file, (part_rows, part_lines) in zip(self.files, self.sizes, strict=True):
            with open_part(self.storage, file) as part:
                for rows, rejects in part.batches():
                    yield rows, [reject.shifted(rows_before, lines_before) for reject in rejects]
            rows_before += part_rows
            lines_before += part_lines
