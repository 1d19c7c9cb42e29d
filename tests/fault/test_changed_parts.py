"""Committed parts that somebody or a disk has changed: the next run makes them anew, and ends with the same bytes.

Parts are read by Arrow, which follows a wrong offset out of its memory: nothing is decoded before the digest matches.
"""

import hashlib
import io
import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pytest
from support.command import digit_job
from support.files import csv_text, make_digits
from support.runs import files_below, score, stable_files, write_files

from job.errors import StorageError, Terminated
from job.score.plan import Plan
from job.settings import Shard

pytestmark = pytest.mark.usefixtures("_repeated_runs")

SMALL = {"part_bytes": 20_000, "threads": 1}
DIGEST_BYTES = 32


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A CSV file of a few parts, with labels, rejects and bad labels."""
    path = tmp_path_factory.mktemp("inputs") / "a.csv"
    text = csv_text(make_digits(60), has_header=False)
    path.write_text(text.replace("\n", "\n1,2,3\n", 4) + text.splitlines()[0].replace(text[0], "x", 1) + "\n")
    return path


@pytest.fixture(scope="module")
def interrupted(inputs, model, tmp_path_factory):
    """The files of an output folder in which the last part is missing."""
    output = tmp_path_factory.mktemp("interrupted") / "out"

    def stop():
        if len(list(output.glob("_parts/*.arrow"))) == 3:
            raise Terminated("enough")

    with pytest.raises(Terminated):
        score(inputs, output, model, check_stop=stop, **SMALL)
    return files_below(output)


def _parts(files):
    return [name for name in files if name.endswith(".arrow")]


def _resumed(folder, files, inputs, model):
    shutil.rmtree(folder, ignore_errors=True)
    write_files(folder, files)
    return score(inputs, folder, model, **SMALL)


@pytest.mark.parametrize("count", [10, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_changed_byte(interrupted, inputs, model, output, undisturbed, caplog, count):
    """Of any part, in its rows, summary, examples, footer or digest: the part is scored again, and named."""
    for name in _parts(interrupted):
        for place in np.linspace(0, len(interrupted[name]) - 1, count, dtype=int).tolist():
            content = bytearray(interrupted[name])
            content[place] ^= 0x80 >> place % 8
            caplog.clear()
            _resumed(output, {**interrupted, name: bytes(content)}, inputs, model)
            assert f"{output}/{name}: was changed or damaged; scoring it again" in caplog.text
            assert stable_files(output) == undisturbed


def test_what_crashed_the_reader(interrupted, inputs, model, output, undisturbed):
    """Offsets of text far outside the part: the process ends well. It was a segmentation fault."""
    name = _parts(interrupted)[0]
    content = interrupted[name]
    with pa.ipc.open_file(pa.BufferReader(content[:-DIGEST_BYTES])) as reader:
        offsets = reader.get_batch(0).column("reject").buffers()[1].to_pybytes()
    changed = content.replace(offsets[-4:], (0x7FFFFFF0).to_bytes(4, "little"))
    assert changed != content
    write_files(output, {**interrupted, name: changed})
    result = digit_job(
        "score", "--input", inputs, "--output", output, "--model", model, "--part-bytes", "20000", "--max-rejects",
        "100%",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert name in result.stderr
    assert stable_files(output) == undisturbed


def _foreign(kind, interrupted, name):
    names = _parts(interrupted)
    return {
        "empty": b"",
        "short": interrupted[name][:-1],
        "long": interrupted[name] + b"\0",
        "another part": interrupted[names[1 - names.index(name)]],
        "text": b"mine\n" * 1000,
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "short", "long", "another part", "text"])
def test_other_files_in_place_of_a_part(interrupted, inputs, model, output, undisturbed, kind):
    """Are replaced: everything in `_parts` is the run's own."""
    name = _parts(interrupted)[0]
    _resumed(output, {**interrupted, name: _foreign(kind, interrupted, name)}, inputs, model)
    assert stable_files(output) == undisturbed


