"""Machine code is compiled once, cached, and checked before it is loaded."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from job.compiled import machine_code

KERNEL = ("job.read.csv.scan_kernel", "scan")
LEVEL = machine_code._level()
PACKAGE = Path(machine_code.__file__).parents[1]


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    """Two empty cache folders, a fake compiler, and the levels that it has compiled for."""
    levels = []

    def compiled(_module, _function, level):
        levels.append(level)
        return b"code for " + level.encode()

    monkeypatch.setattr(machine_code, "_compiled", compiled)
    monkeypatch.setattr(machine_code, "_folders", lambda _module: iter([tmp_path / "beside", tmp_path / "cache"]))
    return levels


def test_code_is_compiled_once(compilations, tmp_path):
    """The second run finds what the first has cached, and no temporary file is left."""
    first = machine_code._object_code(*KERNEL, LEVEL)
    assert machine_code._object_code(*KERNEL, LEVEL) == first
    assert len(compilations) == 1
    assert [path.suffix for path in (tmp_path / "beside").iterdir()] == [".o"]
    assert not (tmp_path / "cache").exists()


def test_code_beside_a_read_only_source(compilations, tmp_path):
    """It goes to the user's cache folder, so that a read-only install, as in a container, compiles only once."""
    (tmp_path / "beside").write_text("a file, so that no folder can be made here")
    machine_code._object_code(*KERNEL, LEVEL)
    machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_code_that_cannot_be_cached(compilations, tmp_path):
    """If no folder is writable, each run compiles for itself."""
    for name in ("beside", "cache"):
        (tmp_path / name).write_text("a file")
    assert machine_code._object_code(*KERNEL, LEVEL) == machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 2


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda code: code[:-1] + b"?", lambda _: b""])
def test_damaged_code_is_compiled_again(compilations, tmp_path, damage):
    """A file that was truncated or changed is never loaded."""
    good = machine_code._object_code(*KERNEL, LEVEL)
    (path,) = (tmp_path / "beside").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert machine_code._object_code(*KERNEL, LEVEL) == good
    assert len(compilations) == 2


def test_code_for_another_processor(compilations):
    """Each level of processors has its own file."""
    machine_code._object_code(*KERNEL, LEVEL)
    machine_code._object_code(*KERNEL, "other")
    assert compilations == [LEVEL, "other"]


def test_code_from_other_sources(compilations, monkeypatch):
    """Changed sources or compilers have their own file."""
    machine_code._object_code(*KERNEL, LEVEL)
    monkeypatch.setattr(machine_code, "_origin", lambda *_: "other")
    machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 2


def _job_imports(path):
    """The job modules that a source imports, as paths."""
    names = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("job.")}


@pytest.mark.parametrize("module", [module for module, _ in machine_code.KERNELS])
def test_the_digest_covers_everything_that_a_kernel_is_compiled_from(module):
    """Each module that the kernel, or a part of it in another module, imports code or constants from."""
    todo, found = [machine_code._source(module)], set()
    while todo:
        found.add(path := todo.pop())
        imported = _job_imports(path)
        # Other modules of compiled code contribute what they import, too; the rest only constants of their own.
        todo += [each for each in imported - found if each.stem.endswith("kernel") or each.parent.name == "compiled"]
        found |= imported
    assert found - {*machine_code._origins(module)} == set()


def test_the_digest_changes_with_every_source(monkeypatch, tmp_path):
    """One changed byte is enough."""
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text("x = 1")
    monkeypatch.setattr(machine_code, "_origins", lambda _module: paths)
    digests = {machine_code._origin("")}
    for path in paths:
        path.write_text("x = 2")
        digests.add(machine_code._origin(""))
    assert len(digests) == 3


def test_an_image_has_code_for_every_processor(compilations, tmp_path):
    """All kernels for all levels, so that a run on any processor of this architecture finds its code."""
    machine_code.compile_ahead(machine_code.levels())
    assert len(compilations) == len(machine_code.KERNELS) * len(machine_code.levels())
    assert LEVEL in machine_code.levels()
    cached = {path.name for path in (tmp_path / "beside").iterdir()}
    assert len(cached) == len(compilations)
    for module, function in machine_code.KERNELS:
        assert machine_code._object_code(module, function, LEVEL) == b"code for " + LEVEL.encode()
    assert len(compilations) == len(cached)


