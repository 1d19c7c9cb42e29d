"""Compares two finished runs over the same inputs row by row.

Both runs' predictions are read in batches, so that memory does not depend on the size of the files. `pair_tally` and
`figures` define what is counted and computed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from job._version import __version__
from job.contract import NO_LABEL, Labels
from job.documents.comparison_json import ComparedInput, ComparedRun, Comparison
from job.errors import DataError
from job.flag_names import Flag
from job.normalize.form import AS_STORED, form_of
from job.results.compare.figures import accuracies, agreement, comparison
from job.results.compare.pair_tally import PairTally
from job.results.compare.rows import ChangedRows, Pair, side_by_side
from job.results.finished import Finished, FinishedInput, open_finished
from job.results.predicted import BATCH_BYTES, BATCH_ROWS, predicted
from job.settings import Order
from job.storage import Storage

_MOST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Comparer:
    """How two runs, A and B, are compared.

    most: how many changed rows are listed. order: the first ones or the surest, ranked by the lower of the two
    confidences. batch_bytes, batch_rows: see `predicted`; they do not affect the result.
    """

    storage: Storage
    most: int = 10
    order: Order = "surest"
    batch_bytes: int = BATCH_BYTES
    batch_rows: int = BATCH_ROWS

    def compare(self, location_a: str, location_b: str) -> Comparison:
        """Compare the runs in two output folders.

        Raises NoInput if one of them is not a finished output, DataError if their inputs are not the same, or
        not in the same form.
        """
        a, b = open_finished(self.storage, location_a), open_finished(self.storage, location_b)
        total = PairTally.zero()
        inputs: list[ComparedInput] = []
        changed = ChangedRows(self.most, self.order)
        notes = [f"{each.folder}: accuracy withheld: {why}" for each in (a, b) if (why := _withheld(each))]
        is_judged = not notes
        for input_a, input_b in _same_inputs(a, b):
            tally, row = PairTally.zero(), 0
            for pair in self._pairs(a, b, input_a, input_b):
                tally += PairTally.of(
                    pair.a.predictions,
                    pair.b.predictions,
                    pair.labels if is_judged else np.full_like(pair.labels, NO_LABEL),
                )
                changed.add(len(inputs), row, pair)
                row += len(pair.labels)
            total += tally
            inputs.append(_compared_input(input_a.path, tally))
            notes += _size_note(input_a, input_b)
        return {
            "digit_job": __version__,
            "a": _compared_run(a),
            "b": _compared_run(b),
            **comparison(total),
            "inputs": inputs,
            "order": self.order,
            "changed_rows": changed.documents([each["path"] for each in inputs]),
            "notes": notes,
        }

    def _pairs(self, a: Finished, b: Finished, input_a: FinishedInput, input_b: FinishedInput) -> Iterator[Pair]:
        """The rows of one input, from both runs."""
        streams = [
            predicted(
                self.storage,
                run.checked_path(self.storage, each.predictions),
                batch_bytes=self.batch_bytes,
                batch_rows=self.batch_rows,
            )
            for run, each in ((a, input_a), (b, input_b))
        ]
        rows = 0
        for first, second in side_by_side(*streams):
            if len(first) != len(second):
                raise DataError(
                    f"{input_a.path}: the predictions of {(b if len(second) < len(first) else a).folder} end after "
                    f"{rows:,} rows, the others go on; score again with {Flag.OVERWRITE}"
                )
            yield Pair(first, second, _labels(input_a.path, rows, first.labels, second.labels))
            rows += len(first)
        if rows != input_a.rows:
            raise DataError(f"{input_a.path}: has predictions for {rows:,} rows, but {input_a.rows:,} were scored")


def is_comparison(start: bytes) -> bool:
    """Whether a file with these first bytes is the document of a comparison."""
    return re.match(rb'\{\s*"digit_job": "[^"]*",\s*"a": \{', start) is not None


def _same_inputs(a: Finished, b: Finished) -> list[tuple[FinishedInput, FinishedInput]]:
    """The inputs of both runs, in A's order. Raises DataError if they differ in their paths or numbers of rows."""
    for run, other in ((a, b), (b, a)):
        paths = {each.path for each in other.inputs}
        if missing := [each.path for each in run.inputs if each.path not in paths]:
            shown = ", ".join(missing[:_MOST_SHOWN]) + (", ..." if len(missing) > _MOST_SHOWN else "")
            raise DataError(
                f"{run.folder}: has scored {shown}, which {other.folder} has not; compare runs over the same inputs"
            )
    inputs_b = {each.path: each for each in b.inputs}
    pairs = [(each, inputs_b[each.path]) for each in a.inputs]
    for input_a, input_b in pairs:
        if input_a.rows != input_b.rows:
            raise DataError(
                f"{input_a.path}: has {input_a.rows:,} rows in {a.folder} and {input_b.rows:,} in {b.folder}; "
                "compare runs over the same inputs"
            )
        _check_form(a, input_a, b, input_b)
    return pairs


def _check_form(run_a: Finished, a: FinishedInput, run_b: Finished, b: FinishedInput) -> None:
    """Raise DataError if the models of both runs did not see the same images."""
    as_stored = AS_STORED.to_json()
    forms = [form_of(each.form or as_stored) for each in (a, b)]
    if forms[0] != forms[1]:
        raise DataError(
            f"{a.path}: its images were classified {forms[0]} in {run_a.folder}, and {forms[1]} in {run_b.folder}; "
            f"score both with the same {Flag.NORMALIZE}, mnist or none"
        )


def _labels(path: str, first_row: int, a: Labels, b: Labels) -> Labels:
    """The labels of either run. Raises DataError if they contradict each other."""
    has_both = (a != NO_LABEL) & (b != NO_LABEL)
    if (differing := np.flatnonzero(has_both & (a != b))).size:
        row = differing[0]
        raise DataError(
            f"{path} row {first_row + row}: has label {a[row]} in A and {b[row]} in B; "
            "compare runs over the same inputs"
        )
    return np.where(a == NO_LABEL, b, a)


def _size_note(a: FinishedInput, b: FinishedInput) -> list[str]:
    """A note if the input's size differed between the runs: it may have been corrected in between."""
    if a.size == b.size:
        return []
    return [f"{a.path} had {a.size:,} bytes in A and {b.size:,} in B; rows are compared by their numbers"]


def _withheld(run: Finished) -> str | None:
    """Why the run's labels say nothing about its predictions; None if they do. Earlier versions never withheld them."""
    return run.report.get("accuracy_withheld")


def _compared_run(run: Finished) -> ComparedRun:
    model = run.report["model"]
    return {
        "output": run.folder,
        "fingerprint": run.manifest["fingerprint"],
        "model": {
            "path": None,
            "name": model["name"],
            "architecture": model["architecture"],
            "digest": model["digest"],
        },
    }


def _compared_input(path: str, tally: PairTally) -> ComparedInput:
    return {
        "path": path,
        "rows": tally.read,
        "compared": tally.compared,
        "changed": tally.changed,
        "agreement": agreement(tally),
        "labelled": tally.labelled,
        "accuracy": accuracies(tally),
    }
