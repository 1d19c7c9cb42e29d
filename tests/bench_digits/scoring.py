"""One file scored by `digit-job score`, as a process: what its report says, and how long scoring took."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

MODES = ("none", "mnist", "auto")
_FEW_ERRORS = 0.005


@dataclass(frozen=True)
class Scored:
    """What came of a run, all shares in 0-1. confidence: the mean of all rows.

    estimated: the accuracy that the report estimates without labels; None: withheld. estimated_range: the lowest and
    highest accuracy that is likely by it; None: withheld. coverage: the share of the surest
    rows of which 0.5 % are wrong, by their labels. form: what was done to the images, in words. rows_per_s: while it
    scored, without starting up.
    """

    rows: int
    accuracy: float
    confidence: float
    estimated: float | None
    estimated_range: tuple[float, float] | None
    coverage: float
    form: str
    rows_per_s: float


def score(path: Path, model: Path, mode: str) -> Scored:
    """Score a labelled file. mode: of --normalize. Raises RuntimeError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "job", "score", "--input", path, "--output", f"{folder}/out", "--model", model]
        command += ["--format", "parquet", "--log-format", "json", "--normalize", mode]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
        done = subprocess.run(list(map(str, command)), env=clean, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        report = json.loads(Path(folder, "out/report.json").read_text())
        (predictions,) = Path(folder, "out/predictions").iterdir()
        confidence = pq.read_table(predictions, columns=["confidence"])["confidence"].to_numpy().mean(dtype=float)
    finished = json.loads(done.stderr.splitlines()[-1])["fields"]
    return _scored(report, float(confidence), finished["rows_per_second"])


def _scored(report: dict[str, Any], confidence: float, rows_per_s: float) -> Scored:
    (coverage,) = (each["coverage"] for each in report["risk_coverage"]["coverage_at"] if each["error"] == _FEW_ERRORS)
    found = report["estimated_accuracy_range"]
    forms = [each["description"] for each in report["normalization"]["inputs"]]
    return Scored(
        report["rows"]["read"],
        report["accuracy"],
        confidence,
        report["estimated_accuracy"],
        tuple(found) if found else None,
        coverage,
        forms[0] if forms else "as stored",
        rows_per_s,
    )
