"""Commands as whole processes: how long each takes, and its peak memory.

Of a scenario, each command runs once a round, one after the other, so that whatever else the machine does meets all of
them; ratios are taken within a round.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq

_SHOWN_LINES = 15
_UNUSABLE_DATA = 65


@dataclass(frozen=True, slots=True)
class Command:
    """One contender.

    arguments: `{output}` in them is where it writes: digit-job a folder, a peer a file. rows: how many predictions it
    must write, where has_predictions. can_refuse: exit code 65 says `not supported`, and is no failure.
    """

    key: str
    arguments: list[str]
    source: Path
    rows: int
    has_predictions: bool = False
    can_refuse: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process; peak_mb is None where the process does not tell."""

    seconds: float
    peak_mb: float | None


@dataclass(slots=True)
class Runs:
    """All measured processes of one command, and what they worked on; `problem` says why there are none."""

    rows: int
    size_bytes: int
    runs: list[Run] = field(default_factory=list)
    problem: str | None = None

    @property
    def seconds(self) -> list[float]:
        """One a round."""
        return [run.seconds for run in self.runs]

    @property
    def peaks_mb(self) -> list[float]:
        """One a round, where known."""
        return [run.peak_mb for run in self.runs if run.peak_mb is not None]


class Recorder:
    """Runs scenarios and keeps what they gave; the first failure of a command is its last run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.runs: dict[str, Runs] = {}
        self.same_digits: dict[str, float] = {}
        self.errors: list[str] = []

    def run(self, commands: list[Command], repeats: int) -> None:
        """Interleaved, so many rounds. Each file is read once before, so that all find it in memory."""
        for source in {command.source for command in commands}:
            _read_through(source)
        for command in commands:
            self.runs[command.key] = Runs(command.rows, command.source.stat().st_size)
        digits: dict[str, Any] = {}
        for number in range(repeats):
            for command in commands:
                if not self.runs[command.key].problem:
                    print(f"Round {number + 1} of {repeats}: {command.key} ...", file=sys.stderr, flush=True)
                    self._measure(command, digits)
        self._compare(digits)

    def as_json(self) -> dict[str, Any]:
        """All that was measured."""
        return {key: asdict(runs) for key, runs in self.runs.items()}

    def _measure(self, command: Command, digits: dict[str, Any]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        arguments = [part.format(output=self._folder / "result") for part in command.arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DIGIT_JOB_")}
        start = time.perf_counter()
        result = subprocess.run(
            arguments, env=environment | command.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if result.returncode:
            self._tell(command, result)
            return
        if command.has_predictions:
            digits[command.key] = _predictions(self._folder / "result")
            found = len(digits[command.key])
            if found != command.rows:
                self._fail(command, f"wrote {found} rows, expected {command.rows}")
                return
        self.runs[command.key].runs.append(Run(seconds, _peak_mb(result.stdout)))
        shutil.rmtree(self._folder)

    def _tell(self, command: Command, result: subprocess.CompletedProcess[str]) -> None:
        last = "\n".join(result.stderr.splitlines()[-_SHOWN_LINES:])
        if command.can_refuse and result.returncode == _UNUSABLE_DATA:
            print(f"{command.key}: not supported: {last}", flush=True)
            self.runs[command.key].problem = "not supported"
        else:
            self._fail(command, f"exit code {result.returncode}\n{last}")

    def _fail(self, command: Command, what: str) -> None:
        print(f"{command.key}: failed: {what}", flush=True)
        self.runs[command.key].problem = "failed"
        self.errors.append(f"{command.key}: {what}")

    def _compare(self, digits: dict[str, Any]) -> None:
        """What share of digits each contender gave like the first: peers must do the same work to be peers."""
        first, *others = digits or [""]
        for other in others:
            if len(digits[other]) == len(digits[first]):
                self.same_digits[other] = float((digits[other] == digits[first]).mean())


def _read_through(source: Path) -> None:
    with source.open("rb") as file:
        while file.read(1 << 24):
            pass


def _predictions(path: Path) -> Any:
    if path.is_dir():
        (path,) = (path / "predictions").iterdir()
    if path.suffix == ".parquet":
        return pq.read_table(path, columns=["prediction"])["prediction"].to_numpy()
    options = pyarrow.csv.ConvertOptions(include_columns=["prediction"])
    return pyarrow.csv.read_csv(path, convert_options=options)["prediction"].to_numpy()


def _peak_mb(stdout: str) -> float | None:
    lines = [line for line in stdout.splitlines() if line.startswith("peak bytes: ")]
    return int(lines[-1].split()[-1]) / 1e6 if lines else None
