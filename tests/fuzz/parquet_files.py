"""The fuzz target of whole Parquet files: bytes -> lies about a written file -> the reader, in a process that may die.

The law: a file is read with as many rows as it announces, or refused with 65 and its name, in bounded time and memory.
"""

import random

from support.crafted_parquet import VALUES, Lie, written_files
from support.reader_process import ReaderProcess, problem

_MOST_LIES = 4
_BITS = 64


class FileTarget:
    """Bytes seed the choice of a file, of the numbers to replace, and of bytes to change before the footer."""

    def __init__(self, broken):
        """broken: the path that a file which breaks the law is written to."""
        self._broken = broken
        self._files = list(written_files())
        self._weights = [1 / len(file.content) for _, file in self._files]  # large files take long
        self._reader = ReaderProcess(seconds=60)
        self._reader.read(self._files[-1][1].content)  # loads what reading needs

    def check(self, data):
        """Raise if the law is broken, and save the file that breaks it."""
        name, lies, content = self._drawn(data)
        found = problem(self._reader.read(content))
        if found is None:
            return
        self._broken.write_bytes(content)
        raise AssertionError(f"{name} with {lies}, saved as {self._broken}: {found}")

    def _drawn(self, data):
        draw = random.Random(data)
        name, file = draw.choices(self._files, self._weights)[0]
        lies = [Lie(draw.choice(file.names), self._value(draw)) for _ in range(draw.randint(0, _MOST_LIES))]
        content = bytearray(file.lie(lies))
        for _ in range(draw.randint(not lies, 2)):
            size = draw.choice((1, 4, 8))
            place = draw.randrange(4, min(file.footer_start, len(content)) - size)
            content[place : place + size] = (self._value(draw) % 2 ** (8 * size)).to_bytes(size, "little")
        return name, lies, bytes(content)

    def _value(self, draw):
        return draw.choice(VALUES) if draw.random() < 0.8 else draw.getrandbits(draw.randint(1, _BITS))
