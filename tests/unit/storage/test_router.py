import pytest

from job.errors import UsageError
from job.storage import LocalStorage, storage_at


@pytest.mark.parametrize("location", ["in/a.csv", "/in/a.csv", "file:///in/a.csv", "~/a.csv", "strange:name.csv"])
def test_paths_and_file_uris_are_local(location):
    """A path is served by the local file system, with or without file://."""
    assert isinstance(storage_at(location), LocalStorage)


@pytest.mark.parametrize("location", ["s3://bucket/a.csv", "gs://b/c", "abfs://b/c", "http://example.org/a.csv"])
def test_an_unsupported_scheme_is_refused(location):
    """The usage error says what to do instead."""
    scheme = location.split("://", maxsplit=1)[0]
    with pytest.raises(UsageError) as error:
        storage_at(location)
    assert str(error.value).startswith(f"{location}: {scheme}:// is not supported; mount it or copy it")
