"""A model folder is verified before it is used: with an invalid one, no input is read and no output is written.

There are two kinds: damaged folders, which the digests reveal; and malicious or mixed ones whose digests fit. Against
these, the golden rows and the network's shape are checked, and nothing in a model file is executed or refers to files
outside the folder.
"""

import hashlib
import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.files import write_csv, write_parquet
from support.models import change_card, dense_onnx, linear_onnx, write_dense_model, write_model
from support.runs import score

from job.errors import ModelInvalid
from job.model.bundle import (
    CARD_NAME,
    DENSE_NAME,
    KERAS_NAME,
    ONNX_NAME,
    Bundle,
    Golden,
    open_bundle,
    write_card,
)
from job.model.dense import DenseNetwork, DensePredictor
from job.model.onnx_predictor import OnnxPredictor
from job.storage import LocalStorage
from job.storage.filesystem import LocalFileSystem
from job.train.export.onnx_graph import dense_layers

PLACES = [0.0, 0.2, 0.5, 0.8, 0.999]
WEIGHTS, BIAS = np.ones((784, 64), np.float32), np.ones(64, np.float32)
LAST = np.ones((64, 10), np.float32), np.ones(10, np.float32)


class WatchedFileSystem(LocalFileSystem):
    """The local file system, which records the paths of operations in order."""

    def __init__(self):
        self.paths = []

    def stat(self, path, **options):
        self.paths.append(path)
        return super().stat(path, **options)

    def names(self, folder, **options):
        self.paths.append(folder)
        return super().names(folder, **options)

    def open(self, path):
        self.paths.append(path)
        return super().open(path)

    def make_folder(self, path):
        self.paths.append(path)
        super().make_folder(path)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Two complete model folders of the same kind; treat as read-only."""
    folder = tmp_path_factory.mktemp("models")
    return write_dense_model(folder / "one", seed=0), write_dense_model(folder / "other", seed=1)


@pytest.fixture
def folder(complete, tmp_path):
    """A model folder to damage: `model`, in a folder of its own."""
    return shutil.copytree(complete[0], tmp_path / "models/model")


@pytest.fixture
def other(complete):
    """A model folder with other files of the same kind; treat as read-only."""
    return complete[1]


@pytest.fixture
def source(tmp_path, digits):
    """A folder with an input."""
    (tmp_path / "in").mkdir()
    write_csv(tmp_path / "in/a.csv", digits)
    return tmp_path / "in"


@pytest.fixture
def refusal(folder, source, tmp_path):
    """Runs with the model, and returns the error; the run has touched neither input nor output."""

    def run():
        system = WatchedFileSystem()
        with pytest.raises(ModelInvalid) as error:
            score(source, tmp_path / "out", folder, storage=LocalStorage(system))
        assert system.paths
        assert all(Path(path).is_relative_to(folder.parent) for path in system.paths), system.paths
        assert not (tmp_path / "out").exists()
        assert error.value.exit_code == 78
        return str(error.value)

    return run


def replace_file(folder, name, content):
    """Replace a file of a model folder and update its digest in the card."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    change_card(folder, lambda card: card["files"].update({name: digest}))


def drop_dense(folder):
    """Make the scorer run the ONNX file of a model folder."""
    (folder / DENSE_NAME).unlink()
    change_card(folder, lambda card: card["files"].pop(DENSE_NAME))


def flipped(content, place, bit=0):
    """The bytes with one bit flipped. place: an index, or a share of the length."""
    changed = bytearray(content)
    changed[int(place * len(content)) if isinstance(place, float) else place] ^= 1 << bit
    return bytes(changed)


def message_of(function, *arguments):
    """The message with which a function refuses a model; None if it does not."""
    try:
        function(*arguments)
    except ModelInvalid as error:
        return str(error)
    return None


@pytest.mark.parametrize("write", [write_model, write_dense_model])
def test_the_model_is_verified_before_an_input_is_inspected(tmp_path, source, monkeypatch, write):
    """The card, every file that it lists, then the golden rows."""
    folder = write(tmp_path / "model")
    system = WatchedFileSystem()
    check = Bundle.check

    def watched_check(self, predictor):
        check(self, predictor)
        system.paths.append("golden rows")

    monkeypatch.setattr(Bundle, "check", watched_check)
    score(source, tmp_path / "out", folder, storage=LocalStorage(system))
    before = system.paths[: system.paths.index("golden rows")]
    after = system.paths[len(before) + 1 :]
    assert {Path(path).name for path in before} == {"NOT_BLESSED", *(path.name for path in folder.iterdir())}
    assert str(source / "a.csv") in after
    assert not any(Path(path).is_relative_to(folder) for path in after)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [CARD_NAME, DENSE_NAME, KERAS_NAME, ONNX_NAME])
