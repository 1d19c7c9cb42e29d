"""What the job is meant to reach, and whether it does: medians, ratios within a round, verdicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.measure import Runs
from bench.scenarios import Sizes

Measured = Mapping[str, Runs]


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit in some unit; at_least: a floor, else a ceiling that may be touched."""

    limit: float
    unit: str
    at_least: bool = False

    def is_met(self, figure: float) -> bool:
        """Whether a figure keeps the bound."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def show(self, figure: float) -> str:
        """A figure as people read it: three digits."""
        digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2
        return f"{figure:,.{digits}f}{self.unit}"

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the table.

    key: the command whose speed stands in the row, if one does. figures: one a round, from all that was measured; none
    where a command has no runs. of_all: makes them one, the median unless said otherwise.
    """

    name: str
    key: str
    bound: Bound
    figures: Callable[[Measured], list[float]]
    of_all: Callable[[list[float]], float] = median


def ratios(above: str, below: str) -> Callable[[Measured], list[float]]:
    """Seconds of one command over seconds of another, round by round."""

    def figures(measured: Measured) -> list[float]:
        return [high / low for high, low in zip(_seconds(measured, above), _seconds(measured, below), strict=False)]

    return figures


def seconds_of(key: str) -> Callable[[Measured], list[float]]:
    """Seconds of a command."""
    return lambda measured: _seconds(measured, key)


def peaks_of(*keys: str) -> Callable[[Measured], list[float]]:
    """Peak memory of some commands, in MB, all rounds of all of them."""
    return lambda measured: [peak for key in keys if key in measured for peak in measured[key].peaks_mb]


def growth(more: str, less: str) -> Callable[[Measured], list[float]]:
    """Peak memory with more over peak memory with less, round by round."""

    def figures(measured: Measured) -> list[float]:
        high, low = peaks_of(more)(measured), peaks_of(less)(measured)
        return [above / below for above, below in zip(high, low, strict=False)]

    return figures


def targets(sizes: Sizes) -> list[Target]:
    """All of them, in the order of the table."""
    many, times = f"{sizes.rows:,}", "x"
    ours = [f"{name} digit-job" for name in ("csv", "parquet", "binary", "gzip", "few")]
    csv, parquet, binary, packed, few = ours
    megabytes = " MB"
    return [
        Target(f"CSV, {many} rows: against pandas + Keras", csv, Bound(15, times, True), ratios("csv keras", csv)),
        Target("  against Polars + ONNX Runtime", csv, Bound(3.5, times, True), ratios("csv onnx", csv)),
        Target(
            "Parquet, 784 columns: against pyarrow + pandas + Keras", parquet, Bound(4.5, times, True),
            ratios("parquet keras", parquet),
        ),
        Target("  against Polars + ONNX Runtime", parquet, Bound(2, times, True), ratios("parquet onnx", parquet)),
        Target(
            "Parquet, one binary column: against Keras on 784", binary, Bound(8, times, True),
            ratios("parquet keras", binary),
        ),
        Target("gzip CSV: time over that of zcat", packed, Bound(2, times), ratios(packed, "gzip zcat")),
        Target(f"CSV, {sizes.few} rows: time", few, Bound(1.2, " s"), seconds_of(few)),
        Target("  time over that of pandas + Keras", few, Bound(0.2, times), ratios(few, "few keras")),
        Target("peak memory on any of these", "", Bound(400, megabytes), peaks_of(*ours), max),
        Target(
            f"CSV, {sizes.more:,} rows: peak memory over that for {sizes.less:,}", "more digit-job", Bound(1.05, times),
            growth("more digit-job", "less digit-job"),
        ),
        Target(
            f"Parquet, one group of {sizes.row_group:,} rows: peak memory", "row group digit-job",
            Bound(600, megabytes), peaks_of("row group digit-job"), max,
        ),
    ]  # fmt: skip


def _seconds(measured: Measured, key: str) -> list[float]:
    return measured[key].seconds if key in measured else []
