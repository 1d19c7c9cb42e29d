"""Files in which a number is replaced by those that break arithmetic: 0, 1, 2^31, 2^32, 2^61, 2^63 and neighbours.

`binary_changes` replaces every word of a file, whatever it means: in small files of binary formats that is each count,
size and offset that there is. `text_changes` does it for numbers in text.
"""

import re

_EDGES = (0, 1, 1 << 31, 1 << 32, 1 << 61, 1 << 63)
NUMBERS = sorted(
    {edge + step for edge in _EDGES for step in (-1, 0, 1)} | {-(1 << 31), -(1 << 63), 7, 1 << 20, 1 << 40}
)
# Bytes in a number: the numbers that fit, without repetitions.
NUMBERS_BY_WIDTH = {
    1: [0, 1, 127, 128, 255],
    2: [0, 1, 784, (1 << 15) - 1, 1 << 15, (1 << 16) - 1],
    4: sorted({number % (1 << 32) for number in NUMBERS}),
    8: sorted({number % (1 << 64) for number in NUMBERS}),
}


def binary_changes(content, *, widths=(2, 4, 8), order="little", places=None, step=None):
    """(place, width, number, changed content), for each number at each of `places`; default: all multiples of a width.

    step: the distance of places, if not the width.
    """
    for width in widths:
        for place in places or range(0, len(content) - width + 1, step or width):
            if place + width > len(content):
                continue
            for number in NUMBERS_BY_WIDTH[width]:
                word = number.to_bytes(width, order)
                if content[place : place + width] != word:
                    yield place, width, number, content[:place] + word + content[place + width :]


def text_changes(text):
    """(place, number, changed text), for each number in place of each run of digits."""
    for match in re.finditer(r"\d+", text):
        for number in NUMBERS:
            yield match.start(), number, f"{text[: match.start()]}{number}{text[match.end() :]}"
