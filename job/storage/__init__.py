"""All access to files: find, open, commit, remove. The rest of the job imports from this package, not its modules.

protocol: the `Storage` interface. router: `storage_at` picks the implementation by URI scheme. local: `LocalStorage`,
built on filesystem (one method per system call), finding (folders and patterns) and swapping (replaces folders).
replacing: which file a command may write over. faults: translates the errors of the operating system and Arrow.
stopping: the function that a storage carries to stop the work on its files.
"""

from job.storage.faults import is_system_error, translated_errors
from job.storage.local import LocalStorage
from job.storage.paths import common_folder, is_below, is_within, join, relative_to, too_long
from job.storage.protocol import FileInfo, Storage, check_unchanged, unquoted
from job.storage.replacing import refuse_existing, refuse_foreign
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
    "is_below",
    "is_system_error",
    "is_within",
    "join",
    "never_stop",
    "refuse_existing",
    "refuse_foreign",
    "relative_to",
    "storage_at",
    "too_long",
    "translated_errors",
    "unquoted",
]