def test_a_flipped_bit_in_any_file_ends_the_run(folder, refusal, name, place):
    """The message names the file."""
    path = folder / name
    path.write_bytes(flipped(path.read_bytes(), place))
    assert refusal().startswith(f"{path}: ")


def test_each_byte_of_the_card_is_covered(tmp_path, storage):
    """A card with a damaged byte is refused, unless only its white space has changed."""
    folder = write_model(tmp_path / "model")
    golden = open_bundle(storage, str(folder)).golden
    write_card(storage, str(folder), {"name": "small"}, Golden(golden.pixels[:1], golden.probabilities[:1]))
    path = folder / CARD_NAME
    content = path.read_bytes()
    messages = []
    for place in range(len(content)):
        path.write_bytes(flipped(content, place, bit=place % 8))
        messages.append(message_of(open_bundle, storage, str(folder)))
        assert messages[-1] or json.loads(path.read_bytes()) == json.loads(content)
    assert all(message.startswith(f"{path}: ") for message in messages if message)
    assert messages.count(None) < len(content) / 50


def test_a_reformatted_card_is_accepted(folder, storage):
    """The digest does not depend on order, indentation and escapes."""
    card = json.loads((folder / CARD_NAME).read_text())
    for text in (json.dumps(card), json.dumps(card, indent=7, sort_keys=True, ensure_ascii=False)):
        (folder / CARD_NAME).write_text(text)
        assert open_bundle(storage, str(folder)).about == card


def test_a_card_without_its_digest_is_refused(folder, refusal):
    """The digest cannot be left out."""
    card = json.loads((folder / CARD_NAME).read_text())
    del card["sha256"]
    (folder / CARD_NAME).write_text(json.dumps(card))
    assert refusal() == f"{folder / CARD_NAME}: is not a model card: KeyError('sha256'); train the model again"


def test_a_card_of_an_earlier_version_is_refused(folder, refusal):
    """Format 1 has no digest of the card; the message says what to do."""
    change_card(folder, lambda card: card.update({"format": 1, "sha256": ...}))
    assert refusal() == f"{folder / CARD_NAME}: has format 1, expected 2; train the model again"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("name", [CARD_NAME, DENSE_NAME, KERAS_NAME, ONNX_NAME])
def test_a_truncated_file_ends_the_run(folder, refusal, name, share):
    """As an interrupted copy leaves it."""
    path = folder / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert refusal().startswith(f"{path}: ")


@pytest.mark.parametrize("name", [CARD_NAME, DENSE_NAME, KERAS_NAME, ONNX_NAME])
def test_a_missing_file_ends_the_run(folder, refusal, name):
    """The message names it."""
    (folder / name).unlink()
    message = refusal()
    assert name in message
    assert message.startswith(str(folder))


@pytest.mark.parametrize("name", [DENSE_NAME, KERAS_NAME, ONNX_NAME])
def test_a_file_of_another_model_ends_the_run(folder, other, refusal, name):
    """Its digest is not the one in the card."""
    shutil.copy(other / name, folder / name)
    assert refusal() == (
        f"{folder / name}: its SHA-256 does not match the one in model.json: it was changed or damaged; train again"
    )


def test_the_card_of_another_model_ends_the_run(folder, other, refusal):
    """The digests in it are not those of the files."""
    shutil.copy(other / CARD_NAME, folder / CARD_NAME)
    assert refusal().endswith(
        "its SHA-256 does not match the one in model.json: it was changed or damaged; train again"
    )


@pytest.mark.parametrize("name", [DENSE_NAME, ONNX_NAME])
def test_a_network_of_another_model_with_a_fitting_digest_ends_the_run(folder, other, refusal, name):
    """Its probabilities for the golden rows are not those in the card."""
    if name == ONNX_NAME:
        drop_dense(folder)
    replace_file(folder, name, (other / name).read_bytes())
    message = refusal()
    assert message.startswith(f"{folder / name}: its probabilities for the golden rows in model.json differ by up to ")


