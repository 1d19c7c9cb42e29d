"""The Python code in MODEL.md works as it stands, and predicts what `digit-job score` predicts."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.command import invoke

import job

# Of TensorFlow's interpreter, where the snippet could not import the one of LiteRT.
_AS_USERS_RUN_IT = {name: value for name, value in os.environ.items() if name not in {"PYTHONWARNINGS", "PYTHONPATH"}}
_PRINT_LIBRARIES = "\nimport sys\nprint('tensorflow' in sys.modules)\n"


@pytest.fixture(scope="module")
def folder(trained, optdigits, tmp_path_factory):
    """A copy of the trained model's folder with images, and the SavedModel that MODEL.md says how to make."""
    folder = tmp_path_factory.mktemp("snippets") / "it's a [model] `{{name}}`"
    shutil.copytree(trained.result.path, folder)
    np.save(folder / "images.npy", optdigits.pixels[:200].reshape(-1, 28, 28))
    text = (folder / "MODEL.md").read_text()
    command = re.search(r"`digit-job (export [^`]+)`", text)[1]
    before = os.getcwd()
    os.chdir(folder)
    try:
        assert invoke(*command.split()).returncode == 0
    finally:
        os.chdir(before)
    return folder


NAMES = ("import keras", "import onnxruntime", "ai_edge_litert", "tf.saved_model")


@pytest.fixture(scope="module")
def snippets(folder):
    """What each snippet prints, and whether it has loaded TensorFlow, by what it contains; all run at once."""
    codes = re.findall(r"```python\n(.*?)```", (folder / "MODEL.md").read_text(), re.DOTALL)
    assert [[name for name in NAMES if name in code] for code in codes] == [[name] for name in NAMES]

    def run(code):
        code = f"import numpy\nnumpy.set_printoptions(threshold=10**6)\n{code}{_PRINT_LIBRARIES}"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=_AS_USERS_RUN_IT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        digits, has_tensorflow = done.stdout.removeprefix("[").split("]")
        return [int(each) for each in digits.split()], has_tensorflow.strip() == "True"

    with ThreadPoolExecutor() as pool:
        return dict(zip(NAMES, pool.map(run, codes), strict=True))


@pytest.fixture(scope="module")
def scored(folder):
    """What `score` predicts."""
    job.score(folder / "images.npy", folder.parent / "scored", folder)
    return job.open_results(folder.parent / "scored").predictions("images.npy").read_all()["prediction"].to_numpy()


@pytest.mark.parametrize("name", NAMES)
def test_the_snippets_predict_what_score_predicts(snippets, scored, name):
    """In a process of its own, as a user runs it."""
    digits, _ = snippets[name]
    assert len({*scored}) > 5
    np.testing.assert_array_equal(digits, scored)


def test_only_what_needs_tensorflow_loads_it(snippets):
    """ONNX Runtime never does; LiteRT where it has no package of its own."""
    assert snippets["import onnxruntime"][1] is False
    assert snippets["ai_edge_litert"][1] is (importlib.util.find_spec("ai_edge_litert") is None)


def test_the_integers_are_explained_where_they_are_saved(trained):
    """And only there."""
    from job.train.card.model_card import model_card

    card = trained.result.card
    assert "`model.int8.tflite` likewise" not in model_card(card, trained.result.test, [])
    exports = {**card["export"], "model.int8.tflite": card["export"]["model.tflite"]}
    assert "`model.int8.tflite` likewise" in model_card({**card, "export": exports}, trained.result.test, [])
