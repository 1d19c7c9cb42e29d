"""A storage with one file in memory, for tests that read thousands of files."""

import pyarrow as pa

from job.read.source import files_at, look
from job.storage import FileInfo, never_stop

PATH = "/in/a.csv"


class MemoryStorage:
    """The part of job.storage.Storage that reading needs, with one file."""

    def __init__(self, content, check_stop=never_stop):
        self._content = content
        self.check_stop = check_stop

    def stopping(self, check_stop):
        return MemoryStorage(self._content, check_stop)

    def resolve(self, location):
        return location

    def real_path(self, path):
        return path

    def find(self, location):
        return [self.stat(location)]

    def is_folder(self, path):
        return path != PATH

    def stat(self, path):
        return FileInfo(path, len(self._content), "1") if path == PATH else None

    def list(self, folder):
        return ["a.csv"] if folder == "/in" else []

    def open(self, path):
        if path != PATH:
            raise AssertionError(f"{path} was asked for")
        return pa.BufferReader(self._content)

    def read(self, path):
        with self.open(path) as file:
            return file.read()


def source_in_memory(content, settings):
    """A storage with this content, and the source of its file. Raises the errors of `look`."""
    storage = MemoryStorage(content)
    (source,) = look(storage, files_at(storage, [PATH]), settings)
    return storage, source
