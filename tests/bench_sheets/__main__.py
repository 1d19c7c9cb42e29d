"""`make bench-sheets`: find and score digits on rendered photos of pages, and say how many of which kind of page.

A hundred pages of twenty digits of MNIST's test images each, drawn from seeds that nothing was chosen by (`--trying`
takes training images and other seeds). Prints a Markdown table and writes it as JSON.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from bench.machine import describe, limit_to
from support.sheets import compared

from job.storage import LocalStorage
from job.train.data.mnist import find_mnist
from job.train.data.rendered_sheet import RenderedSheet, SheetLook, photo_like, render

_MNIST = Path(__file__).parents[3] / "shared/data/mnist"
_DIGITS = 20
_EXAM_SEED, _TRYING_SEED = 1_000_000, 0


@dataclass(frozen=True)
class FoundRow:
    """A row that `prepare` wrote: its place, and the digit that the model read."""

    row: int
    column: int
    box: tuple[float, float, float, float]
    prediction: int


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    cores = limit_to(asked.threads)
    folder = Path(asked.folder)
    pages = dict(_pages(asked))
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    for name, (_, sheet) in pages.items():
        (folder / "pages" / name).write_bytes(sheet.content)
    found = _found(folder, [folder / "pages" / name for name in pages], asked.model)
    counts: defaultdict[str, Counter] = defaultdict(Counter)
    for name, (look, sheet) in pages.items():
        for kind in ("all", *_kinds(look)):
            counts[kind] += _counted(sheet, found[name], has_places=look.layout != "free")
    table = [_line(kind, counts[kind]) for kind in sorted(counts, key=lambda kind: (kind != "all", kind))]
    print("| pages | digits | found | invented | right of found | right place |\n| --- | --- | --- | --- | --- | --- |")
    for line in table:
        print("| " + " | ".join(line) + " |")
    about = describe(asked.threads, cores) | {"pages": asked.pages, "trying": asked.trying, "model": asked.model}
    folder.with_suffix(".json").write_text(json.dumps({"about": about, "table": table}, indent=2) + "\n")
    print(f"\nWritten to {folder.with_suffix('.json')}")
    return 0


def _pages(asked: argparse.Namespace):
    """Names, looks and pages."""
    images = find_mnist(LocalStorage(), os.environ.get("MNIST_DIR") or str(_MNIST), has_test=True)
    split = images.images if asked.trying else images.test
    for number in range(asked.pages):
        seed = (_TRYING_SEED if asked.trying else _EXAM_SEED) + number
        rng = np.random.default_rng(seed)
        look = photo_like(rng)
        some = rng.permutation(len(split))[:_DIGITS]
        yield f"{number:04}.jpg", (look, render(split.pixels[some], split.labels[some], look, seed))


def _found(folder: Path, pages: list[Path], model: str) -> dict[str, list[FoundRow]]:
    """What the commands find on each page."""
    prepared, results = folder / "digits.parquet", folder / "results"
    command = [sys.executable, "-m", "job"]
    inputs = [argument for page in pages for argument in ("--input", str(page))]
    subprocess.run(
        [*command, "prepare", *inputs, "--sheet", "--output", prepared, "--max-rejects", "100%", "--overwrite"],
        check=True,
    )
    subprocess.run(
        [*command, "score", prepared, "--model", model, "--output", results, "--overwrite", "--no-label"], check=True
    )
    rows = pq.read_table(prepared).drop_columns(["pixels"]).to_pylist()
    predictions = pq.read_table(results / "predictions")["prediction"].to_pylist()
    found: defaultdict[str, list[FoundRow]] = defaultdict(list)
    for row, prediction in zip(rows, predictions, strict=True):
        box = (row["left"], row["top"], row["width"], row["height"])
        found[Path(row["id"]).name].append(FoundRow(row["row"], row["column"], box, prediction))
    return found


def _kinds(look: SheetLook) -> list[str]:
    turned = "turned up to 3 degrees" if abs(look.angle) <= 3 else "turned 3 to 6 degrees"
    return [
        f"layout {look.layout}",
        f"paper {look.paper}",
        turned,
        *(["dark shadow"] if look.shadow < 0.65 else []),
        *(["on a dark table"] if look.table else []),
        *(["blur above 1 pixel"] if look.blur > 1 else []),
        *(["pencil"] if min(look.ink) > 100 else []),
    ]


def _counted(sheet: RenderedSheet, found: list[FoundRow], *, has_places: bool) -> Counter:
    same = compared(sheet.digits, found)
    return Counter(
        pages=1,
        digits=len(sheet.digits),
        found=len(same.pairs),
        invented=len(same.invented),
        right=sum(one.label == other.prediction for one, other in same.pairs),
        places=len(same.pairs) if has_places else 0,
        placed=sum((one.row, one.column) == (other.row, other.column) for one, other in same.pairs),
    )


def _line(kind: str, counts: Counter) -> list[str]:
    def share(some: str, whole: str) -> str:
        return f"{100 * counts[some] / counts[whole]:.1f} %" if counts[whole] else "-"

    return [
        f"{kind} ({counts['pages']})",
        f"{counts['digits']:,}",
        share("found", "digits"),
        str(counts["invented"]),
        share("right", "found"),
        share("placed", "places"),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_sheets", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="build/model", help="a model folder")
    parser.add_argument("--pages", type=int, default=100, help="how many pages of 20 digits")
    parser.add_argument("--threads", type=int, default=2, help="cores for each command")
    parser.add_argument("--folder", default="build/bench-sheets", help="where the pages are kept; the result beside it")
    parser.add_argument("--trying", action="store_true", help="pages by which something may be chosen; no exam")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
