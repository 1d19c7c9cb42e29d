"""What the fuzzer starts from: small files in every dress, and a few bytes for each kind of mess."""

import gzip

from support.files import csv_text, make_digits

AS_IT_IS, BUILT = b"\0", b"\1"


def write_seeds(folder):
    """Fill a folder, unless it holds something."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number}").write_bytes(seed)


def seeds():
    """Whole inputs, the first byte included."""
    digits = make_digits(2)
    for has_header in (True, False):
        for has_labels in (True, False):
            text = csv_text(digits[: 2 - has_header], has_header=has_header, has_labels=has_labels).encode()
            yield AS_IT_IS + text
            yield AS_IT_IS + b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n")
    yield AS_IT_IS + gzip.compress(csv_text(digits).encode(), mtime=0)
    for dress in range(4):
        # A mark or none, a kind of line end, a last one or none; then two bytes for each of the kinds of record.
        yield BUILT + bytes([dress, dress % 2, dress // 2, dress % 2]) + bytes(range(32))
