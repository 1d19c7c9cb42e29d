"""Commits the files of a run's final output and keeps the size and digest of each, for the manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from job.errors import StorageError
from job.score.output import Claim
from job.storage import Storage
from job.write.hashed_file import HashedFile

if TYPE_CHECKING:
    from job.documents.manifest_json import ManifestOutput

# These contain times, so that an identical run at the same time may have replaced them by its own.
_TIMED_FILES: Final = frozenset({"report.html", "manifest.json"})


class OutputFiles:
    """The files that a run commits to its output folder. committed: their manifest entries, in the order of commits."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self.committed: list[ManifestOutput] = []

    @contextmanager
    def commit(self, path: str) -> Iterator[BinaryIO]:
        """A file to write, committed as `Claim.commit` does. path: relative to the output folder."""
        with self._claim.commit(self._claim.output.path(path)) as file:
            hashed = HashedFile(file)
            yield cast("BinaryIO", hashed)
        self.committed.append({"path": path, "bytes": hashed.bytes, "sha256": hashed.sha256.hexdigest()})

    def write(self, path: str, content: bytes) -> None:
        """Commit a file whose content is at hand. path: relative to the output folder."""
        with self.commit(path) as file:
            file.write(content)

    def check_present(self, storage: Storage) -> None:
        """Raise StorageError if a committed file was removed or replaced: `_SUCCESS` must not be written then."""
        for each in self.committed:
            path = self._claim.output.path(each["path"])
            found = storage.stat(path)
            if found is None or (found.size != each["bytes"] and each["path"] not in _TIMED_FILES):
                raise StorageError(
                    f"{path}: was removed or changed while the run was writing; run the same command again"
                )
