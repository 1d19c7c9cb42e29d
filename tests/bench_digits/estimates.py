"""`make bench-estimates`: how far the accuracy estimated without labels is from the measured one.

The sets are the model's own validation images, clean and corrupted in fifteen ways, USPS's training digits and
optdigits, with --normalize auto and none; with --exams, instead, t10k, USPS's test digits and Semeion.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from support.files import Digits

from bench_digits.scoring import Scored, score
from bench_digits.sets import DigitSet, digit_sets
from job.model.bundle import open_bundle
from job.storage import LocalStorage
from job.train.data.dataset import read_again
from job.train.judge.corruptions.catalog import CORRUPTIONS, corrupted

_SHARED = Path(__file__).parents[3] / "shared/data"


def main() -> int:
    """Print one Markdown table."""
    asked = _arguments()
    folder, model = Path(asked.folder), Path(asked.model)
    print("| digits | `--normalize` | rows | accuracy | mean confidence | estimate | range |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    for each in _exams() if asked.exams else [*_corrupted(model), *_others(is_trying=True)]:
        if each.missing:
            print(f"{each.name}: skipped: {each.missing}", file=sys.stderr)
            continue
        for mode in ("auto", "none"):
            print(row(each.name, mode, score(each.csv(folder), model, mode)), flush=True)
    return 0


def row(name: str, mode: str, scored: Scored) -> str:
    """One line of the table, with a bold range where it misses the accuracy."""
    cells = [name, mode, f"{scored.rows:,}", _percent(scored.accuracy), _percent(scored.confidence)]
    if scored.estimated_range is None:
        return f"| {' | '.join(cells)} | not to be trusted | |"
    low, high = scored.estimated_range
    limits = f"{_percent(low)} to {_percent(high)}"
    cells += [_percent(scored.estimated), limits if low <= scored.accuracy <= high else f"**{limits}**"]
    return f"| {' | '.join(cells)} |"


def _corrupted(model: Path) -> Iterator[DigitSet]:
    """The validation images of the model's data. The card has the confidences of the clean ones."""
    bundle = open_bundle(LocalStorage(), str(model), allows_unblessed=True)
    images = read_again(LocalStorage(), bundle, os.environ.get("MNIST_DIR") or str(_SHARED / "mnist")).validation
    name = f"{bundle.digest[:8]} validation"
    yield DigitSet(name, lambda: Digits(images.pixels, images.labels))
    for each in CORRUPTIONS:
        yield DigitSet(f"{name} {each}", lambda each=each: Digits(corrupted(images.pixels, each, 1), images.labels))


def _others(*, is_trying: bool) -> list[DigitSet]:
    paths = [Path(os.environ.get(name) or _SHARED / beside) for name, beside in _PLACES]
    return digit_sets(*paths, is_trying=is_trying)


def _exams() -> list[DigitSet]:
    return [each for each in _others(is_trying=False) if each.name != "optdigits"]


_PLACES = (("DIGITS_DIR", "digits"), ("MNIST_DIR", "mnist"))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_digits.estimates", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="build/model", help="a model folder")
    parser.add_argument("--folder", default="build/bench-digits", help="where the files are kept")
    parser.add_argument("--exams", action="store_true", help="the sets by which nothing may be chosen")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
