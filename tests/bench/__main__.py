"""`make bench`: measure, print one table, write it as JSON.

    data --files--> scenarios --repeats, interleaved--> measurements --targets--> table

A target that is missed fails nothing; a command that fails is shown, and makes the exit code 1.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from bench.data import Data
from bench.machine import describe, limit_to, sgemm_flops
from bench.measure import Recorder
from bench.network import flops_per_row
from bench.scenarios import Sizes, scenarios
from bench.table import render, rows_of
from bench.targets import targets


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    cores = limit_to(asked.threads)
    data = Data(Path(asked.folder), os.environ.get("MNIST_DIR"))
    sizes = Sizes(asked.rows)
    recorder = Recorder(Path(asked.folder) / "out")
    flops = []
    for scenario in scenarios(data, sizes, asked.model, asked.threads):
        flops += [sgemm_flops(asked.threads)]
        recorder.run(scenario, asked.repeats)
    rows = rows_of(targets(sizes), recorder.runs, max(flops), flops_per_row(asked.model))
    about = describe(asked.threads, cores) | {
        "data": data.kind, "rows": asked.rows, "repeats": asked.repeats, "sgemm_gflops": round(max(flops) / 1e9, 1),
        "same_digits": recorder.same_digits, "errors": recorder.errors,
    }  # fmt: skip
    print(render(rows, about, sizes))
    result = Path(asked.folder).with_suffix(".json")
    result.write_text(json.dumps({"about": about, "table": rows, "runs": recorder.as_json()}, indent=2) + "\n")
    print(f"\nWritten to {result}")
    return 1 if recorder.errors else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=700_000, help="records in the large files; others go with it")
    parser.add_argument("--repeats", type=int, default=3, help="how often each command runs")
    parser.add_argument("--threads", type=int, default=2, help="threads and cores for each command")
    parser.add_argument("--model", default="build/model", help="a model folder")
    parser.add_argument("--folder", default="build/bench", help="where the data is kept; the result stands beside it")
    asked = parser.parse_args()
    if not (Path(asked.model) / "model.onnx").exists():
        parser.error(f"--model {asked.model}: expected a model folder with model.keras and model.onnx")
    if min(asked.rows, asked.repeats, asked.threads) < 1:
        parser.error("--rows, --repeats and --threads must be 1 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
