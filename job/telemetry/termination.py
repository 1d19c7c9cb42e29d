"""A container's last word: why it ended, in the file that Kubernetes shows as the pod's termination message.

See "Determine the Reason for Pod Failure" in the Kubernetes documentation: terminationMessagePath.
"""

import logging
import os
import stat
from typing import Final

from job.log import Event, event

_log = logging.getLogger(__name__)

VARIABLE: Final = "DIGIT_JOB_TERMINATION_LOG"
_PATH: Final = "/dev/termination-log"
# More of it Kubernetes would cut off, at its front.
_MOST_BYTES: Final = 4096


def tell_cause_of_death(exit_code: int, message: str, path: str | None = None) -> None:
    """Write why the process ends where Kubernetes looks for it: into a file that is there already, or nowhere.

    path: instead of that which the environment names. What goes wrong here is a warning: the exit code stays.
    """
    path = path or os.environ.get(VARIABLE) or _PATH
    text = f"exit code {exit_code}: {message}".encode(errors="backslashreplace")[:_MOST_BYTES]
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return
        # Written in place, unlike all other files: it is mounted, and no other can be given its name.
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, text.decode(errors="ignore").encode())
        finally:
            os.close(handle)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s: %s", path, os.strerror(error.errno or 0), extra=event(Event.TELEMETRY_FAILED, to=path))
