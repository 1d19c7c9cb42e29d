"""Two finished runs over the same inputs, row by row: what they agree on, and which is better.

Both runs' predictions flow past in batches, so that memory depends on a batch and not on the files. What is counted
and what it means is `report.pair_tally`'s and `report.comparison`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from job.contract import NO_LABEL, Labels
from job.documents.comparison_json import ComparedInput, ComparedRun, Comparison
from job.errors import DataError
from job.flag_names import Flag
from job.results.compare.figures import accuracies, agreement, comparison
from job.results.compare.pair_tally import PairTally
from job.results.compare.rows import ChangedRows, Pair, side_by_side
from job.results.finished import Finished, FinishedInput, open_finished
from job.results.predicted import BATCH_BYTES, BATCH_ROWS, predicted
from job.settings import Order
from job.storage import Storage

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Comparer:
    """How two runs are compared.

    most, order: how many changed rows are listed, and which: the first, or the surest, those where the less sure of
    the two is surest. batch_bytes, batch_rows: see `predicted`; they change no figure.
    """

    storage: Storage
    most: int = 10
    order: Order = "surest"
    batch_bytes: int = BATCH_BYTES
    batch_rows: int = BATCH_ROWS

    def compare(self, location_a: str, location_b: str) -> Comparison:
        """The figures of two runs, as `--json` writes them.

        Raises NoInput where one is no finished output; DataError where they are not over the same inputs.
        """
        a, b = open_finished(self.storage, location_a), open_finished(self.storage, location_b)
        total = PairTally.zero()
        inputs: list[ComparedInput] = []
        changed = ChangedRows(self.most, self.order)
        notes: list[str] = []
        for of_a, of_b in _same_inputs(a, b):
            tally, row = PairTally.zero(), 0
            for pair in self._pairs(a, b, of_a, of_b):
                tally += PairTally.of(pair.a.predictions, pair.b.predictions, pair.labels)
                changed.add(len(inputs), row, pair)
                row += len(pair.labels)
            total += tally
            inputs.append(_of_input(of_a.path, tally))
            if of_a.size != of_b.size:
                notes.append(
                    f"{of_a.path} had {of_a.size:,} bytes when A was scored and {of_b.size:,} when B was; its rows are "
                    "compared by their numbers"
                )
        return {
            "a": _about(a),
            "b": _about(b),
            **comparison(total),
            "inputs": inputs,
            "order": self.order,
            "changed_rows": changed.listed([each["path"] for each in inputs]),
            "notes": notes,
        }

    def _pairs(self, a: Finished, b: Finished, of_a: FinishedInput, of_b: FinishedInput) -> Iterator[Pair]:
        """The rows of one input, from both runs."""
        streams = [
            predicted(
                self.storage,
                run.checked_path(self.storage, each.predictions),
                batch_bytes=self.batch_bytes,
                batch_rows=self.batch_rows,
            )
            for run, each in ((a, of_a), (b, of_b))
        ]
        rows = 0
        for first, second in side_by_side(*streams):
            if len(first) != len(second):
                raise DataError(
                    f"{of_a.path}: the predictions of {(b if len(second) < len(first) else a).folder} end after "
                    f"{rows:,} rows, the others go on; score again with {Flag.OVERWRITE}"
                )
            yield Pair(first, second, _labels(of_a.path, rows, first.labels, second.labels))
            rows += len(first)
        if rows != of_a.rows:
            raise DataError(f"{of_a.path}: there are predictions of {rows:,} rows, and {of_a.rows:,} were scored")


def _same_inputs(a: Finished, b: Finished) -> list[tuple[FinishedInput, FinishedInput]]:
    """The inputs of two runs, in A's order. Raises DataError where they are not the same."""
    of_b = {each.path: each for each in b.inputs}
    for run, other in ((a, b), (b, a)):
        paths = {each.path for each in other.inputs}
        if alone := [each.path for each in run.inputs if each.path not in paths]:
            shown = ", ".join(alone[:_SHOWN]) + (", ..." if len(alone) > _SHOWN else "")
            raise DataError(
                f"{run.folder}: has scored {shown}, which {other.folder} has not; compare runs over the same inputs"
            )
    pairs = [(each, of_b[each.path]) for each in a.inputs]
    for first, second in pairs:
        if first.rows != second.rows:
            raise DataError(
                f"{first.path}: has {first.rows:,} rows in {a.folder} and {second.rows:,} in {b.folder}; "
                "compare runs over the same inputs"
            )
    return pairs


def _labels(path: str, row: int, a: Labels, b: Labels) -> Labels:
    """The true digits, from whichever run has them. Raises DataError where they contradict each other."""
    has_both = (a != NO_LABEL) & (b != NO_LABEL)
    if (wrong := np.flatnonzero(has_both & (a != b))).size:
        at = wrong[0]
        raise DataError(
            f"{path} row {row + at}: has label {a[at]} in A and {b[at]} in B; compare runs over the same inputs"
        )
    return np.where(a == NO_LABEL, b, a)


def _about(run: Finished) -> ComparedRun:
    model = run.report["model"]
    return {
        "output": run.folder,
        "fingerprint": run.manifest["fingerprint"],
        "model": {"name": model["name"], "architecture": model["architecture"], "digest": model["digest"]},
    }


def _of_input(path: str, tally: PairTally) -> ComparedInput:
    return {
        "path": path,
        "rows": tally.read,
        "compared": tally.compared,
        "changed": tally.compared - tally.same,
        "agreement": agreement(tally),
        "labelled": tally.labelled,
        "accuracy": accuracies(tally),
    }
