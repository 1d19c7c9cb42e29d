"""`make bench-train`: measure how fast training is, print one table, write it as JSON.

Each contender trains a few epochs in a process of its own, one after the other, round by round; ratios are taken within
a round. The first epoch of each, in which TensorFlow compiles, does not count.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.machine import describe, limit_to

from bench_train.contenders import CONTENDERS
from bench_train.table import render, rows_of

_BESIDE = Path(__file__).parents[3] / "shared/data/mnist"


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    cores = limit_to(asked.cores)
    folder = os.environ.get("MNIST_DIR") or (str(_BESIDE) if _BESIDE.exists() else "")
    speeds = {name: [] for name in CONTENDERS}
    for number in range(asked.rounds):
        for name in CONTENDERS:
            print(f"Round {number + 1} of {asked.rounds}: {name} ...", file=sys.stderr, flush=True)
            speeds[name].append(_images_per_second(name, folder, asked.epochs))
    rows = rows_of(speeds)
    about = describe(asked.cores, cores) | {
        "data": "mnist" if folder else "random", "rounds": asked.rounds, "epochs": asked.epochs,
    }  # fmt: skip
    print(render(rows, about))
    result = Path(asked.result)
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"about": about, "table": rows, "images_per_second": speeds}, indent=2) + "\n")
    print(f"\nWritten to {result}")
    return 0


def _images_per_second(name: str, folder: str, epochs: int) -> float:
    """Of the median epoch but for the first, which compiles."""
    command = [sys.executable, "-m", "bench_train.contenders", name, folder, str(epochs + 1)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    return said["images"] / median(said["seconds"][1:])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_train", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that count, of each run")
    parser.add_argument("--cores", type=int, default=2, help="cores for each contender")
    parser.add_argument("--result", default="build/bench-train.json", help="where the table goes")
    asked = parser.parse_args()
    if min(asked.rounds, asked.epochs, asked.cores) < 1:
        parser.error("--rounds, --epochs and --cores must be 1 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
