"""ONNX networks that loop for ever, take memory without end or crash ONNX Runtime, in cards that fit.

Who makes the network makes the card, too, so that no digest says anything against it.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.command import digit_job, start
from support.files import write_csv
from support.models import linear_onnx

from job.errors import ModelInvalid, ResourceExhausted, Terminated
from job.model.bundle import ONNX_NAME, Golden, open_bundle, predictor_of, write_card
from job.model.onnx_predictor import OnnxPredictor
from job.model.trial import tried

GOLDEN = Golden(np.zeros((2, 784), np.uint8), np.full((2, 10), 0.1, np.float32))


def network(*nodes, **constants):
    """A network whose logits are those of `nodes`, named `sums`, of the linear network's `logits`."""
    weights = {"weights": np.zeros((784, 10), np.float32)} | constants
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["floats", "weights"], ["logits"]),
            *nodes,
            helper.make_node("Softmax", ["sums"], ["probabilities"]),
        ],
        "hostile",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 784])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def loop(count, *nodes):
    """A Loop whose number of rounds is the value `count`."""
    body = helper.make_graph(
        [*nodes] or [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["in"], ["out"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("in", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("out", TensorProto.FLOAT, None),
        ],
    )
    return helper.make_node("Loop", [count, "", "logits"], ["sums"], body=body)


def endless():
    """It loops 2**62 times for every image."""
    return network(loop("rounds"), rounds=2**62)


def endless_for_ink():
    """It loops 2**62 times for images with ink, and not at all for the golden rows, which are blank."""
    return network(
        helper.make_node("ReduceMax", ["floats"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["ink"], to=TensorProto.INT64),
        helper.make_node("Mul", ["ink", "large"], ["rounds"]),
        loop("rounds"),
        large=2**54,
    )


def insatiable():
    """It makes 16 GiB of a size that stands nowhere in the file."""
    return network(
        helper.make_node("Mul", ["side", "side"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["large"]),
        helper.make_node("ReduceMax", ["large"], ["number"], keepdims=0),
        helper.make_node("Add", ["logits", "number"], ["sums"]),
        side=np.array([1 << 16]),
    )


@pytest.fixture
def folder_of(tmp_path):
    """Writes a model folder with a network and a card that fits."""

    def write(content):
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / ONNX_NAME).write_bytes(content)
        return folder

    return write


def _with_card(folder, storage):
    write_card(storage, str(folder), {"name": "hostile"}, GOLDEN)
    return open_bundle(storage, str(folder))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (endless(), "was tried in a process of its own, which did not end within 2 s"),
        (insatiable(), "needs more than 4 GiB of memory"),
    ],
    ids=["endless", "insatiable"],
)
def test_a_network_without_an_end_is_refused(folder_of, storage, monkeypatch, content, found):
    """The process that tries it is killed; this one has not loaded the network."""
    monkeypatch.setattr("job.model.bundle.tried", lambda *a, **k: tried(*a, **k, limit_s=2 if "2 s" in found else 60))
    monkeypatch.setattr(OnnxPredictor, "__init__", None)
    folder = folder_of(content)
    with pytest.raises(ModelInvalid, match=rf"^{folder / ONNX_NAME}: {found}"):
        predictor_of(_with_card(folder, storage))


def test_a_network_is_tried_once(folder_of, storage, monkeypatch):
    """The second time its digest is known."""
    bundle = _with_card(folder_of(network(loop("rounds"), rounds=3)), storage)
    bundle.check(predictor_of(bundle))
    monkeypatch.setattr("job.model.bundle.tried", None)
    predictor_of(bundle)


def test_a_loop_that_only_some_images_start_is_ended(monkeypatch):
    """The golden rows say nothing about other images."""
    monkeypatch.setattr("job.model.onnx_watch.MAX_BATCH_S", 0.5)
    predictor = OnnxPredictor(endless_for_ink(), "m/model.onnx")
    assert predictor.predict(GOLDEN.pixels).shape == (2, 10)
    with pytest.raises(ModelInvalid, match=r"^m/model.onnx: has computed one batch of images for \d+ s"):
        predictor.predict(GOLDEN.pixels + 1)


def test_a_long_call_heeds_the_stop_token():
    """Whatever it raises is raised in the call's place."""
    ends_at = time.monotonic() + 0.5

    def check_stop():
        if time.monotonic() > ends_at:
            raise Terminated("terminated")

    predictor = OnnxPredictor(endless_for_ink(), "m/model.onnx", check_stop=check_stop)
    with pytest.raises(Terminated):
        predictor.predict(GOLDEN.pixels + 1)


def test_a_run_in_a_long_call_heeds_sigterm(folder_of, storage, digits, tmp_path):
    """Within seconds, and exits with 143."""
    folder = folder_of(endless_for_ink())
    _with_card(folder, storage)
    write_csv(tmp_path / "a.csv", digits)
    out = tmp_path / "out"
    process = start("score", "--input", tmp_path / "a.csv", "--output", out, "--model", folder)
    deadline = time.monotonic() + 120
    while not (out / "_parts/run.json").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_a_body_without_operators_is_refused():
    """ONNX Runtime could not be stopped in it."""
    body = [
        helper.make_node("Constant", [], ["go_on"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("Constant", [], ["out"], value=numpy_helper.from_array(np.zeros((1, 10), np.float32))),
    ]
    with pytest.raises(ModelInvalid, match="it has a loop or a branch that computes nothing"):
        OnnxPredictor(network(loop("rounds", *body), rounds=2**62), "m/model.onnx")


def test_an_operator_of_another_domain_is_refused():
    """Before ONNX Runtime looks for it."""
    foreign = helper.make_node("Evil", ["logits"], ["sums"], domain="org.example")
    with pytest.raises(ModelInvalid, match=r"^m: its operator 'Evil' is of 'org.example', which ONNX Runtime"):
        OnnxPredictor(network(foreign), "m")


def test_the_command_refuses_an_endless_file(tmp_path, digits):
    """A plain ONNX file, too, which is converted for the run."""
    (tmp_path / "endless.onnx").write_bytes(network(loop("rounds"), rounds=2**62))
    write_csv(tmp_path / "a.csv", digits)
    code = "import job.model.bounds; job.model.bounds.MAX_TRIAL_S = 2; import job.model.trial as t; "
    code += "t.tried.__kwdefaults__['limit_s'] = 2\n"
    process = start(
        "score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", tmp_path / "endless.onnx",
        code=code,
    )  # fmt: skip
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 78
    assert f"{tmp_path / 'endless.onnx'}: was tried in a process of its own" in errors


def crash(_content, _where):
    """For a trial: ends by a signal."""
    os.kill(os.getpid(), signal.SIGSEGV)


def be_killed(_content, _where):
    """For a trial: as the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_content, _where):
    """For a trial: a defect."""
    raise KeyError("x")


def echo(content, where, *, more):
    """For a trial: what it got."""
    sys.stdout.write("noise")
    subprocess.run([sys.executable, "-c", "print('more noise')"], check=True)
    return [len(content), where, more]


@pytest.fixture
def trial_functions(monkeypatch):
    """Lets a trial's process import this module."""
    monkeypatch.syspath_prepend(os.path.dirname(__file__))
    for function in (crash, be_killed, fail, echo):
        monkeypatch.setattr(function, "__module__", "test_hostile_networks")


@pytest.mark.parametrize(
    ("function", "error", "found"),
    [
        (crash, ModelInvalid, r"crashes the library that reads it \(SIGSEGV\)"),
        (be_killed, ResourceExhausted, "was tried in a process of its own, which was killed: out of memory"),
        (fail, ModelInvalid, "ends the process that reads it with 1"),
    ],
    ids=["crash", "killed", "defect"],
)
@pytest.mark.usefixtures("trial_functions")
def test_a_trial_that_dies_says_how(function, error, found):
    """And names the file."""
    with pytest.raises(error, match=f"^m/file: {found}"):
        tried(function, b"content", "m/file")


@pytest.mark.usefixtures("trial_functions")
def test_a_trial_returns_the_result():
    """Whatever the function and its children print."""
    assert tried(echo, bytes(1_000_000), "m/file", more={"a": None}) == [1_000_000, "m/file", {"a": None}]


@pytest.mark.parametrize("content", [network(loop("rounds"), rounds=3), linear_onnx()], ids=["loop", "linear"])
def test_nothing_is_kept_in_the_home(folder_of, storage, digits, tmp_path, content):
    """Without a variable that is set before its import, ONNX Runtime keeps a device id and events there."""
    command, environment = _scoring(folder_of(content), storage, digits, tmp_path)
    done = digit_job(*command, **environment)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "home").rglob("*")) == []


def _scoring(folder, storage, digits, tmp_path):
    """The arguments of a scoring run, and its environment with a fresh home."""
    golden = Golden(GOLDEN.pixels, OnnxPredictor((folder / ONNX_NAME).read_bytes(), "m").predict(GOLDEN.pixels))
    write_card(storage, str(folder), {"name": "x"}, golden)
    home = tmp_path / "home"
    home.mkdir()
    write_csv(tmp_path / "a.csv", digits)
    command = ["score", "--input", tmp_path / "a.csv", "--output", tmp_path / "out", "--model", folder]
    return command, {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "DIGIT_JOB_CODE_CACHE": "off"}
