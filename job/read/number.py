"""What a field of text says as a number: the one answer that layout, head and records go by."""

import math
from typing import Literal

DecimalMark = Literal[".", ","]


def number(text: str, decimal: DecimalMark = ".") -> float | None:
    """A finite number; None for words, NaN, infinity, other scripts' digits and Python's own 1_000.

    With a decimal comma a point is no part of a number: `1.000` may mean a thousand there.
    """
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and text.isascii() and "_" not in text else None


def unquoted(text: str) -> str:
    """A field without the space and the single quotes around it that ARFF, and so OpenML's CSV, knows."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text
