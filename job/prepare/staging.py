"""The hidden folder beside the output that holds the parts of an unfinished `prepare` run: `.NAME.parts`.

`run.json` in it says which run they are of. `preparing` continues from them, and removes the folder at its end.
"""

import json
import os
from dataclasses import dataclass

from job.errors import OutputOccupied, PartDamaged
from job.flag_names import Flag
from job.prepare.prepared_part import PreparedPart
from job.storage import Storage, join


@dataclass(frozen=True, slots=True)
class Staging:
    """The parts of one run. output: the path of the final file. fingerprint: of the run."""

    storage: Storage
    output: str
    fingerprint: str

    @property
    def folder(self) -> str:
        """Its path."""
        return join(os.path.dirname(self.output), f".{os.path.basename(self.output)}.parts")

    def claim(self, *, is_overwriting: bool) -> bool:
        """Make the folder this run's; returns whether it was before. Raises OutputOccupied if it is another run's."""
        content = json.dumps({"fingerprint": self.fingerprint}).encode() + b"\n"
        path = join(self.folder, "run.json")
        if self.storage.stat(path) is None and is_overwriting:
            self.discard()
        if self.storage.create(path, content):
            return False
        if self.storage.read(path) == content:
            return True
        if not is_overwriting:
            raise OutputOccupied(
                f"{self.folder}: holds an unfinished run over other pictures or with other flags; discard it with "
                f"{Flag.OVERWRITE}, or choose another {Flag.OUTPUT}"
            )
        self.discard()
        self.storage.create(path, content)
        return False

    def discard(self) -> None:
        """Remove the folder."""
        self.storage.remove(self.folder)

    def commit(self, index: int, part: PreparedPart) -> None:
        """Write a part's file, atomically."""
        self.storage.write(self._path(index), part.to_bytes(self._identity(index)))

    def read(self, index: int) -> PreparedPart:
        """A committed part. Raises PartDamaged if it was changed."""
        path = self._path(index)
        return PreparedPart.from_bytes(self.storage.read(path), self._identity(index), path)

    def is_committed(self, index: int) -> bool:
        """Whether a part is there, whole."""
        if self.storage.stat(self._path(index)) is None:
            return False
        try:
            self.read(index)
        except PartDamaged:
            return False
        return True

    def _path(self, index: int) -> str:
        return join(self.folder, f"{index:06}.arrow")

    def _identity(self, index: int) -> str:
        return f"{self.fingerprint} {index}"
