"""Rendered pages of drawn digits, and how the digits found on them compare with the truth."""

from dataclasses import dataclass

import numpy as np

from job.normalize.reference_digits import reference_digits
from job.train.data.rendered_sheet import SheetLook, render

SMALL_PAGE = {"size": (700, 1000), "digit": 45, "cell": 2.0, "rows": 5, "columns": 4}


def sheet(seed=0, count=None, **look):
    """A small page with drawn digits."""
    chosen = SheetLook(**SMALL_PAGE | look)
    drawn = reference_digits()
    pixels, labels = drawn.pixels, drawn.labels
    count = chosen.rows * chosen.columns if count is None else count
    some = np.random.default_rng(seed).permutation(len(labels))[:count]
    return render(pixels[some], labels[some], chosen, seed)


def grey(rendered):
    """Its grey pixels as a camera stores them."""
    return np.asarray(rendered.picture.convert("L"))


@dataclass(frozen=True)
class Comparison:
    """Pairs of placed and found digits, what was not found, and what was found where nothing is."""

    pairs: list
    missed: list
    invented: list


def compared(placed, found, least_overlap=0.5):
    """Digits whose boxes overlap (intersection over union), best first, each once."""
    overlaps = [(_overlap(one.box, other.box), i, j) for i, one in enumerate(placed) for j, other in enumerate(found)]
    pairs = {}
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= least_overlap and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return Comparison(
        [(placed[i], found[j]) for i, j in sorted(pairs.items())],
        [each for i, each in enumerate(placed) if i not in pairs],
        [each for j, each in enumerate(found) if j not in pairs.values()],
    )


def _overlap(one, other):
    (x0, y0, w0, h0), (x1, y1, w1, h1) = one, other
    across = max(0, min(x0 + w0, x1 + w1) - max(x0, x1))
    along = max(0, min(y0 + h0, y1 + h1) - max(y0, y1))
    return across * along / (w0 * h0 + w1 * h1 - across * along)
