"""Picks the storage for a location. The only one so far is `LocalStorage`."""

from job.storage.local import LocalStorage
from job.storage.paths import check_scheme
from job.storage.protocol import Storage


def storage_at(*locations: str) -> Storage:
    """The storage that holds all of the locations (paths or URIs). Raises UsageError for an unsupported scheme."""
    for location in locations:
        check_scheme(location)
    return LocalStorage()