def test_a_pipe_in_place_of_a_part(interrupted, inputs, model, output):
    """Is not waited for."""
    name = _parts(interrupted)[0]
    write_files(output, {each: content for each, content in interrupted.items() if each != name})
    os.mkfifo(output / name)
    with pytest.raises(StorageError, match=name):
        score(inputs, output, model, **SMALL)


def test_a_damaged_part_of_another_shard(inputs, model, output, undisturbed):
    """Is scored again by the shard that finds it when it starts: the other one may have ended well."""
    for _ in range(2):
        score(inputs, output, model, shard=Shard(1, 2), **SMALL)
        part = output / "_parts/000001.arrow"
        part.write_bytes(part.read_bytes()[:-1])
    score(inputs, output, model, shard=Shard(0, 2), **SMALL)
    assert stable_files(output) == undisturbed


# Whoever can write a part can write its digest: what is in it is checked all the same.

WRONG = [2**31, 2**53, 2**63, 2**64, -1, 1.5, "7", None, True, [], {}, [[]], "\ud800"]


def _sealed(content, change, identity="any part"):
    """A part whose summary and examples are changed, with the digest that belongs to it."""
    target = io.BytesIO()
    reader = pa.ipc.open_file(pa.BufferReader(content[:-DIGEST_BYTES]))
    with pa.ipc.new_file(target, reader.schema) as writer:
        for index in range(reader.num_record_batches):
            rows, metadata = reader.get_batch_with_custom_metadata(index)
            writer.write_batch(rows, custom_metadata=change(dict(metadata)))
    return target.getvalue() + hashlib.sha256(identity.encode() + target.getvalue()).digest()


def _places(value, path=()):
    """Where the values in a document are; of lists, the first item stands for all."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


def _with(document, path, value):
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _with(copy[path[0]], path[1:], value)
    return copy


@pytest.fixture
def any_part_fits(monkeypatch):
    """All parts have one identity, so that a test can make a digest."""
    monkeypatch.setattr(Plan, "identity_of", lambda _self, _part: "any part")


@pytest.mark.usefixtures("any_part_fits")
@pytest.mark.parametrize("key", [b"summary", b"rejects"])
@pytest.mark.parametrize("step", [len(WRONG), pytest.param(1, marks=pytest.mark.soak)])
def test_any_wrong_value_in_a_part_s_documents(interrupted, inputs, model, output, undisturbed, key, step):
    """Each field of the summary and of a reject, replaced by other values: the run ends well."""
    files = {name: _sealed(content, dict) if name.endswith(".arrow") else content for name, content in
             interrupted.items()}  # fmt: skip
    name = _parts(files)[0]
    with pa.ipc.open_file(pa.BufferReader(files[name][:-DIGEST_BYTES])) as reader:
        index = reader.num_record_batches - 1 if key == b"summary" else 0
        document = json.loads(reader.get_batch_with_custom_metadata(index)[1][key])
    assert document
    for number, path in enumerate(_places(document)):
        for value in WRONG[number % step :: step]:
            wrong = json.dumps(_with(document, path, value)).encode()

            def change(metadata, wrong=wrong):
                return {**metadata, key: wrong} if metadata.get(key, b"[]") != b"[]" else metadata

            _resumed(output, {**files, name: _sealed(files[name], change)}, inputs, model)
            found = stable_files(output)
            # A count that is possible and wrong cannot be told from a right one.
            assert found.keys() == undisturbed.keys()


@pytest.mark.usefixtures("any_part_fits")
@pytest.mark.parametrize("place", [0, 8, 15, 16, 17, 20])
def test_wrong_numbers_in_examples(interrupted, inputs, model, output, undisturbed, place):
    """Inputs, rows and digits that there are not."""
    files = {name: _sealed(content, dict) if name.endswith(".arrow") else content for name, content in
             interrupted.items()}  # fmt: skip
    name = _parts(files)[0]

    def change(metadata):
        if b"examples" not in metadata:
            return metadata
        examples = bytearray(metadata[b"examples"])
        examples[place] = 0x7F
        return {**metadata, b"examples": bytes(examples)}

    _resumed(output, {**files, name: _sealed(files[name], change)}, inputs, model)
    assert stable_files(output) == undisturbed
