"""One file that was never on a disk, for tests that read thousands of them."""

import pyarrow as pa

from job.read.source import files_at, look
from job.storage import FileInfo, never_stop

PATH = "/in/a.csv"


class MemoryStorage:
    """As much of job.storage.Storage as reading needs; holds one file's bytes."""

    def __init__(self, content, check_stop=never_stop):
        self._content = content
        self.check_stop = check_stop

    def stopping(self, check_stop):
        """See Storage."""
        return MemoryStorage(self._content, check_stop)

    def resolve(self, location):
        """See Storage."""
        return location

    def find(self, location):
        """See Storage."""
        return [self.stat(location)]

    def is_folder(self, path):
        """See Storage."""
        return path != PATH

    def stat(self, path):
        """See Storage."""
        return FileInfo(path, len(self._content), "1") if path == PATH else None

    def list(self, folder):
        """See Storage."""
        return ["a.csv"] if folder == "/in" else []

    def open(self, path):
        """See Storage."""
        if path != PATH:
            raise AssertionError(f"{path} was asked for")
        return pa.BufferReader(self._content)

    def read(self, path):
        """See Storage."""
        with self.open(path) as file:
            return file.read()


def looked_at(content, settings):
    """A storage that holds these bytes, and the source that they are. Raises as `look` does."""
    storage = MemoryStorage(content)
    (source,) = look(storage, files_at(storage, [PATH]), settings)
    return storage, source
