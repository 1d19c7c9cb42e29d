"""Who can have written a file or folder: what another user of the machine can have written is not believed.

`storage` reads checkpoints by this rule, `compiled.cache` compiled code. Ask about an open descriptor: between a look
at a path and its use, another user can replace what is there.
"""

import os
import stat


def distrust(status: os.stat_result) -> str:
    """Why another user may have written a file or folder; empty if only this user or root can have.

    An access control list that lets others write shows in the group's bits.
    """
    if status.st_uid not in {0, os.geteuid()}:
        return f"belongs to user {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by other users (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