def test_golden_rows_of_another_model_end_the_run(folder, other, refusal):
    """Even if all digests fit."""
    golden = json.loads((other / CARD_NAME).read_text())["golden"]
    change_card(folder, lambda card: card.update(golden=golden))
    assert "golden rows" in refusal()


def test_only_what_the_scorer_runs_changes_the_digest(folder, other, storage):
    """A card with the digest of another Keras file, as the same training writes it an hour later: the same model."""
    before = open_bundle(storage, str(folder)).digest
    for name in (KERAS_NAME, ONNX_NAME):
        replace_file(folder, name, (other / name).read_bytes())
        assert open_bundle(storage, str(folder)).digest == before
    replace_file(folder, DENSE_NAME, (other / DENSE_NAME).read_bytes())
    assert open_bundle(storage, str(folder)).digest == open_bundle(storage, str(other)).digest != before


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "../model/model.onnx", "/etc/passwd", "a/b", "./model.onnx", ".", "", "model.onnx\0",
        "model.pt", "MODEL.ONNX", "C:\\model.onnx",
    ],
)  # fmt: skip
def test_file_names_outside_the_folder_are_refused(folder, refusal, name):
    """A card lists names of known files only; others are refused, and never opened."""
    (folder.parent / "secret").write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    change_card(folder, lambda card: card["files"].update({name: digest}))
    assert refusal().startswith(f"{folder / CARD_NAME}: lists {name!r}, which is none of ")


def test_a_huge_card_is_not_read(folder, storage):
    """Whatever it contains."""
    with (folder / CARD_NAME).open("ab") as card:
        card.truncate(17 << 20)
    system = WatchedFileSystem()
    with pytest.raises(ModelInvalid, match="is not a model card: it has 17825792 bytes"):
        open_bundle(LocalStorage(system), str(folder))
    assert system.paths == [str(folder / CARD_NAME)]
    assert storage.stat(str(folder / CARD_NAME)).size == 17 << 20


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"a":' * 100_000, '{"format": 2, "x": NaN}', '{"format": 2, "x": -Infinity}',
        '{"format": 2, "sha256": "", "x": 1e999}', '{"format": 2, "x": ' + "9" * 5000 + "}",
    ],
    ids=["brackets", "braces", "NaN", "Infinity", "1e999", "5000 digits"],
)  # fmt: skip
def test_json_beyond_the_limits_is_no_card(folder, refusal, text):
    """Deep nesting, NaN and infinity, numbers that are too long."""
    (folder / CARD_NAME).write_text(text)
    assert refusal().startswith(f"{folder / CARD_NAME}: is not a model card: ")


@pytest.mark.parametrize(
    "change",
    [
        {"data": "mnist"}, {"data": [1]}, {"metrics": 5}, {"metrics": {"test": 0.97}}, {"files": "model.onnx"},
        {"golden": []}, {"golden": {"pixels": "AAAA", "probabilities": 10**400}},
    ],
    ids=repr,
)  # fmt: skip
def test_sections_of_another_type_are_refused_at_once(folder, refusal, change):
    """Not when the report is written, after all the work."""
    change_card(folder, lambda card: card.update(change))
    assert refusal().startswith(f"{folder / CARD_NAME}: is not a model card: ")


def test_a_number_that_is_too_large_for_a_probability_is_refused(folder, refusal):
    """JSON's numbers are unbounded."""
    change_card(folder, lambda card: card["golden"]["probabilities"][0].__setitem__(0, 10**400))
    assert refusal().startswith(f"{folder / CARD_NAME}: is not a model card: ValueError")


@pytest.mark.parametrize(
    "content",
    [linear_onnx(pixels=783), linear_onnx(classes=9), linear_onnx(pixels=28)],
    ids=["783 pixels", "9 classes", "28 pixels"],
)
def test_a_network_of_another_shape_ends_the_run(folder, refusal, content):
    """The message says which inputs and outputs it has."""
    drop_dense(folder)
    replace_file(folder, ONNX_NAME, content)
    assert refusal().startswith(f"{folder / ONNX_NAME}: has inputs and outputs [")


