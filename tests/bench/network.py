"""How much arithmetic one row costs."""

import itertools
import json
from pathlib import Path


def flops_per_row(model: str) -> int | None:
    """Multiplications and additions of a dense network's matrix products; None for another architecture.

    268,800 for 784-128-128-128-10.
    """
    architecture = json.loads((Path(model) / "model.json").read_text())["architecture"]
    widths = architecture.split("-")
    if not all(width.isdecimal() for width in widths):
        return None
    return sum(2 * int(before) * int(after) for before, after in itertools.pairwise(widths))
