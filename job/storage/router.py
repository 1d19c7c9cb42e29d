"""Which storage a location lives in."""

from job.storage.local import LocalStorage
from job.storage.paths import check_scheme
from job.storage.protocol import Storage


def storage_at(*locations: str) -> Storage:
    """The storage that all of the locations (paths or URIs) live in. Raises UsageError where there is none."""
    for location in locations:
        check_scheme(location)
    return LocalStorage()
