"""What the code imports is declared, and what it declares is in the right place."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The parts of the job that have an extra, of the same name, beside what scoring needs.
EXTRAS = ("figures", "train")
# Not imported, and needed all the same: by Keras's export, and to show what a training writes.
INDIRECT = {"tensorboard", "tf2onnx"}


def _name(requirement):
    """A distribution's name in its normal form, as PyPA's specification has it."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def _declared(extra=None):
    requirements = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {_name(each) for each in requirements}


def _imported(path):
    """The top-level modules that a file imports, wherever in it, without Python's and the job's own."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            module = name.partition(".")[0]
            if module not in sys.stdlib_module_names and module != "job":
                yield module


def _part(path):
    """The folder of job/ that a file is in, or the file itself."""
    return path.relative_to(ROOT / "job").parts[0]


FILES = sorted((ROOT / "job").rglob("*.py"))
DISTRIBUTIONS = {module: {_name(each) for each in names} for module, names in packages_distributions().items()}


@pytest.mark.parametrize("part", sorted({_part(path) for path in FILES}))
def test_imports_are_declared(part):
    """Only `train` and `figures` import more than `pip install .` installs."""
    declared = _declared() | (_declared(part) if part in EXTRAS else set())
    missing = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in FILES
        if _part(path) == part
        for module in _imported(path)
        if not DISTRIBUTIONS.get(module, {module}) & declared
    }
    assert not missing, f"pyproject.toml does not declare for them what these import: {sorted(missing)}"


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_declared_packages_are_imported(extra):
    """Nothing is installed for code that is gone."""
    modules = {module for path in FILES if extra in {None, _part(path)} for module in _imported(path)}
    imported = {name for module in modules for name in DISTRIBUTIONS.get(module, {module})}
    unused = _declared(extra) - INDIRECT - imported
    # One of the two is installed, by platform.
    assert unused <= ({"tensorflow", "tensorflow-cpu"} if "tensorflow" in modules else set())


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_private_interfaces_have_an_upper_bound(package):
    """Kernels are called as Numba calls them itself: see test_calling_convention."""
    (requirement,) = (each for each in PROJECT["dependencies"] if _name(each) == package)
    assert re.search(r"<0\.\d+$", requirement)


TEXTS = [
    path
    for pattern in ("*.md", "job/**/*.md", "job/**/*.py", "job/**/*.jinja", "docker/**/*.*", "tests/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if "__pycache__" not in path.parts
]


def test_no_text_names_an_index_where_the_project_is_not():
    """It is installed from a checkout, `.`, or from a wheel."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in TEXTS
        for line in path.read_text().splitlines()
        if re.search(r"(pip|uv|pipx) (install|add|tool install)( -\S+)* ['\"]?digit-job\b", line)
    ]
    assert found == []


def test_every_extra_that_a_text_names_exists():
    """As in `pip install '.[train]'`."""
    named = {extra for path in TEXTS for extra in re.findall(r"(?:'\.|\.whl|\.whl\)|whl')\[(\w+)\]", path.read_text())}
    assert {"train", "figures"} <= named <= set(PROJECT["optional-dependencies"])


def test_the_wheel_has_every_file_that_the_code_reads():
    """What is neither Python nor a document is named in pyproject.toml as data of the package."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["job"]
    packed = {path for pattern in patterns for path in (ROOT / "job").glob(pattern)}
    documents = {".py", ".pyc", ".md"}
    others = {path for path in (ROOT / "job").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    picture = ROOT / "job/report/report.png"  # of a document
    assert {path for path in others if path.suffix not in documents} - packed == {picture}
