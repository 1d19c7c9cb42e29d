"""`make bench-promise`: how often promises by random held-out digits are broken on the others, and what they accept.

The held-out digits are the model's validation and test images; for writers, the test images of MNIST, whose writers
QMNIST knows (DIGITS_DIR). Nothing is chosen by any of them. Exits with 1 if more than 5 of 100 promises are broken.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from bench.machine import describe, limit_to

from bench_promise.splits import Rows, outcome, random_splits
from job.contract import PixelBatch
from job.model.bundle import open_bundle, predictor_of
from job.score.part import predict
from job.storage import LocalStorage
from job.train.data.dataset import read_again
from job.train.data.writers import with_writers

LIMITS = (0.002, 0.005, 0.01, 0.02)
_MOST_BROKEN = 0.05
_SHARED = Path(__file__).parents[3] / "shared/data"


def main() -> int:
    """Run the benchmark."""
    asked = _arguments()
    cores = limit_to(2)
    storage = LocalStorage()
    bundle = open_bundle(storage, asked.model, allows_unblessed=True)
    predictor = predictor_of(bundle)
    dataset = read_again(storage, bundle, os.environ.get("MNIST_DIR") or str(_SHARED / "mnist"))
    test_images = with_writers(storage, os.environ.get("DIGITS_DIR") or str(_SHARED / "digits"), dataset.test)
    validation, test = (
        Rows.of(predict(PixelBatch(each.pixels, each.labels), predictor), each.groups)
        for each in (dataset.validation, test_images)
    )
    cases = {f"rows: {len(validation):,} to calibrate": (validation + test, len(validation))}
    if test.groups is not None:
        cases[f"writers: half of the test images' {len(np.unique(test.groups))} to calibrate"] = (test, len(test) // 2)
    broken = []
    print(f"| {asked.splits} random splits of | limit | broken | refused | accepted | wrong among them |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (rows, calibration_rows) in cases.items():
        for limit in LIMITS:
            found = random_splits(rows, calibration_rows, limit, asked.splits)
            kept = [each for each in found if each.coverage is not None]
            broken.append(sum(each.is_violation(limit) for each in found))
            means = [
                np.mean([getattr(each, what) for each in kept]) if kept else np.nan for what in ("coverage", "error")
            ]
            print(
                f"| {name} | {100 * limit:g} % | {broken[-1]} | {len(found) - len(kept)} | {100 * means[0]:.2f} % | "
                f"{100 * means[1]:.3f} % |"
            )
    print("\n| by the model's card, on its test images | accepted | wrong among them |\n| --- | --- | --- |")
    for limit in LIMITS:
        each = outcome(Rows(validation.bins, validation.is_wrong), test, limit)
        shares = "refused | |" if each.coverage is None else f"{100 * each.coverage:.2f} % | {100 * each.error:.3f} % |"
        print(f"| {100 * limit:g} % | {shares}")
    metrics = bundle.about["metrics"]["test"]
    print(f"\n{bundle.name}, {100 * metrics['accuracy']:.2f} % of its test images; {describe(2, cores)}")
    return int(max(broken) > _MOST_BROKEN * asked.splits)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench_promise", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="build/model", help="a model folder")
    parser.add_argument("--splits", type=int, default=100, help="how many random splits")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
