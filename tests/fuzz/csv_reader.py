"""The fuzz target: bytes -> a CSV file -> the laws of reading.

What follows the first byte is the file; or makes it, if that byte is odd.
"""

from support.messy_csv import messy_csv
from support.reading_laws import check_any_bytes, check_messy


def check(data, broken):
    """Raises where a law is broken, and leaves the file that did it at `broken`."""
    is_built = data[:1] > b"" and data[0] % 2
    rest = data[1:]
    file = messy_csv(rest) if is_built else None
    content = file.content if file else rest
    try:
        if file:
            check_messy(file)
        else:
            check_any_bytes(content)
    except BaseException:
        broken.write_bytes(content)
        print(f"\nThe file that breaks the law: {broken}")
        raise