def test_every_kernel_is_listed():
    """An install compiles ahead whatever the code loads."""
    sources = (path.read_text() for path in PACKAGE.rglob("*.py"))
    loaded = {found for source in sources for found in re.findall(r'kernel\("(job\.[\w.]+)", "(\w+)"\)', source)}
    assert loaded == set(machine_code.KERNELS)


# What the compiler makes. Numba compiles each kernel once for all tests of a process.


LEVELS = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", machine_code.PACKING]
COMPILED = [
    (KERNEL, LEVELS),
    (("job.model.dense_kernel", "run_layers"), LEVELS),
    (("job.normalize.form_kernel", "bring_to_form"), LEVELS),
    (("job.report.pixel_kernel", "count_pixels"), LEVELS),
    # The oldest processors have no instruction for much of what vectors are made of.
    (("job.train.fit.deform_kernel", "deform"), ["x86-64"]),
]
INTEGERS_ONLY = [
    ("job.read.csv.count_kernel", "count_lines"),
    ("job.read.parquet.footer_kernel", "chunks"),
    ("job.read.parquet.page_kernel", "decode"),
    ("job.read.table.grid_kernel", "transpose"),
    ("job.report.pixel_kernel", "count_pixels"),
]


@pytest.mark.parametrize(("kernel", "levels"), COMPILED, ids=["scan", "dense", "form", "pixels", "deform"])
@pytest.mark.skipif(LEVEL == "generic", reason="levels are those of x86-64")
def test_kernels_compile_for_other_processors(kernel, levels):
    """Whatever this one is; and the code needs no symbol from outside."""
    for level in levels:
        assert machine_code._compiled(*kernel, level)


@pytest.mark.parametrize(("module", "function"), INTEGERS_ONLY)
def test_kernels_of_integers_have_no_floats(module, function):
    """Numba turns a signed and an unsigned operand into floats, which would round lengths and offsets."""
    code, _ = machine_code._intermediate_code(module, function)
    assert "double" not in code
    assert "float" not in code


@pytest.mark.parametrize(("module", "function"), machine_code.KERNELS)
def test_no_kernel_leaves_rounding_to_the_processor(module, function):
    """No product and sum is contracted where an instruction for both exists, and no sum is added in another order."""
    code, _ = machine_code._intermediate_code(module, function)
    assert "llvm.fmuladd" not in code
    assert not re.findall(r"= (?:f\w+|call) (?:contract|fast|reassoc|afn|arcp|nsz)\b", code)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("", "x86-64"),
        ("sse4.2 avx f16c", "x86-64 AVX"),
        ("avx avx2 fma", "x86-64 AVX AVX2 FMA"),
        ("avx avx2 fma avxvnni", "x86-64 AVX AVX2 FMA VNNI"),
        ("avx avx2 fma avx512f avx512vbmi2", "x86-64 AVX AVX2 FMA AVX-512"),
        ("avx avx2 fma avx512f avx512vnni amx-int8", "x86-64 AVX AVX2 FMA AVX-512 VNNI"),
    ],
)
def test_what_other_libraries_select_their_code_by(monkeypatch, features, expected):
    """The vectors of x86-64, which are more than there are levels."""
    features = dict.fromkeys(features.split(), True) | {"avx512er": False}
    monkeypatch.setattr(machine_code, "_level", lambda: "x86-64")
    monkeypatch.setattr(machine_code, "_llvm", lambda: SimpleNamespace(get_host_cpu_features=lambda: features))
    assert machine_code.processor() == expected


def test_other_architectures_are_named_with_their_processor(monkeypatch):
    """Their vectors differ in more ways than there are levels."""
    monkeypatch.setattr(machine_code, "_level", lambda: "generic")
    monkeypatch.setattr(machine_code, "_llvm", lambda: SimpleNamespace(get_host_cpu_name=lambda: "neoverse-n1"))
    monkeypatch.setattr(machine_code.platform, "machine", lambda: "aarch64")
    assert machine_code.processor() == "aarch64 neoverse-n1"


def test_numba_is_not_imported_if_code_is_cached():
    """A run that finds its code in the cache imports only llvmlite."""
    script = "import sys; from job.read.csv.scan import prepare; prepare(); print('numba' in sys.modules)"
    command = [sys.executable, "-c", script]
    outputs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert outputs[1] == "False\n"
