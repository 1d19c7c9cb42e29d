"""What is in the images, and what is not."""

import hashlib
import json
import re

import pytest
from container.engine import LOCKED, ROOT

from job import __version__

pytestmark = pytest.mark.container

MOST_BYTES = 550e6


def inspected(engine, image):
    """What the engine knows of an image."""
    return json.loads(engine.said("image", "inspect", image))[0]


def python(engine, image, script, **how):
    """What a script says that the image's Python runs."""
    result = engine.run(image, "-c", script, options=LOCKED, entrypoint="/opt/python/bin/python", **how)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_score_image_is_small(engine, images, figure):
    """What it adds to its base, in bytes on the disk."""
    base, score, full = (inspected(engine, image)["Size"] for image in (images.base, images.score, images.full))
    figure(f"images above their base: score {(score - base) / 1e6:.0f} MB, digit-job {(full - base) / 1e6:.0f} MB")
    assert score - base <= MOST_BYTES


def test_the_images_share_all_layers_of_the_smaller_one(engine, images):
    """A machine that has both holds the scorer once."""
    score, full = (inspected(engine, image)["RootFS"]["Layers"] for image in (images.score, images.full))
    assert full[: len(score)] == score
    assert len(full) == len(score) + 2


def test_a_run_cannot_change_the_model_of_the_image(engine, images):
    """Files and, where only scoring is done, the folder are root's; a training replaces them in a volume."""
    script = "import os; print(sorted({os.stat(each).st_uid for each in {folder}}))"
    for image, owner in ((images.score, 0), (images.full, 65532)):
        assert python(engine, image, script.replace("{folder}", "os.scandir('/model')")) == "[0]"
        assert python(engine, image, script.replace("{folder}", "['/model']")) == f"[{owner}]"


def test_an_image_says_what_it_is(engine, images):
    """Labels as the Open Container Initiative names them, and what model there is, as its card says."""
    card = json.loads(engine.run(images.score, "/model/model.json", entrypoint="cat").stdout)
    listing = "".join(f"{name} {digest}\n" for name, digest in sorted(card["files"].items()))
    for image in (images.score, images.full):
        labels = inspected(engine, image)["Config"]["Labels"]
        assert labels["org.opencontainers.image.version"] == __version__
        assert {f"org.opencontainers.image.{name}" for name in ("source", "revision", "created", "title")} <= {*labels}
        assert labels["digit-job.model.data"] == card["data"]["name"]
        assert labels["digit-job.model.digest"] == hashlib.sha256(listing.encode()).hexdigest()
        assert (
            "://" not in labels["org.opencontainers.image.source"]
            or "@" not in labels["org.opencontainers.image.source"]
        )


def test_an_image_runs_as_nobody_and_hears_signals(engine, images):
    """A number for a user, so that Kubernetes sees that it is not root; no shell in front of Python."""
    for image in (images.score, images.full):
        config = inspected(engine, image)["Config"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])
        assert config["Entrypoint"] == ["digit-job"]
        assert config["Cmd"] == ["score"]


def test_the_score_image_is_without_tensorflow(engine, images):
    """Nor has it anything else that only training needs."""
    script = (
        "from importlib.metadata import distributions; print(*sorted(each.name.lower() for each in distributions()))"
    )
    score, full = (set(python(engine, image, script).split()) for image in (images.score, images.full))
    assert not score & {
        "tensorflow-cpu",
        "tensorflow",
        "keras",
        "pandas",
        "scikit-learn",
        "matplotlib",
        "onnx",
        "tf2onnx",
    }
    assert {"keras", "scipy", "scikit-learn", "onnx"} <= full
    assert "digit-job" in score


def test_no_image_has_what_built_it(engine, images):
    """Neither pip in the environment, nor compilers, caches, secrets or sources of the build."""
    script = """
import importlib.util, os, shutil, sys
modules = [name for name in ("pip", "cyclonedx_py") if importlib.util.find_spec(name)]
commands = [name for name in ("gcc", "cc", "make", "ld") if shutil.which(name)]
folders = ("/build", "/tools", "/mnist", os.path.expanduser("~root/.cache"), "/run/secrets/pip_conf", "/run/secrets/ca")
print(modules, commands, [name for name in folders if os.path.exists(name)])
"""
    for image in (images.score, images.full):
        assert python(engine, image, script) == "[] [] []"


def test_nothing_of_this_machine_is_in_an_image(engine, images):
    """History and configuration name no index, no certificate and no folder of the machine that built it."""
    for image in (images.score, images.full):
        told = engine.said("image", "inspect", image) + engine.said("history", "--no-trunc", image)
        for word in ("extra-index-url", "find-links", "ca-certificates.crt", str(ROOT)):
            assert word not in told


def test_all_is_compiled(engine, images):
    """Bytecode lies beside each module; the machine code of every kernel is found by anybody, without Numba."""
    script = """
import os, sys
bare = [f for top in ("/opt/python/lib", "/opt/digit-job", "/opt/train") for d, _, names in os.walk(top) for f in names
        if f.endswith(".py") and not any(n.startswith(f[:-2]) for n in os.listdir(d + "/__pycache__"))]
from job.compiled import machine_code
for module, function in machine_code.KERNELS:
    machine_code.kernel(module, function)
print(bare, "numba" in sys.modules)
"""
    assert python(engine, images.full, script) == "[] False"


def test_there_is_code_for_other_processors(engine, images):
    """A node may have an older processor than the machine that built the image, or a newer one."""
    script = """
import re
from pathlib import Path
from job.compiled import machine_code
kept = [re.sub("-[0-9a-f]{16}[.]o$", "", path.name) for path in Path("/opt/digit-job").rglob("*.o")]
levels = machine_code.levels()
wanted = [f"{module}.{function}-{level}" for module, function in machine_code.KERNELS for level in levels]
print(sorted(kept) == sorted(wanted), len(levels) in {1, 5})
"""
    assert python(engine, images.score, script) == "True True"


def test_the_bill_of_materials_is_the_lock_file(engine, images):
    """CycloneDX: each package of the image with its version, as locked, and none that is not there."""
    bill = json.loads(engine.run(images.score, "/opt/digit-job/sbom.cdx.json", entrypoint="cat").stdout)
    assert bill["bomFormat"] == "CycloneDX"
    told = {each["name"].lower().replace("_", "-"): each["version"] for each in bill["components"]}
    told.pop("digit-job", None)
    locked = set(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / ".lock/score.txt").read_text(), re.MULTILINE))
    assert {*told.items()} <= locked
    # All but what is for other systems.
    assert {name for name, _ in locked} - {*told} <= {"colorama"}
