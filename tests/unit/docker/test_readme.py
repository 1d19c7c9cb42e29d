"""docker/README.md says what the code and the Kubernetes files do.

Its table of flags is generated, which test_reference holds it to; its links are followed by test_documents.
"""

import re
from pathlib import Path

from job.errors import DigitJobError, Stopped

ROOT = Path(__file__).parents[3]
README = (ROOT / "docker/README.md").read_text()
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()


def rows(section):
    """The rows of a section's table, as lists of cells."""
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if set(row[0]) != {"-"} and row[0] not in {"variable", "exit", "code"}]


def in_image():
    """What the image sets."""
    return dict(re.findall(r"\b(DIGIT_JOB_[A-Z]+|MNIST_DIR)=(\S+)", DOCKERFILE))


def read_by_code():
    """Every variable that the code reads outside of its flags, but for other programs' own."""
    sources = "".join(path.read_text() for path in (ROOT / "job").rglob("*.py"))
    return set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', sources)) - {"KERAS_BACKEND"}


def test_every_other_variable_is_in_the_table():
    """Those that the code asks the environment for, and those that the image sets."""
    told = {name.strip("`"): default.strip("`") for name, default, _ in rows("Variables")}
    assert read_by_code() | {*in_image()} <= {*told}
    assert told["MNIST_DIR"] == in_image()["MNIST_DIR"]


def test_every_exit_code_is_in_the_table_with_what_kubernetes_does():
    """As errors.py and the files say; test_kubernetes holds those to errors.py."""
    codes, classes = {0: "Complete"}, [DigitJobError]
    while classes:
        each = classes.pop()
        if each is not Stopped:
            index = "FailIndex" if each.exit_code in {65, 66} else "FailJob"
            codes[each.exit_code] = "try again" if each.can_retry else index
        classes += each.__subclasses__()
    codes |= {134: "FailIndex", 137: "try again", 139: "FailIndex"}
    assert {int(code): action for code, _, action in rows("Exit codes")} == codes


def test_the_base_is_named_by_digest():
    """A tag may be another image tomorrow."""
    assert re.search(r"^ARG BASE_IMAGE=\S+:\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)


def test_the_model_of_the_image_is_roots():
    """Scoring cannot change the model that the next run trusts; a training can replace it in a volume."""
    [score, full] = [stage for stage in DOCKERFILE.split("\nFROM ") if "/model /model" in stage or "chown" in stage]
    assert "COPY --from=train /model /model" in score
    assert "USER 0:0\nRUN chown 65532:65532 /model\nUSER 65532:65532\n" in full
