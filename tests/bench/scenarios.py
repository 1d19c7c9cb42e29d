"""Who runs on which file: the contenders of each scenario, by key."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.data import Data
from bench.machine import thread_limits
from bench.measure import Command

TARGET_ROWS = 700_000
_PROCESS = [sys.executable, "-m", "bench.process"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many records the files have; the targets are meant for 700,000 and what follows from it."""

    rows: int = TARGET_ROWS

    @property
    def is_full(self) -> bool:
        """Whether these are the sizes that the targets are meant for."""
        return self.rows == TARGET_ROWS

    @property
    def few(self) -> int:
        """A file that takes no time but that of starting."""
        return 100

    @property
    def less(self) -> int:
        """A tenth, to see what grows."""
        return max(self.rows // 10, 1)

    @property
    def more(self) -> int:
        """Twice as many, to see what grows."""
        return 2 * self.rows

    @property
    def row_group(self) -> int:
        """One Parquet row group: a million, at full size."""
        return self.rows * 10 // 7


def scenarios(data: Data, sizes: Sizes, model: str, threads: int) -> Iterator[list[Command]]:
    """One after the other, each with its files written."""
    makers = _Contenders(model, threads)
    rows = sizes.rows
    source = data.csv(rows)
    yield [
        makers.job("csv", source, rows), makers.peer("csv", "keras", source, rows),
        makers.peer("csv", "onnx", source, rows), makers.shell("csv", "wc -l", 'wc -l "$0"', source, rows),
    ]  # fmt: skip
    source = data.parquet(rows)
    yield [
        makers.job("parquet", source, rows), makers.job("binary", data.binary_parquet(rows), rows, can_refuse=True),
        makers.peer("parquet", "keras", source, rows), makers.peer("parquet", "onnx", source, rows),
    ]  # fmt: skip
    source = data.gzip_csv(rows)
    yield [
        makers.job("gzip", source, rows), makers.shell("gzip", "zcat", 'gzip -dc "$0" > /dev/null', source, rows),
    ]  # fmt: skip
    source = data.csv(sizes.few)
    yield [makers.job("few", source, sizes.few), makers.peer("few", "keras", source, sizes.few)]
    yield [makers.job(key, data.csv(count), count) for key, count in (("less", sizes.less), ("more", sizes.more))]
    source = data.parquet(sizes.row_group, sizes.row_group)
    yield [makers.job("row group", source, sizes.row_group)]


class _Contenders:
    """Commands, ready to be measured."""

    def __init__(self, model: str, threads: int) -> None:
        self._model = model
        self._threads = threads
        self._environment = {**thread_limits(threads), "PYTHONPATH": str(Path(__file__).parents[1])}

    def job(self, scenario: str, source: Path, rows: int, *, can_refuse: bool = False) -> Command:
        """digit-job itself."""
        arguments = [*_PROCESS, "job.cli.app", "score", "--input", str(source), "--output", "{output}"]
        arguments += ["--model", self._model, "--threads", str(self._threads)]
        return Command(
            f"{scenario} digit-job", arguments, source, rows, has_predictions=True, can_refuse=can_refuse,
            environment=self._environment,
        )  # fmt: skip

    def peer(self, scenario: str, kind: str, source: Path, rows: int) -> Command:
        """One of the loops in `peers`."""
        arguments = [*_PROCESS, "bench.peers", kind, self._model, str(source), "{output}"]
        key = f"{scenario} {kind}"
        return Command(key, arguments, source, rows, has_predictions=True, environment=self._environment)

    @staticmethod
    def shell(scenario: str, name: str, line: str, source: Path, rows: int) -> Command:
        """A command of the system; the file is its $0."""
        return Command(f"{scenario} {name}", ["sh", "-c", line, str(source)], source, rows)
