"""The only door to any file: find, open, commit, remove.

A location is a URI; one without a scheme is a local path. `Storage` (protocol) is what the rest of the job knows,
`storage_at` (router) finds the one for a location, and `LocalStorage` (local) is made of the operating system's
operations (filesystem) and of the search through folders and patterns (finding). Foreign errors become this job's own
in `faults`. A storage carries the function that stops the work on it (stopping). Everything outside this folder
imports from here.
"""

from job.storage.faults import is_of_the_machine, translated_errors
from job.storage.local import LocalStorage
from job.storage.paths import common_folder, join, relative_to
from job.storage.protocol import FileInfo, Storage, check_unchanged
from job.storage.router import storage_at
from job.storage.stopping import CheckStop, StoppableFile, never_stop

__all__ = [
    "CheckStop",
    "FileInfo",
    "LocalStorage",
    "StoppableFile",
    "Storage",
    "check_unchanged",
    "common_folder",
    "is_of_the_machine",
    "join",
    "never_stop",
    "relative_to",
    "storage_at",
    "translated_errors",
]
