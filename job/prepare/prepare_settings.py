"""The settings of one run of `prepare`."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final

from job.errors import UsageError
from job.flag_names import Flag
from job.settings import ReadSettings, RejectLimit

OUTPUT_SUFFIXES: Final = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """inputs: folders, patterns or files of pictures, as given. output: the file to write.

    read: how labels are found, and whether the ink is known to be dark. is_overwriting: replace what is there.
    are_sheets: the pictures are pages of many digits.
    """

    inputs: tuple[str, ...]
    output: str
    read: ReadSettings = ReadSettings()
    max_rejects: RejectLimit = field(default_factory=lambda: RejectLimit(Decimal(1), is_percent=True))
    threads: int = 1
    is_overwriting: bool = False
    are_sheets: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError for values out of range."""
        if self.threads < 1:
            raise UsageError(f"{Flag.THREADS} {self.threads}: expected at least 1")
        if PurePosixPath(self.output).suffix not in OUTPUT_SUFFIXES:
            raise UsageError(
                f"{Flag.OUTPUT} {self.output}: expected a file whose name ends in {' or '.join(OUTPUT_SUFFIXES)}"
            )
