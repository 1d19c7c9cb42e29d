"""The fuzz target: bytes -> a CSV file -> the laws of reading.

If the first byte is even, the others are the file; if it is odd, they are the choices that `messy_csv` makes it from.
"""

from support.messy_csv import messy_csv
from support.reading_laws import check_any_bytes, check_messy


def check(data, broken):
    """Raise if a law is broken, and save the file that breaks it at `broken`."""
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