@pytest.mark.parametrize(
    "network",
    [
        DenseNetwork(((WEIGHTS[:783], BIAS), LAST)), DenseNetwork(((WEIGHTS, BIAS[:63]), LAST)),
        DenseNetwork(((WEIGHTS, BIAS), (WEIGHTS, BIAS))), DenseNetwork(((WEIGHTS.astype(np.float64), BIAS), LAST)),
        DenseNetwork(((WEIGHTS * np.float32("nan"), BIAS), LAST)), DenseNetwork(((WEIGHTS, BIAS),)),
    ],
    ids=["783 pixels", "bias", "another layer", "double", "no numbers", "one layer"],
)  # fmt: skip
def test_a_dense_network_of_another_shape_ends_the_run(folder, refusal, network):
    """Its layers must also fit each other."""
    replace_file(folder, DENSE_NAME, network.to_bytes())
    assert refusal().startswith(f"{folder / DENSE_NAME}: ")


class Trap:
    """An object that makes a file when it is loaded from a pickle."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def _archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_pickled_objects_are_not_loaded(folder, refusal, tmp_path):
    """A pickle can execute code: an archive that contains one ends the run, and nothing is executed."""
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    for content in (
        _archive(weights0=trap, bias0=BIAS),
        _archive(weights0=WEIGHTS, bias0=BIAS, weights1=WEIGHTS, bias1=trap),
        pickle.dumps(Trap(sprung)),
    ):
        replace_file(folder, DENSE_NAME, content)
        assert refusal().startswith(f"{folder / DENSE_NAME}: is not a network of dense layers: ")
    assert not sprung.exists()


def test_an_array_that_announces_more_memory_than_there_is(folder, refusal):
    """The file is invalid; memory has not run out."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("weights0.npy", header.getvalue())
        archive.writestr("bias0.npy", b"")
    replace_file(folder, DENSE_NAME, content.getvalue())
    assert refusal().startswith(f"{folder / DENSE_NAME}: is not a network of dense layers: ")


def test_damage_to_a_dense_network_is_a_model_error():
    """Whatever NumPy's and zipfile's parsers raise."""
    content = dense_layers(dense_onnx(64))
    heads = [place for place in range(len(content)) if place < 200 or place > len(content) - 200]
    damaged = [flipped(content, place, bit=(place + shift) % 8) for place in heads for shift in (0, 3)]
    messages = [message_of(DensePredictor, each, "m/model.npz") for each in damaged]
    assert all(message.startswith("m/model.npz: ") for message in messages if message)
    assert messages.count(None) < len(damaged) / 2


def test_damage_to_an_onnx_network_is_a_model_error(capfd):
    """In one line, with nothing on standard output; or the network still runs."""
    content = linear_onnx(pixels=784)
    heads = [place for place in range(len(content)) if place < 150 or place > len(content) - 100]
    pixels = np.zeros((1, 784), np.uint8)

    def run(content):
        OnnxPredictor(content, "m/model.onnx").predict(pixels)

    messages = [message_of(run, flipped(content, place, bit=place % 8)) for place in heads]
    assert all(message.startswith("m/model.onnx: ") and "\n" not in message for message in messages if message)
    assert messages.count(None) < len(heads) / 2
    assert capfd.readouterr().out == ""


def _changed(change):
    """`linear_onnx` with a changed graph."""
    model = onnx.load_from_string(linear_onnx())
    change(model)
    return model.SerializeToString()


def _external(location):
    """A tensor of the network's weights that is stored in another file."""
    weights = numpy_helper.from_array(np.zeros((784, 10), np.float32), "weights")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(784 * 10 * 4))):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    return weights


def _with_external_weights(location, *, is_constant):
    def change(model):
        graph = model.graph
        del graph.initializer[:]
        if is_constant:
            graph.node.insert(0, helper.make_node("Constant", [], ["weights"], value=_external(location)))
        else:
            graph.initializer.append(_external(location))

    return _changed(change)


