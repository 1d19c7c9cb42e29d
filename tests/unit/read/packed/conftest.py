"""A compressed file to read, for the tests of this folder."""

from contextlib import ExitStack

import pytest

from job.read.packed.stream import opened


@pytest.fixture
def stream(storage, tmp_path):
    """A function that opens a file with the given content, which stays open until the test ends."""
    with ExitStack() as stack:

        def open_content(content):
            (tmp_path / "a.csv.gz").write_bytes(content)
            return stack.enter_context(opened(storage, storage.stat(str(tmp_path / "a.csv.gz")))).stream

        yield open_content
