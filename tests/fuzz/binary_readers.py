"""The fuzz target of the readers of binary formats: bytes -> a crafted file -> a process that reads it.

The first byte chooses one of `crafted_files.FILES`. Each five bytes that follow replace a word in it: where, how wide,
in which order of bytes, and by which number. The laws: the process survives, in bounded memory, and the file is read
with as many rows as it announces, or refused with 65. The process restarts if it dies, which is a finding.
"""

from support.changed_numbers import NUMBERS_BY_WIDTH
from support.crafted_files import FILES
from support.reader_process import ReaderProcess, problem

_CHANGE_BYTES = 5
_MOST_CHANGES = 6
_WIDTHS = tuple(NUMBERS_BY_WIDTH)


class ReadersTarget:
    """See above."""

    def __init__(self):
        self._reader = ReaderProcess(seconds=60)
        self._files = list(FILES.values())

    def check(self, data):
        """Raise if a law is broken."""
        found = problem(self._reader.read(crafted(self._files, data)))
        assert found is None, found


def crafted(files, data):
    """The file that fuzzed bytes stand for."""
    content = bytearray(files[data[0] % len(files)] if data else files[0])
    for start in range(1, min(len(data), 1 + _MOST_CHANGES * _CHANGE_BYTES) - _CHANGE_BYTES + 1, _CHANGE_BYTES):
        place, choice, number = int.from_bytes(data[start : start + 3], "little"), data[start + 3], data[start + 4]
        width = _WIDTHS[choice % len(_WIDTHS)]
        # Metadata are at both ends and at multiples of four; most of the rest is pixels.
        place = place % (len(content) - width) if choice & 8 else 4 * (place % 200)
        place = len(content) - width - place if choice & 16 else place
        word = NUMBERS_BY_WIDTH[width][number % len(NUMBERS_BY_WIDTH[width])].to_bytes(
            width, "big" if choice & 4 else "little"
        )
        if 0 <= place <= len(content) - width:
            content[place : place + width] = word
    return bytes(content)
