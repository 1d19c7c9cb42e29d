"""Laws of comparing two runs."""

import json
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.outputs import scored, write_output

from job.results.compare.comparer import Comparer
from job.results.compare.pair_tally import PairTally
from job.storage import LocalStorage

FORMATS = ("csv", "parquet", "kaggle")


@st.composite
def two_runs(draw):
    """One to three inputs scored by runs A and B, with rejected and unlabelled rows and equal confidences."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    has_labels = draw(st.booleans())
    runs = {}, {}
    for number in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0, 60))
        truth = random.integers(-1, 10, rows) if has_labels else None
        for run in runs:
            digits = random.integers(-1, 4, rows)
            run[f"{number}.csv"] = scored(digits, truth, np.round(random.random(rows), 1))
    return runs


def compared(folder, a, b, *, formats=("csv", "csv"), **more):
    """The comparison of two runs whose predictions are in `formats`, without their paths."""
    outputs = [
        write_output(f"{folder}/{name}-{format_}", run, format_=format_, name=name)
        for name, run, format_ in zip("ab", (a, b), formats, strict=True)
    ]
    found = Comparer(LocalStorage(), **more).compare(*map(str, outputs))
    return {name: value for name, value in json.loads(json.dumps(found)).items() if name not in {"a", "b"}}


@settings(deadline=None, max_examples=30)
@given(runs=two_runs(), format_=st.sampled_from(FORMATS))
def test_a_run_agrees_with_itself(runs, format_):
    """Compared with itself, a run changes no row of any file."""
    with TemporaryDirectory() as folder:
        found = compared(folder, runs[0], runs[0], formats=(format_, format_))
    assert found["rows"]["changed"] == found["rows"]["rejected_by_a"] == found["rows"]["rejected_by_b"] == 0
    assert found["changes"] == found["changed_rows"] == []
    assert found["agreement"] in {1, None}
    assert found["verdict"]["outcome"] in {"same", "no_rows"}
    assert found["accuracy"]["a"] == found["accuracy"]["b"]
    assert all(each["agreement"] in {1, None} for each in found["inputs"])


@settings(deadline=None, max_examples=30)
@given(
    runs=two_runs(),
    batch_bytes=st.integers(60, 300),
    batch_rows=st.integers(1, 70),
    order=st.sampled_from(["first", "surest"]),
    most=st.integers(0, 20),
    formats=st.tuples(st.sampled_from(["csv", "parquet"]), st.sampled_from(["csv", "parquet"])),
)
def test_batches_and_formats_change_nothing(runs, batch_bytes, batch_rows, order, most, formats):
    """Neither the sizes of batches nor the runs' formats change a figure or a listed row."""
    with TemporaryDirectory() as folder:
        whole = compared(folder, *runs, order=order, most=most)
        again = compared(
            folder, *runs, order=order, most=most, formats=formats, batch_bytes=batch_bytes, batch_rows=batch_rows
        )
    assert again == whole


@settings(deadline=None, max_examples=30)
@given(runs=two_runs())
def test_swapping_the_runs_swaps_their_figures(runs):
    """Agreement and McNemar's test stay the same; accuracies and changes are swapped."""
    with TemporaryDirectory() as folder:
        found, turned = compared(folder, *runs), compared(folder, *runs[::-1])
    assert turned["agreement"] == found["agreement"]
    assert turned["accuracy"] == {"a": found["accuracy"]["b"], "b": found["accuracy"]["a"]}
    assert {(each["to"], each["from"]): each["count"] for each in turned["changes"]} == {
        (each["from"], each["to"]): each["count"] for each in found["changes"]
    }
    if found["mcnemar"]:
        assert turned["mcnemar"]["p_value"] == found["mcnemar"]["p_value"]


@settings(deadline=None)
@given(data=st.data())
def test_pair_tallies_of_parts_add_up(data):
    """Counting rows in two parts, in either order, gives the counts of the whole."""
    rows, cut = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 40))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    columns = [random.integers(-1, 10, rows).astype(np.int8) for _ in range(3)]
    first, second = (PairTally.of(*(each[part] for each in columns)) for part in (slice(cut), slice(cut, None)))
    assert first + second == second + first == PairTally.of(*columns)
    assert (PairTally.of(*columns).scored.sum(), first + PairTally.zero()) == (rows, first)
