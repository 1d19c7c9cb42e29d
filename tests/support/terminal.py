"""Runs a command on a terminal, and says what is on the screen at its end."""

import os
import pty
import re
import select
import subprocess
import sys

_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])")


def on_a_terminal(*command, **environment):
    """What `digit-job ...` writes to a terminal on standard output and error, and its exit code."""
    leader, follower = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DIGIT_JOB_", "NO_COLOR"))}
    process = subprocess.Popen(
        [sys.executable, "-c", "from job.cli.app import main; main()", *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
    )
    os.close(follower)
    written = b""
    while select.select([leader], [], [], 120)[0]:
        try:
            piece = os.read(leader, 1 << 16)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(leader)
    return written.decode(), process.wait()


def screen_lines(written):
    """The lines that stay on a long screen, of text with the few sequences that rich moves the cursor and erases by."""
    lines, row, column = [""], 0, 0
    at = 0
    for found in [*_CONTROL.finditer(written), None]:
        text = written[at : found.start() if found else None]
        lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
        column += len(text)
        if found is None:
            break
        at = found.end()
        number, command, line_end = found.groups()
        if line_end == "\r":
            column = 0
        elif line_end == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif command == "A":
            row = max(0, row - int(number or 1))
        elif command == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
    return [line.rstrip() for line in lines]
