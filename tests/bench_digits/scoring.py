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


@dataclass(frozen=True)
class Scored:
    """What came of a run.

    confidence: the mean of all rows. estimated_accuracy, estimated_range: as the report has them; None: not to be
    trusted. rows_per_s: while it scored, without starting up.
    """

    rows: int
    accuracy: float
    confidence: float
    estimated_accuracy: float | None
    estimated_range: tuple[float, float] | None
    decision: str | None
    rows_per_s: float


def score(path: Path, model: Path, mode: str | None) -> Scored:
    """Score a labelled file. mode: of --normalize; None: without the flag. Raises RuntimeError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "job", "score", "--input", path, "--output", f"{folder}/out", "--model", model]
        command += ["--format", "parquet", "--log-format", "json", *([] if mode is None else ["--normalize", mode])]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
        done = subprocess.run(list(map(str, command)), env=clean, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        report = json.loads(Path(folder, "out/report.json").read_text())
        (predictions,) = Path(folder, "out/predictions").iterdir()
        confidence = pq.read_table(predictions, columns=["confidence"])["confidence"].to_numpy().mean(dtype=float)
    finished = json.loads(done.stderr.splitlines()[-1])["fields"]
    return _scored(report, float(confidence), finished["rows_per_second"])


def has_modes() -> bool:
    """Whether `digit-job score` knows --normalize."""
    command = [sys.executable, "-m", "job", "score", "--help"]
    return "--normalize" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _scored(report: dict[str, Any], confidence: float, rows_per_s: float) -> Scored:
    found = report.get("estimated_accuracy_range")
    return Scored(
        report["rows"]["read"],
        report["accuracy"],
        confidence,
        report["estimated_accuracy"] if found else None,
        tuple(found) if found else None,
        None,
        rows_per_s,
    )
