import errno
import io
import os

import numpy as np
import pyarrow as pa
import pytest
from support.faulty_file_system import FaultyFileSystem, with_error

from job.contract import Reason, Reject, ScoredBatch
from job.errors import PartDamaged, ResourceExhausted, StorageError
from job.storage import LocalStorage
from job.write.part_file import PartFile, PartReader, PartSummary, PartWriter, open_part
from job.write.predictions import prediction_rows

SUMMARY = PartSummary(rows=5, lines=7, tally={"counts": [5, 4]}, appearance={"ink": [4]})
IDENTITY = "this run, part 0"
EXAMPLES = bytes(range(256))
REJECTS = (
    Reject(1, Reason.NOT_A_NUMBER, "pixel3 is 'x', expected 0-255", "pixel3", '7,"ä\ufffd\0', 123, 4),
    Reject(2, Reason.TOO_FEW_FIELDS, "3 values"),
)


def _rows(count, seed=0, *, has_labels=True, with_probabilities=False):
    random = np.random.default_rng(seed)
    probabilities = random.random((count, 10)).astype(np.float32)
    labels = random.integers(0, 10, count, dtype=np.int8) if has_labels else None
    batch = ScoredBatch(probabilities.argmax(axis=1).astype(np.int8), probabilities, labels, ())
    return prediction_rows(batch, with_probabilities=with_probabilities)


def _part(*batches, is_finished=True):
    file = io.BytesIO()
    writer = PartWriter(file, batches[0][0].schema, IDENTITY)
    for rows, rejects in batches:
        writer.write(rows, rejects)
    if is_finished:
        writer.finish(SUMMARY, EXAMPLES)
    return file.getvalue()


def _reader(content, schema=None, identity=IDENTITY):
    file = PartFile("out/_parts/0.arrow", schema or _rows(0).schema, identity)
    return PartReader(pa.BufferReader(content), file)


def _read(content, schema=None):
    reader = _reader(content, schema)
    return reader.summary, list(reader.batches())


@pytest.mark.parametrize("has_labels", [False, True])
@pytest.mark.parametrize("with_probabilities", [False, True])
def test_a_part_is_read_back_as_it_was_written(has_labels, with_probabilities):
    """Rows, the rejects of each batch, and the summary, in order."""
    kind = {"has_labels": has_labels, "with_probabilities": with_probabilities}
    first, second, none = _rows(3, **kind), _rows(2, 1, **kind), _rows(0, **kind)
    summary, batches = _read(_part((first, REJECTS), (none, ()), (second, ())), first.schema)
    assert summary == SUMMARY
    assert [rows for rows, _ in batches] == [first, none, second]
    assert [rejects for _, rejects in batches] == [list(REJECTS), [], []]


def test_rejects_are_read_back_with_their_types():
    """The reason is a Reason again."""
    _, [(_, [first, second])] = _read(_part((_rows(3), REJECTS)))
    assert first.reason is Reason.NOT_A_NUMBER
    assert (second.column, second.raw, second.byte_offset, second.line) == (None, None, None, None)


def test_examples_are_read_back():
    """Apart from the summary, because gather holds the summaries of many parts."""
    assert _reader(_part((_rows(3), ()))).examples == EXAMPLES


def test_a_part_without_rows():
    """Is complete."""
    file = io.BytesIO()
    PartWriter(file, _rows(0).schema, IDENTITY).finish(SUMMARY, EXAMPLES)
    assert _read(file.getvalue()) == (SUMMARY, [])


def test_an_unfinished_part_cannot_be_opened():
    """The summary is missing."""
    for content in (_part((_rows(3), ()), is_finished=False), b"", b"ARROW1"):
        with pytest.raises(PartDamaged):
            _read(content)


def test_another_arrow_file_is_no_part():
    """It is refused by name."""
    file = io.BytesIO()
    with pa.ipc.new_file(file, pa.schema([("a", pa.int8())])) as writer:
        writer.write_batch(pa.record_batch({"a": pa.array([1], pa.int8())}))
    with pytest.raises(
        PartDamaged, match=r"^out/_parts/0.arrow: was changed or damaged \(.*\); run the same command again$"
    ):
        _read(file.getvalue())


def test_a_part_cut_off_anywhere_is_refused():
    """By name, however much of it is missing."""
    content = _part((_rows(3), REJECTS))
    for size in range(len(content)):
        with pytest.raises(PartDamaged, match=r"^out/_parts/0.arrow: was changed or damaged"):
            _read(content[:size])


class _FullFile(io.RawIOBase):
    def writable(self):
        return True

    def write(self, _content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_resource_exhausted(storage, tmp_path):
    """The system's errno passes through Arrow."""
    with pytest.raises(ResourceExhausted, match="No space left"), storage.commit(str(tmp_path / "0.arrow")):
        PartWriter(_FullFile(), _rows(0).schema, IDENTITY).write(_rows(3), ())


def test_a_part_that_cannot_be_read_is_a_storage_error(tmp_path):
    """Not a defect: a retry can help."""
    path = tmp_path / "0.arrow"
    path.write_bytes(_part((_rows(3), ())))
    reads = FaultyFileSystem()
    file = PartFile(str(path), _rows(0).schema, IDENTITY)
    with open_part(LocalStorage(reads), file) as part:
        list(part.batches())
    count = sum(operation == "read" for operation, _ in reads.log)
    for at in range(1, count + 1):
        storage = LocalStorage(FaultyFileSystem(with_error(), at, only="read"))
        with (
            pytest.raises(StorageError, match=r"0\.arrow: Input/output error"),
            open_part(storage, file) as part,
        ):
            list(part.batches())
