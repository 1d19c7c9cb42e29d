"""The initial corpus: small files in every form, and some choices for each kind of messy record."""

import gzip

from support.files import csv_text, make_digits

AS_IT_IS, BUILT = b"\0", b"\1"


def write_seeds(folder):
    """Write the seeds to a folder unless it holds files already."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(seed)


def seeds():
    """Inputs of the fuzz target, with their first byte."""
    digits = make_digits(2)
    for has_header in (True, False):
        for has_labels in (True, False):
            text = csv_text(digits[: 2 - has_header], has_header=has_header, has_labels=has_labels).encode()
            yield AS_IT_IS + text
            yield AS_IT_IS + b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")
    yield AS_IT_IS + gzip.compress(csv_text(digits).encode(), mtime=0)
    for form in range(4):
        # Columns, a byte order mark, the line end and whether the last line has one; then choices for the records.
        yield BUILT + bytes([form, form % 2, form // 2, form % 2]) + bytes(range(32))