@pytest.mark.parametrize("is_constant", [False, True], ids=["initializer", "constant"])
@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "a/weights.bin", "{}", "/etc/passwd"])
def test_weights_in_another_file_are_not_loaded(folder, refusal, monkeypatch, location, is_constant):
    """Beside the network, in the working folder or anywhere else: no digest covers them."""
    for place in (folder, folder.parent, folder / "a"):
        place.mkdir(exist_ok=True)
        (place / "weights.bin").write_bytes(bytes(784 * 10 * 4))
    monkeypatch.chdir(folder)
    content = _with_external_weights(location.format(folder / "weights.bin"), is_constant=is_constant)
    drop_dense(folder)
    replace_file(folder, ONNX_NAME, content)
    assert refusal() == (
        f"{folder / ONNX_NAME}: is not a usable ONNX file: its weights are in another file; "
        "save it as one file: onnx.save(onnx.load('model.onnx'), 'one.onnx')"
    )


def _own_operator(model):
    model.graph.node[-1].domain = "mine"
    model.opset_import.append(helper.make_opsetid("mine", 1))


def _unknown_operator(model):
    model.graph.node[-1].op_type = "Softestmax"


@pytest.mark.parametrize("change", [_own_operator, _unknown_operator])
def test_unknown_operators_end_the_run(folder, refusal, change):
    """No code is loaded for them."""
    drop_dense(folder)
    replace_file(folder, ONNX_NAME, _changed(change))
    assert re.match(rf"{folder / ONNX_NAME}: (ONNX Runtime cannot load it: |its operator 'Softmax' is of)", refusal())


def _reshaped(model):
    """A network whose logits must be a multiple of seven, which fails only when it is run."""
    for name, width in (("sevens", 7), ("tens", 10)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([-1, width]), name))
    model.graph.node.insert(2, helper.make_node("Reshape", ["logits", "sevens"], ["in sevens"]))
    model.graph.node.insert(3, helper.make_node("Reshape", ["in sevens", "tens"], ["in tens"]))
    model.graph.node[4].input[0] = "in tens"


def test_a_network_that_cannot_be_run_ends_the_run(folder, refusal):
    """At the golden rows, before the first part."""
    drop_dense(folder)
    replace_file(folder, ONNX_NAME, _changed(_reshaped))
    assert refusal().startswith(f"{folder / ONNX_NAME}: ONNX Runtime cannot run it: ")


# Python's network calls raise audit events. `sys.modules` shows whether the train stage was imported.
WATCH_PYTHON = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(("socket.", "urllib.", "http.")) else None)
from job.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not seen, seen
assert not {"keras", "tensorflow", "onnx"} & set(sys.modules)
"""

# In its own network namespace, the kernel counts what any code of the process, compiled or not, tries to send.
COUNTERS = {"OutRequests", "OutNoRoutes", "ActiveOpens", "OutDatagrams", "Ip6OutRequests", "Ip6OutNoRoutes"}
WATCH_KERNEL = f"""
import subprocess, sys
result = subprocess.run([sys.executable, "-c", *sys.argv[1:]])
found = {{}}
lines = open("/proc/net/snmp").read().splitlines()
for names, values in zip(lines[::2], lines[1::2]):
    found.update(zip(names.split()[1:], values.split()[1:]))
found.update(line.split() for line in open("/proc/net/snmp6"))
print(sum(int(found[name]) for name in {sorted(COUNTERS)!r}), "sent")
sys.exit(result.returncode)
"""
ISOLATED = ["unshare", "--map-root-user", "--net"]


def _process(*arguments):
    return subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def command(folder, source, tmp_path, digits):
    """The arguments of `python -c` for a whole `digit-job score`."""
    write_parquet(source / "b.parquet", digits)
    return [WATCH_PYTHON, "score", "--input", source, "--output", tmp_path / "out", "--model", folder]


def test_scoring_does_not_use_the_network_from_python(command, tmp_path):
    """No socket and no name lookup, from the first import to the end."""
    result = _process(sys.executable, "-c", *command)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out/_SUCCESS").exists()


def test_scoring_sends_no_packets(command, tmp_path):
    """The kernel counts no packet and no connection of a whole run, where it can count those of one process."""
    if not shutil.which("unshare") or _process(*ISOLATED, "true").returncode:
        pytest.skip("needs Linux and the right to make a network namespace")
    attempt = "import socket; socket.socket().connect_ex(('192.0.2.1', 80))"
    control = _process(*ISOLATED, sys.executable, "-c", WATCH_KERNEL, attempt)
    assert control.stdout == "1 sent\n", control
    result = _process(*ISOLATED, sys.executable, "-c", WATCH_KERNEL, *command)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "0 sent"
    assert (tmp_path / "out/_SUCCESS").exists()
