"""`make bench-digits`: score other people's digits as they hand them in, and measure what normalising costs.

Prints two Markdown tables and writes them as JSON. The speeds are those of one file of MNIST's digits, of which each
round scores each way once; ratios are taken within a round.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from bench.data import Data
from bench.machine import describe, limit_to

from bench_digits.scoring import MODES, score
from bench_digits.sets import digit_sets
from bench_digits.table import accuracy_table, notes, speed_table

_SHARED = Path(__file__).parents[3] / "shared/data"


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    cores = limit_to(asked.threads)
    folder, model = Path(asked.folder), Path(asked.model)
    digits_dir, mnist_dir = (
        Path(os.environ.get(name) or _SHARED / beside)
        for name, beside in (("DIGITS_DIR", "digits"), ("MNIST_DIR", "mnist"))
    )
    scored = {}
    for each in digit_sets(digits_dir, mnist_dir, is_trying=asked.trying):
        if each.missing:
            print(f"{each.name}: skipped: {each.missing}", file=sys.stderr)
            continue
        print(f"{each.name} ...", file=sys.stderr, flush=True)
        scored[each.name] = {mode: score(each.csv(folder), model, mode) for mode in MODES}
    speeds = _speeds(Data(folder.with_name("bench"), str(mnist_dir)), asked) if asked.rounds else {}
    about = describe(asked.threads, cores) | {"model": _model(model), "rows": asked.rows, "rounds": asked.rounds}
    print("\n\n".join([accuracy_table(scored), *([speed_table(speeds)] if speeds else []), notes(about)]))
    result = folder.with_suffix(".json")
    table = [
        {"digits": name, "normalize": mode, **asdict(each)}
        for name, ways in scored.items()
        for mode, each in ways.items()
    ]
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"about": about, "table": table, "rows_per_s": list(speeds.items())}, indent=2) + "\n")
    print(f"\nWritten to {result}")
    return 0


def _speeds(data: Data, asked: argparse.Namespace) -> dict[str, list[float]]:
    """Rows per second of each round, by the way of normalising."""
    path = data.csv(asked.rows)
    speeds: dict[str, list[float]] = {mode: [] for mode in MODES}
    for number in range(asked.rounds):
        for mode in MODES:
            print(f"Round {number + 1} of {asked.rounds}: {mode} ...", file=sys.stderr, flush=True)
            speeds[mode].append(score(path, Path(asked.model), mode).rows_per_s)
    return speeds


def _model(folder: Path) -> str:
    card = json.loads((folder / "model.json").read_text())
    test = (card.get("metrics") or {}).get("test") or {}
    accuracy = f", {100 * test['accuracy']:.2f} % of its test images" if test else ""
    return f"{card['name']}, {card['architecture']}{accuracy}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_digits", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="build/model", help="a model folder")
    parser.add_argument("--rows", type=int, default=200_000, help="records in the file for the speeds")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is timed; 0: not at all")
    parser.add_argument("--threads", type=int, default=2, help="cores for each command")
    parser.add_argument("--folder", default="build/bench-digits", help="where the files are kept; the result beside it")
    parser.add_argument("--trying", action="store_true", help="only sets by which something may be chosen; no exams")
    asked = parser.parse_args()
    if not (Path(asked.model) / "model.json").exists():
        parser.error(f"--model {asked.model}: expected a model folder")
    return asked


if __name__ == "__main__":
    sys.exit(main())
