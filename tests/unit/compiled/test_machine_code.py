"""Machine code is made once, kept, and never trusted blindly."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from job.compiled import machine_code

KERNEL = ("job.read.csv.scan_kernel", "scan")
LEVEL = machine_code._level()


@pytest.fixture
def compilations(monkeypatch, tmp_path):
    """A fresh pair of folders for code, and how often it was compiled; the code itself is a stand-in."""
    count = []

    def compiled(_module, _function, level):
        count.append(level)
        return b"code for " + level.encode()

    monkeypatch.setattr(machine_code, "_compiled", compiled)
    monkeypatch.setattr(machine_code, "_folders", lambda _module: iter([tmp_path / "beside", tmp_path / "cache"]))
    return count


def test_code_is_compiled_once(compilations, tmp_path):
    """The second run finds what the first has kept, and nothing temporary lies about."""
    first = machine_code._object_code(*KERNEL, LEVEL)
    assert machine_code._object_code(*KERNEL, LEVEL) == first
    assert len(compilations) == 1
    assert [path.suffix for path in (tmp_path / "beside").iterdir()] == [".o"]
    assert not (tmp_path / "cache").exists()


def test_code_goes_to_the_cache_folder_where_none_can_be_kept_beside_the_source(compilations, tmp_path):
    """An install that cannot be written, as in a container, still compiles but once."""
    (tmp_path / "beside").write_text("a file, so no folder can be made here")
    machine_code._object_code(*KERNEL, LEVEL)
    machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_code_that_cannot_be_kept_is_still_code(compilations, tmp_path):
    """Where no folder can be written, each run compiles for itself."""
    for name in ("beside", "cache"):
        (tmp_path / name).write_text("a file")
    assert machine_code._object_code(*KERNEL, LEVEL) == machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 2


@pytest.mark.parametrize("damage", [lambda code: code[:-1], lambda code: code[:-1] + b"?", lambda _: b""])
def test_damaged_code_is_made_again(compilations, tmp_path, damage):
    """A file that was cut or changed is never run."""
    good = machine_code._object_code(*KERNEL, LEVEL)
    (path,) = (tmp_path / "beside").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert machine_code._object_code(*KERNEL, LEVEL) == good
    assert len(compilations) == 2


def test_code_for_another_processor_is_made_anew(compilations):
    """What is kept is told apart by what it was made for."""
    machine_code._object_code(*KERNEL, LEVEL)
    machine_code._object_code(*KERNEL, "other")
    assert compilations == [LEVEL, "other"]


def test_code_from_other_sources_is_made_anew(compilations, monkeypatch):
    """What is kept is told apart by what it was made from."""
    machine_code._object_code(*KERNEL, LEVEL)
    monkeypatch.setattr(machine_code, "_origin", lambda *_: "other")
    machine_code._object_code(*KERNEL, LEVEL)
    assert len(compilations) == 2


def test_an_image_holds_code_for_every_processor(compilations, tmp_path):
    """All kernels for all levels: a run on any processor of this architecture finds its code."""
    machine_code.compile_ahead(machine_code.levels())
    assert len(compilations) == len(machine_code.KERNELS) * len(machine_code.levels())
    assert LEVEL in machine_code.levels()
    kept = {path.name for path in (tmp_path / "beside").iterdir()}
    assert len(kept) == len(compilations)
    for module, function in machine_code.KERNELS:
        assert machine_code._object_code(module, function, LEVEL) == b"code for " + LEVEL.encode()
    assert len(compilations) == len(kept)


def test_every_kernel_is_known_to_be_one():
    """What the code asks for is what an install compiles ahead."""
    sources = (path.read_text() for path in Path(machine_code.__file__).parents[1].rglob("*.py"))
    asked = {found for source in sources for found in re.findall(r'kernel\("(job\.[\w.]+)", "(\w+)"\)', source)}
    assert asked == set(machine_code.KERNELS)


@pytest.mark.parametrize("kernel", [KERNEL, ("job.report.pixel_kernel", "count_pixels")], ids=["scan", "pixels"])
@pytest.mark.parametrize("level", ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", machine_code.PACKING])
@pytest.mark.skipif(machine_code._level() == "generic", reason="levels are those of x86-64")
def test_kernels_compile_for_every_level(kernel, level):
    """Code for other processors than this one can be made here, and needs no symbol from outside."""
    assert machine_code._compiled(*kernel, level)


@pytest.mark.skipif(machine_code._level() == "generic", reason="levels are those of x86-64")
def test_deformations_compile_for_the_oldest_processors():
    """Which have no instruction for much of what vectors are made of."""
    assert machine_code._compiled("job.train.fit.deform_kernel", "deform", "x86-64")


WHOLE_NUMBERS = [
    ("job.read.csv.count_kernel", "count_lines"), ("job.read.parquet.footer_kernel", "chunks"),
    ("job.read.parquet.page_kernel", "decode"), ("job.read.parquet.grid_kernel", "transpose"),
    ("job.report.pixel_kernel", "count_pixels"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "function"), WHOLE_NUMBERS)
def test_what_calculates_with_whole_numbers_has_no_floats(module, function):
    """Numba makes a float of a signed and an unsigned number: a length or a place, then, that may come out as any."""
    source = importlib.import_module(module)
    code = numba.cfunc(source.SIGNATURE)(getattr(source, function).py_func).inspect_llvm()
    assert "double" not in code
    assert "float" not in code


def test_numba_is_not_imported_where_code_is_kept():
    """A run that finds its code compiled pays for llvmlite alone."""
    script = "import sys; from job.read.csv.scan import prepare; prepare(); print('numba' in sys.modules)"
    command = [sys.executable, "-c", script]
    outputs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert outputs[1] == "False\n"
