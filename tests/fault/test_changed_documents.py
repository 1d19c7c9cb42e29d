"""Every value of every JSON document that a command reads is replaced, one at a time, by what does not belong there.

The digests fit, as those of a document that was made on purpose. A command does its work or refuses the document by its
name; it never ends with a traceback (70), and never with what is wrong.
"""

import copy
import hashlib
import json
import shutil

import numpy as np
import pytest
from support.command import invoke
from support.models import change_card, write_dense_model

from job.cli.settings_file import read_settings
from job.documents.checking import check_document, parse_json
from job.documents.manifest_json import Manifest
from job.documents.model_json import Card
from job.documents.report_json import Report
from job.errors import SettingsInvalid

_DEEP = []
for _ in range(500):
    _DEEP = [_DEEP]
VALUES = [None, True, "x", -1, 1e308, [], {}, "\ud800", "a\0b", "../../x", 2**70, _DEEP]
ALLOWED = {0, 65, 73, 78}


def _identity(value):
    return "deep" if value is _DEEP else repr(value)


def _paths(value, path=()):
    """The paths to all values; of a list, those of its first item."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths(each, (*path, key))


def _replace(content, path, value):
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


def _ending(*arguments):
    """The exit code of a command, and what it wrote to the log."""
    done = invoke(*arguments)
    return done.returncode, done.stderr


def _check(endings, changed, name):
    """endings: of commands by their arguments. Refused with a code of the document's, by its name."""
    for arguments, (code, errors) in endings.items():
        assert code in ALLOWED, (changed, arguments, code, errors[-2000:])
        assert code == 0 or name in errors, (changed, arguments, code, errors)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, an input of five rows and two finished runs over it; treat as read-only."""
    folder = tmp_path_factory.mktemp("documents")
    write_dense_model(folder / "model")
    random = np.random.default_rng(0)
    header = ",".join(["label", *(f"pixel{index}" for index in range(784))])
    rows = [",".join(map(str, [index, *random.integers(0, 256, 784)])) for index in range(5)]
    (folder / "a.csv").write_text("\n".join([header, *rows, "9,bad"]) + "\n")
    change_card(folder / "model", lambda card: card.update(full_card()))
    for output in ("one", "two"):
        code, errors = _ending(
            "score", "--input", folder / "a.csv", "--model", folder / "model", "--output", folder / output,
            "--max-rejects", "50%",
        )  # fmt: skip
        assert code == 0, errors
    return folder


def full_card():
    """The sections of a card that training writes."""
    counts = [{"edges": list(range(bins)), "counts": [3] * bins} for bins in (10,)]
    signature = {"dtype": "uint8", "shape": [784], "range": [0, 255], "background": 0}
    return {
        "created": "2026-01-01T00:00:00+00:00", "recipe": "baseline", "architecture": "784-64-10", "parameters": 50_000,
        "input": signature, "classes": [str(digit) for digit in range(10)], "versions": {"numpy": "2.0"},
        "data": {
            "source": "digits", "name": "digits", "fingerprint": "0", "train_rows": 1, "validation_rows": 1,
            "test_rows": 1, "warning": None, "label_column": None, "label_map": None, "scale": "auto",
            "is_transposed": False, "is_inverted": False, "seed": 1,
            "validation_share": 0.1, "train_class_counts": [1] * 10,
            "distribution": {
                "intensity": {"edges": [0, 1, 64, 128, 192], "counts": [1000, 10, 10, 10, 10]},
                "ink": {"edges": list(range(0, 128, 8)), "counts": [10] * 16},
                "labels": counts[0],
            },
        },
        "metrics": {"test": {"accuracy": 0.9, "correct": 9, "rows": 10, "loss": 0.1}},
        "export": {"model.onnx": {"rows": 10, "same_digits": 10, "max_difference": 1e-6}},
        "gate": {"verdict": "not_gated", "shortfalls": [], "min_accuracy": None, "compared_to": None},
        "history": [{"epoch": 1, "loss": 1.0, "accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.5,
                     "seconds": 1.0}],
        "seeds": {"split": 1},
    }  # fmt: skip


@pytest.fixture
def copied(place, tmp_path):
    """A copy of it."""
    for name in ("model", "one"):
        shutil.copytree(place / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES, ids=_identity)
def test_a_changed_card(place, copied, value):
    """`score`, over five rows; digests are kept up, so that nothing else reveals the change."""
    card = json.loads((copied / "model/model.json").read_text())
    folder, output = copied / "model", copied / "out"
    for path in _paths(card):
        if path[0] == "sha256":
            continue
        (folder / "model.json").write_text(json.dumps(card))
        try:
            change_card(folder, lambda content, path=path: _replace(content, path, copy.copy(value)))
        except ValueError:
            continue
        arguments = ("score", "--input", place / "a.csv", "--model", folder, "--output", output, "--max-rejects", "50%")
        _check({arguments: _ending(*arguments)}, path, str(folder))
        shutil.rmtree(output, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES, ids=_identity)
def test_a_changed_card_in_sample(copied, value):
    """`sample` reads the section about the data; so does `export`."""
    card = json.loads((copied / "model/model.json").read_text())
    folder = copied / "model"
    for key in ("source", "fingerprint", "label_column", "label_map", "scale", "is_transposed", "is_inverted", "seed"):
        (folder / "model.json").write_text(json.dumps(card))
        change_card(folder, lambda content, key=key: content["data"].update({key: copy.copy(value)}))
        output = copied / f"sample {key}"
        code, errors = _ending("sample", "--model", folder, "--output", output)
        # A source that is not there is NoInput.
        assert code in {*ALLOWED, 66}, (key, code, errors[-2000:])


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES, ids=_identity)
@pytest.mark.parametrize("name", ["report.json", "manifest.json"])
def test_a_changed_output(place, copied, name, value):
    """`score` again, `report` and `compare`; the manifest has the digest of the changed report."""
    manifest = json.loads((copied / "one/manifest.json").read_text())
    content = json.loads((copied / "one" / name).read_text())
    runs = {
        ("report", copied / "one"),
        ("compare", copied / "one", place / "two"),
        ("score", "--input", place / "a.csv", "--model", place / "model", "--output", copied / "one", "--max-rejects",
         "50%"),
    }  # fmt: skip
    page = (copied / "one/report.html").read_bytes()
    # Each place gets a third of the values, which are others in the next place.
    for path in list(_paths(content))[VALUES.index(value) % 3 :: 3]:
        changed = copy.deepcopy(content)
        _replace(changed, path, copy.copy(value))
        text = json.dumps(changed).encode()
        for arguments in runs:
            (copied / "one/report.html").write_bytes(page[:-1])
            (copied / "one" / name).write_bytes(text)
            if name == "report.json":
                _vouch(copied / "one", manifest, text)
            _check({arguments: _ending(*arguments)}, path, str(copied / "one"))


def _vouch(folder, manifest, text):
    """Give the manifest the size and digest of another report."""
    outputs = [
        {**each, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        if each["path"] == "report.json" else each
        for each in manifest["outputs"]
    ]  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({**manifest, "outputs": outputs}))


@pytest.mark.parametrize("value", VALUES, ids=_identity)
def test_a_changed_claim(place, tmp_path, value):
    """`_parts/run.json` of an unfinished run."""
    claim = {"fingerprint": "0", "part_bytes": 33_554_432, "arithmetic": "other"}
    (tmp_path / "out/_parts").mkdir(parents=True)
    for key in claim:
        (tmp_path / "out/_parts/run.json").write_text(json.dumps({**claim, key: value}))
        code, errors = _ending(
            "score", "--input", place / "a.csv", "--model", place / "model", "--output", tmp_path / "out"
        )
        assert code == 73, errors
        assert str(tmp_path / "out") in errors


@pytest.mark.parametrize("value", VALUES, ids=_identity)
@pytest.mark.parametrize("key", ["input", "output", "model", "keep", "label-column", "threads", "part-bytes"])
def test_a_changed_setting(place, tmp_path, key, value):
    """A settings file; a value of a known type may be refused by the flag."""
    path = tmp_path / "settings.json"
    settings = {"input": str(place / "a.csv"), "output": str(tmp_path / "out"), "model": str(place / "model")}
    path.write_text(json.dumps({**settings, key: value}))
    code, errors = _ending("score", "--settings", path)
    assert code in {*ALLOWED, 2, 3, 66}, errors[-2000:]


@pytest.mark.parametrize(
    "text",
    ["[" * 10**5, '{"a": ' * 10**5, '{"epochs": 1, "epochs": 2}', '{"epochs": NaN}', "9" * 5000, '"' + "x" * 2**21],
    ids=["brackets", "braces", "twice", "NaN", "digits", "large"],
)  # fmt: skip
def test_a_settings_file_that_is_none(tmp_path, storage, text):
    """It is named, and refused with 78."""
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(SettingsInvalid, match=f"^{path}: "):
        read_settings(storage, str(path), ["epochs"])


def test_what_the_job_writes_passes(place):
    """All of its own documents."""
    for document, path in ((Card, "model/model.json"), (Manifest, "one/manifest.json"), (Report, "one/report.json")):
        check_document(document, parse_json((place / path).read_bytes()))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"data": {"seed": -1}}, "data.seed is -1, expected 0 to 4,294,967,295"),
        ({"name": "x" * 5000}, "name is 'xxx"),
        ({"metrics": {"test": {"accuracy": 1.5}}}, "metrics.test.accuracy is 1.5, expected 0 to 1"),
        ({"metrics": {"test": {"correct": True}}}, "metrics.test.correct is True, expected an integer"),
        ({"gate": {"verdict": "fine"}}, "gate.verdict is 'fine', expected one of blessed, not_blessed, not_gated"),
        ({"golden": {"probabilities": [[0.1], ["x"]]}}, r"golden.probabilities\[1\]\[0\] is 'x', expected a number"),
        ({"classes": "0123456789"}, "classes is '0123456789', expected a list"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_error_says_where_and_what(change, found):
    """By the path of keys."""
    with pytest.raises(ValueError, match=f"^{found}"):
        check_document(Card, change)
